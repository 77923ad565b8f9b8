"""The NVIDIA cards of this machine, found without TensorFlow: a build for the CPU must not hide them."""

from __future__ import annotations

import csv
import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

_TIMEOUT = 20  # seconds
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
_NAME_BYTES = 128
_PROC = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class Card:
    """An NVIDIA card.

    Attributes
    ----------
    name : str
        As the driver calls it.
    capability : tuple of int or None
        Its compute capability, such as (7, 5); None if the driver does not say.
    """

    name: str
    capability: Tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.name} (compute capability {dotted(self.capability)})" if self.capability else self.name


def dotted(capability: Tuple[int, int]) -> str:
    """Return a compute capability as NVIDIA writes it: 7.5."""
    return f"{capability[0]}.{capability[1]}"


def find_cards() -> List[Card]:
    """Return the cards, with their capabilities if nvidia-smi or the driver's library knows them."""
    for source in (_from_nvidia_smi, _from_driver, _from_proc):
        cards = source()
        if cards:
            return cards
    return []


def _from_nvidia_smi() -> List[Card]:
    """Ask nvidia-smi; older ones do not know compute_cap and fail."""
    command = ["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.check_output(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = csv.reader(answer.decode("utf-8", "replace").splitlines(), skipinitialspace=True)
    cards = [_card(row) for row in rows if len(row) == 2]
    return cards if all(card.capability for card in cards) else []


def _card(row: List[str]) -> Card:
    major, _, minor = row[1].strip().partition(".")
    return Card(row[0].strip(), (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None)


def _from_driver() -> List[Card]:
    """Ask the driver's library, which is there also in containers without nvidia-smi."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    count = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return []
    cards = []
    for index in range(count.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES)
        major, minor = ctypes.c_int(), ctypes.c_int()
        failed = (
            cuda.cuDeviceGet(ctypes.byref(device), index)
            or cuda.cuDeviceGetName(name, _NAME_BYTES, device)
            or cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
            or cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
        )
        if not failed:
            cards.append(Card(name.value.decode("utf-8", "replace"), (major.value, minor.value)))
    return cards


def _from_proc() -> List[Card]:
    """Read the names from the kernel's driver; it does not tell the capability."""
    cards = []
    for file in sorted(_PROC.glob("*/information")):
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        cards += [Card(line.partition(":")[2].strip()) for line in lines if line.startswith("Model:")]
    return cards
