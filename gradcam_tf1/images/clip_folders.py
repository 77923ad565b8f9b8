"""Clips: each folder of frames, and each file that has several, is one. No TensorFlow here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.animated_files import count_frames, is_animated, read_frames
from gradcam_tf1.images.decode import MAX_PIXELS
from gradcam_tf1.images.image_source import ImageSource

MOST_FRAMES = 16  # of a clip, where the net takes any number


@dataclass(frozen=True)
class ClipImage:
    """The frames that were taken of a clip, uint8 [T, H, W, 3] RGB, and which of its frames they are, from 0."""

    frames: np.ndarray
    numbers: Tuple[int, ...]

    @property
    def shape(self) -> Tuple[int, ...]:
        """Of one frame: (H, W, 3)."""
        return self.frames.shape[1:]


@dataclass(frozen=True)
class Clip:
    """One clip of a run. source, relative: as of a Image, of the folder or the file. wanted: frames that a net takes.

    frames: its images in their natural order, or the one file that has them all.
    """

    source: str
    relative: str
    wanted: Optional[int]
    frames: List[ImageSource] = field(default_factory=list)
    animated: bool = False
    held = 0

    @property
    def path(self) -> str:
        """The same as source."""
        return self.source

    def read(self, max_pixels: int = MAX_PIXELS, *wanted: Any) -> ClipImage:
        """So many frames as the net takes, evenly from the first to the last; see `ImageSource.read`.

        Raises: ImageFileError where there are fewer, where they differ in size, or one cannot be read.
        """
        there = count_frames(self.frames[0], max_pixels) if self.animated else len(self.frames)
        numbers = even_numbers(there, self.wanted or min(there, MOST_FRAMES))
        if len(set(numbers)) < len(numbers):
            raise ImageFileError(f"{self.source!r} has {there} frames, fewer than the {self.wanted} that the net takes")
        if self.animated:
            frames = read_frames(self.frames[0], numbers, max_pixels)
        else:
            frames = [self.frames[number].read(max_pixels, *wanted) for number in numbers]
        sizes = sorted({frame.shape[:2] for frame in frames})
        if len(sizes) > 1:
            shown = ", ".join(f"{height}x{width}" for height, width in sizes[:4])
            raise ImageFileError(f"the frames of {self.source!r} differ in size: {shown}; those of a clip are alike")
        return ClipImage(np.stack(frames), tuple(numbers))

    def emptied(self) -> Clip:
        """Itself: it keeps no bytes."""
        return self


def even_numbers(there: int, wanted: int) -> List[int]:
    """`wanted` of the numbers 0 to there - 1, evenly from the first to the last."""
    return np.linspace(0, there - 1, wanted).round().astype(int).tolist() if there else []


def find_clips(images: Iterable[ImageSource], wanted: Optional[int]) -> List[Clip]:
    """The clips of a listing, in its order: a clip where its first frame stands.

    Raises: ImageFileError for frames in a packed archive, which cannot be read in another order than they lie there.
    """
    folders: Dict[Tuple[str, str], Clip] = {}
    clips: List[Clip] = []
    for image in images:
        if image.held:
            raise ImageFileError(f"{image.source!r} is in a packed archive; unpack it, and give the folder of clips")
        if is_animated(image):
            clips.append(Clip(image.source, image.relative, wanted, [image], animated=True))
            continue
        place = (_folder(image.source), _folder(image.relative))
        if place not in folders:
            relative = place[1] or os.path.basename(place[0].rstrip("/!")) or "clip"
            folders[place] = Clip(place[0] or image.source, relative, wanted)
            clips.append(folders[place])
        folders[place].frames.append(image)
    for clip in clips:
        clip.frames.sort(key=lambda frame: natural(frame.relative))
    return clips


def _folder(path: str) -> str:
    return re.sub(r"[/\\][^/\\]*\Z" if os.sep == "\\" else r"/[^/]*\Z", "", path) if "/" in path or "\\" in path else ""


def natural(name: str) -> List[Any]:
    """A key by which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if number % 2 else (0, part.casefold()) for number, part in enumerate(parts)] + [(0, name)]
