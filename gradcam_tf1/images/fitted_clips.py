"""Fit clips to the input of a net, frame by frame. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Sequence, Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import Fitted, Placement
from gradcam_tf1.images.given_images import as_images
from gradcam_tf1.types import Binding, Cells

EXPECTED_CLIPS = "clips are RGB [T, H, W, 3] with values 0..255, or lists of frames"


FitFrame = Callable[[Union[np.ndarray, Fitted]], Fitted]


@dataclass(frozen=True)
class ClipPlacement:
    """How the frames of one clip were fitted. All have the same size, so one placement is enough.

    Attributes
    ----------
    frame : Placement
        Placement of each frame.
    frames : int
        Number of frames.
    """

    frame: Placement
    frames: int

    def place(self, map: np.ndarray, cells: Optional[Cells] = None) -> np.ndarray:
        """Place the map of each frame on the original frame.

        Parameters
        ----------
        map : np.ndarray
            [T, h, w] or [T, h, w, C] of any size.
        cells : Cells or None
            Where the cells lie on the input, with the axis of frames first; None to stretch the maps.

        Returns
        -------
        np.ndarray
            float32 [T, H, W] or [T, H, W, C].

        Raises
        ------
        OptionError
            If the map has another number of frames.
        """
        if len(map) != self.frames:
            raise OptionError(
                f"the clip has {self.frames} frames, the map has shape {list(np.shape(map))}; give one map per frame"
            )
        return np.stack([self.frame.place(values, frame_cells(cells)) for values in map])


def frame_cells(cells: Optional[Cells]) -> Optional[Cells]:
    """Return the cells without the axis of frames."""
    return None if cells is None else Cells(cells.offset[1:], cells.stride[1:])


@dataclass(frozen=True)
class FittedClip:
    """A clip at the size of the net's input.

    Attributes
    ----------
    pixels : np.ndarray
        float32 [T, h, w, 3], RGB, 0..255.
    placement : ClipPlacement
        Places maps back on the original frames.
    """

    pixels: np.ndarray
    placement: ClipPlacement


def fit_clips(clips: Any, binding: Binding, fit_image: FitFrame, own_range: bool = False) -> List[FittedClip]:
    """Fit clips to the size of the input.

    Parameters
    ----------
    clips : array or list
        [N, T, H, W, 3], one clip [T, H, W, 3], or a list of clips.
    binding : Binding
        The key tensors of the net.
    fit_image : callable
        Fits one frame.
    own_range : bool
        Whether the preprocessing may expect other values than 0..255, see `as_images`.

    Raises
    ------
    OptionError
        If a clip has the wrong number of frames, or frames of different sizes.
    """
    if isinstance(clips, FittedClip) or (isinstance(clips, np.ndarray) and clips.ndim == 4):
        clips = [clips]
    if not isinstance(clips, (list, tuple, np.ndarray)) or not len(clips):
        raise OptionError(f"the net takes clips, but none was given; {EXPECTED_CLIPS}")
    return [clip if isinstance(clip, FittedClip) else _fit_clip(clip, binding, fit_image, own_range) for clip in clips]


def _fit_clip(clip: Any, binding: Binding, fit_image: FitFrame, own_range: bool) -> FittedClip:
    count = (binding.array_shape or (None, None))[1]
    if not isinstance(clip, (list, tuple)) and np.ndim(clip) != 4:
        raise OptionError(f"'{binding.input}' takes clips, but {_kind(clip)} was given; {EXPECTED_CLIPS}")
    frames = as_images(list(clip), own_range)
    if count not in (None, len(frames)):
        raise OptionError(
            f"a clip has {len(frames)} frames, the net takes {count}; choose {count} frames, for example evenly: "
            f"np.asarray(clip)[np.linspace(0, {len(frames) - 1}, {count}).round().astype(int)]"
        )
    return joined([fit_image(frame) for frame in frames])


def joined(frames: Sequence[Fitted]) -> FittedClip:
    """Join fitted frames to one clip. Raises OptionError if their sizes differ."""
    sizes = {frame.placement.original for frame in frames}
    if len(sizes) > 1:
        raise OptionError(f"the frames of a clip have different sizes {sorted(sizes)}; give frames of one size")
    pixels = np.stack([frame.pixels for frame in frames]).astype(np.float32)
    return FittedClip(pixels, ClipPlacement(frames[0].placement, len(frames)))


def _kind(clip: Any) -> str:
    return f"an array {list(np.shape(clip))}" if isinstance(clip, np.ndarray) else f"a {type(clip).__name__}"
