"""The machine as TensorFlow sees it: version, build, devices."""

from __future__ import annotations

import os
import platform
from typing import List

from gradcam_tf1._version import __version__
from gradcam_tf1.diagnosis.gpu_build import card_findings, this_build
from gradcam_tf1.diagnosis.nvidia_cards import find_cards
from gradcam_tf1.tf_runtime import is_intel_build, tf

_FEATURES = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "amx_tile")


def machine() -> List[str]:
    """Return one line each on versions, the processor and the GPUs."""
    build = " (Intel's build)" if is_intel_build() else ""
    lines = [f"gradcam_tf1 {__version__}, TensorFlow {tf.__version__}{build}, Python {platform.python_version()}"]
    features = [name for name in _FEATURES if name in _flags()]
    lines.append(f"{platform.machine()}, {os.cpu_count()} cores{', ' if features else ''}{' '.join(features)}")
    return lines + _gpus()


def _gpus() -> List[str]:
    """Return what TensorFlow sees, and what it cannot do with the cards that are there."""
    gpus = [gpu.name for gpu in tf.config.experimental.list_physical_devices("GPU")]
    findings = card_findings(find_cards(), this_build(), gpus)
    if gpus:
        return [f"GPU: {', '.join(gpus)}", *findings]
    build = "could use one" if tf.test.is_built_with_cuda() else "is built for the CPU"
    return findings or [f"no GPU, and this TensorFlow {build}"]


def _flags() -> List[str]:
    """Return the features of the processor; none where the system does not list them."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            line = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        return []
    return line.partition(":")[2].split()
