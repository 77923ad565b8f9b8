"""Clips as people give them, brought to a net's input frame by frame. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Sequence

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import Fitted, Placement
from gradcam_tf1.images.given_images import as_images
from gradcam_tf1.types import Binding, Cells

WANTED = "clips are RGB [T, H, W, 3] with values 0..255, or lists of frames"


@dataclass(frozen=True)
class ClipPlacement:
    """How the frames of one clip were fitted: all alike, since they are of one size. frames: how many they are."""

    frame: Placement
    frames: int

    def place(self, map: np.ndarray, cells: Optional[Cells] = None) -> np.ndarray:
        """A map of each frame, [T, h, w] or [T, h, w, C] of any size, on the frames: float32 [T, H, W] or [..., C].

        cells: where its cells lie, the frames' axis in front; None: stretched. Raises: OptionError for another number
        of frames.
        """
        if len(map) != self.frames:
            raise OptionError(f"the clip has {self.frames} frames, and the map is {list(np.shape(map))}")
        return np.stack([self.frame.place(each, frame_cells(cells)) for each in map])


def frame_cells(cells: Optional[Cells]) -> Optional[Cells]:
    """The cells of one frame: those of the clip without the frames' axis."""
    return None if cells is None else Cells(cells.offset[1:], cells.stride[1:])


@dataclass(frozen=True)
class FittedClip:
    """A clip at the size of the net's input. pixels: float32 [T, h, w, 3] RGB, 0..255. placement: the way back."""

    pixels: np.ndarray
    placement: ClipPlacement


def fit_clips(
    clips: Any, binding: Binding, fit_image: Callable[[Any], Fitted], own_range: bool = False
) -> List[FittedClip]:
    """Clips, [N, T, H, W, 3], one [T, H, W, 3], or a list of clips, at the input's size.

    fit_image: of a frame. Raises: OptionError where the frames are not as many as the net takes, or differ in size.
    """
    if isinstance(clips, FittedClip) or (isinstance(clips, np.ndarray) and clips.ndim == 4):
        clips = [clips]
    if not isinstance(clips, (list, tuple, np.ndarray)) or not len(clips):
        raise OptionError(f"the net takes clips, and none was given; {WANTED}")
    return [clip if isinstance(clip, FittedClip) else _fit_clip(clip, binding, fit_image, own_range) for clip in clips]


def _fit_clip(clip: Any, binding: Binding, fit_image: Callable[[Any], Fitted], own_range: bool) -> FittedClip:
    wanted = (binding.array_shape or (None, None))[1]
    if not isinstance(clip, (list, tuple)) and np.ndim(clip) != 4:
        raise OptionError(f"'{binding.input}' takes clips, and {_kind(clip)} was given; {WANTED}")
    frames = as_images(list(clip), own_range)
    if wanted not in (None, len(frames)):
        raise OptionError(
            f"a clip has {len(frames)} frames, the net takes {wanted}; choose so many, evenly for example: "
            f"np.asarray(clip)[np.linspace(0, {len(frames) - 1}, {wanted}).round().astype(int)]"
        )
    return joined([fit_image(frame) for frame in frames])


def joined(frames: Sequence[Fitted]) -> FittedClip:
    """Fitted frames as one clip. Raises: OptionError where they are not of one size."""
    sizes = {frame.placement.original for frame in frames}
    if len(sizes) > 1:
        raise OptionError(f"the frames of a clip are of one size, these have {sorted(sizes)}")
    pixels = np.stack([frame.pixels for frame in frames]).astype(np.float32)
    return FittedClip(pixels, ClipPlacement(frames[0].placement, len(frames)))


def _kind(clip: Any) -> str:
    return f"an array {list(np.shape(clip))}" if isinstance(clip, np.ndarray) else f"a {type(clip).__name__}"
