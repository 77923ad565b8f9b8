"""Sets of baselines, for methods that average over what an image is compared with."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Union

import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.methods.baseline_files import MOST_BASELINES, BaselineFiles
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.masking import BASELINES, COLOURS, baseline_input
from gradcam_tf1.methods.options import Option

Baselines = Union[str, float, np.ndarray, Sequence[Any]]

DEFAULT_SET = "black,white,mean,blur"
_FOR_ARRAYS = "zero,mean,blur"
_IMAGE_AXES = 3


@dataclass(frozen=True)
class BaselineSet(Option):
    """The option `baselines`: names, gray levels, images or their paths, see `baseline_inputs`."""

    def is_image(self, value: Any) -> bool:
        """Return whether a set has a colour, which signals and volumes do not have."""
        return isinstance(value, str) and bool(set(_names(value)) & set(COLOURS))

    def reads_file(self, value: Any) -> bool:
        """Return whether a set has a path."""
        return any(isinstance(item, str) and not _are_names(item) for item in _items(value))

    def opened(self, value: Any, files: Dict[str, Any]) -> Any:
        """Return a set whose files are read once; see `Option.opened`."""
        return [_opened(item, files) for item in _items(value)]

    def possible(self) -> str:
        """What values the option can have, in words."""
        return (
            f"names of {', '.join(BASELINES)} with commas, a folder or a pattern of images, a gray level, an array of "
            "images or a list of these"
        )

    def _is_within(self, value: Any) -> bool:
        """Return whether names are known; what is no list of names counts as a path if it looks like one."""
        texts = [item for item in _items(value) if isinstance(item, str)]
        return all(_are_names(text) or os.path.lexists(os.path.expanduser(text)) or "*" in text for text in texts)


def baselines_option() -> Option:
    """Return the option `baselines` of a method."""
    choices = (DEFAULT_SET, *BASELINES)
    images = (DEFAULT_SET, *COLOURS)
    return BaselineSet("baselines", DEFAULT_SET, None, None, None, None, choices, object, images, _FOR_ARRAYS)


def baseline_inputs(probe: ProbeBase, baselines: Baselines, seed: int = 0) -> np.ndarray:
    """Return a set of baselines as the net takes them, preprocessed like images.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    baselines : str, float, np.ndarray or sequence
        Names as in `baseline_input`, with commas; the path of an image, a folder or a pattern of them, stretched to the
        input's size; a gray level 0..255; images [B, H, W, 3], RGB 0..255, of the input's size; or a list of these.
    seed : int
        Of random baselines.

    Returns
    -------
    np.ndarray
        float32 [B, H, W, C].

    Raises
    ------
    OptionError
        For an array of another shape, an empty set, more than 256 baselines, a path for a net that does not take
        images, or one without an image, or with one that cannot be read.
    """
    with _as_option():
        found = [start for item in _items(baselines) for start in _of_item(probe, item, seed)]
    if not 0 < len(found) <= MOST_BASELINES:
        raise OptionError(f"the baselines are {len(found)} images; give 1 to {MOST_BASELINES}")
    return np.stack(found)


def count_of(baselines: Baselines) -> int:
    """Return how many baselines there are, without reading any. Raises OptionError if a path has none."""
    with _as_option():
        return sum(_count(item) for item in _items(baselines))


@contextmanager
def _as_option() -> Iterator[None]:
    """Make a file that cannot be read the fault of the option, and not of the image that is explained."""
    try:
        yield
    except ImageFileError as error:
        raise OptionError(f"baselines: {error}") from error


def _count(item: Any) -> int:
    item = _opened(item)
    if isinstance(item, BaselineFiles):
        return len(item)
    if isinstance(item, str):
        return len(_names(item))
    return len(item) if np.ndim(item) > _IMAGE_AXES else 1


def _items(baselines: Baselines) -> Sequence[Any]:
    return list(baselines) if isinstance(baselines, (list, tuple)) else [baselines]


def _opened(item: Any, files: Optional[Dict[str, Any]] = None) -> Any:
    """Return the files of a path, those of an earlier item if it has the same; anything else as it is."""
    if not isinstance(item, str) or _are_names(item):
        return item
    return ({} if files is None else files).setdefault(item, BaselineFiles(item))


def _names(text: str) -> List[str]:
    return [name.strip() for name in text.split(",")]


def _are_names(text: str) -> bool:
    return all(name in BASELINES for name in _names(text))


def _of_item(probe: ProbeBase, item: Any, seed: int) -> List[np.ndarray]:
    shape = probe.pixels.shape
    item = _opened(item)
    if isinstance(item, BaselineFiles):
        return [baseline_input(probe, image) for image in item.images(shape)]
    if isinstance(item, str):
        return [baseline_input(probe, name, seed) for name in _names(item)]
    images = np.asarray(item)
    several = images.ndim == len(shape) + 1 and images.shape[1:] == shape
    if not several and images.shape not in ((), shape):
        raise OptionError(
            f"the baselines are {images.dtype} {list(images.shape)}; they must be a gray level, or images like the "
            f"net's, [B, {', '.join(map(str, shape))}], RGB 0..255"
        )
    return [baseline_input(probe, image) for image in (images if several else [images])]
