"""What a build of TensorFlow can do with NVIDIA cards, and the sentence on a card and a build."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

from gradcam_tf1.diagnosis.nvidia_cards import Card, dotted
from gradcam_tf1.tf_runtime import tf

Capability = Tuple[int, int]

_LAST_OF_CUDA10 = (7, 5)  # CUDA 10 makes code for no later card
_FIRST = (3, 5)  # of Google's wheels of 1.15
_NEWER = 'TensorFlow 2 on Python 3.9 or later can: pip install "tensorflow[and-cuda]"'
_PAGE = "see docs/gpu.md"
_HEADER = "external/local_config_cuda/cuda/cuda/cuda_config.h"


@dataclass(frozen=True)
class GpuBuild:
    """A build of TensorFlow, as far as NVIDIA cards are concerned.

    Attributes
    ----------
    version : str
        TensorFlow's version.
    has_cuda : bool
        Whether it was built with CUDA.
    cuda : str
        Version of CUDA that it was built with; "" if it is not known.
    targets : tuple of str
        What it holds code for: `sm_75` runs on 7.5 and later 7.x, `compute_90` and `9.0` on 9.0 and everything later;
        empty if it is not known.
    """

    version: str
    has_cuda: bool
    cuda: str = ""
    targets: Tuple[str, ...] = ()

    @property
    def has_cuda10(self) -> bool:
        """Whether it was built with CUDA 10 or before."""
        return self.cuda.partition(".")[0] in ("8", "9", "10")

    @property
    def is_tf1(self) -> bool:
        """Whether it is TensorFlow 1."""
        return self.version.startswith("1.")


def this_build() -> GpuBuild:
    """Return the build that is installed."""
    if not tf.test.is_built_with_cuda():
        return GpuBuild(tf.__version__, False)
    if hasattr(tf.sysconfig, "get_build_info"):  # TensorFlow 2.3 and later
        info: Dict[str, Any] = tf.sysconfig.get_build_info()
        targets = tuple(map(str, info.get("cuda_compute_capabilities", ())))
        return GpuBuild(tf.__version__, True, str(info.get("cuda_version", "")), targets)
    return _described_by(os.path.join(tf.sysconfig.get_include(), _HEADER))


def _described_by(header: str) -> GpuBuild:
    """Return the build that the header of its configuration describes; TensorFlow 1 says it nowhere else."""
    try:
        with open(header, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        text = ""
    version = re.search(r'TF_CUDA_VERSION "([0-9.]+)"', text)
    targets = re.findall(r'CudaVersion\("(\d+\.\d)"\)', text)
    return GpuBuild(tf.__version__, True, version.group(1) if version else "", tuple(targets))


def runs_on(targets: Sequence[str], capability: Capability) -> bool:
    """Whether code for these targets runs on a card; True if the targets are not known."""
    return not targets or any(_runs(*_target(target), capability) for target in targets)


def _target(text: str) -> Tuple[bool, Capability]:
    """Return whether a target is code that the driver still compiles, and its capability."""
    found = re.match(r"(sm|compute)_(\d+)(\d)", text) or re.match(r"()(\d+)\.(\d)", text)
    if not found:
        return True, (0, 0)  # of an unknown form: it forbids nothing
    return found.group(1) != "sm", (int(found.group(2)), int(found.group(3)))


def _runs(is_portable: bool, made_for: Capability, card: Capability) -> bool:
    return made_for <= card and (is_portable or made_for[0] == card[0])


def card_findings(cards: Sequence[Card], build: GpuBuild, visible: Sequence[str]) -> List[str]:
    """Say what this build cannot do with these cards, one sentence for each kind of card.

    Parameters
    ----------
    cards : sequence of Card
        The cards of the machine.
    build : GpuBuild
        The TensorFlow that is installed.
    visible : sequence of str
        Names of the GPUs that TensorFlow sees.
    """
    return [text for text in (_finding(card, build, visible) for card in dict.fromkeys(cards)) if text]


def _finding(card: Card, build: GpuBuild, visible: Sequence[str]) -> str:
    """Return the sentence on one card; "" if the build can use it."""
    name = f"TensorFlow {build.version}"
    if not build.has_cuda:
        return f"{card} is not used: this {name} is built for the CPU; {_way(card, build)}; {_PAGE}"
    if card.capability and not _fits(build, card.capability):
        cuda = f", built with CUDA {build.cuda}," if build.cuda else ""
        return f"{card} does not suit this {name}{cuda} {_known(build)}; {_way(card, build)}; {_PAGE}"
    if visible:
        return ""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return f"{card} is hidden from TensorFlow by the environment variable CUDA_VISIBLE_DEVICES={hidden!r}"
    return (
        f"{card} is not seen by this {name}: it needs a driver that nvidia-smi sees, and {_libraries(build)}; {_PAGE}"
    )


def _fits(build: GpuBuild, capability: Capability) -> bool:
    # the driver compiles what CUDA 10 made for later cards too, but its libraries then hang or compute wrong numbers
    too_new = build.has_cuda10 and capability > _LAST_OF_CUDA10
    return not too_new and runs_on(build.targets, capability)


def _known(build: GpuBuild) -> str:
    if build.has_cuda10:
        return f"which has code for cards up to {dotted(_LAST_OF_CUDA10)} and hangs or computes wrongly on later cards"
    return f"which has code for {', '.join(build.targets)}"


def _way(card: Card, build: GpuBuild) -> str:
    """Return what to install for a card."""
    if card.capability and card.capability < _FIRST:
        return "no wheel that this package runs on has code for it; use the CPU"
    is_new = card.capability is not None and card.capability > _LAST_OF_CUDA10
    if build.is_tf1 and not is_new:
        line = "pip install tensorflow==1.15.0, which was built with CUDA 10.0, can"
        return line if card.capability else f"up to Turing {line}; for later cards {_NEWER}"
    if build.is_tf1 or not build.has_cuda:
        return _NEWER
    return "an earlier TensorFlow 2 or, on Python 3.7, tensorflow==1.15.0 may"


def _libraries(build: GpuBuild) -> str:
    if build.is_tf1:
        return f"the libraries of CUDA {build.cuda or '10.0'} and cuDNN on LD_LIBRARY_PATH"
    return 'the CUDA libraries that pip install "tensorflow[and-cuda]" brings'
