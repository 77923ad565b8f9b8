"""Find clips: each folder of frames and each file with several frames is one clip. No TensorFlow here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.animated_files import count_frames, is_animated, read_frames
from gradcam_tf1.images.bands import AS_PHOTOGRAPH, ReadOptions
from gradcam_tf1.images.decode import MAX_PIXELS
from gradcam_tf1.images.image_source import ImageSource

MOST_FRAMES = 16  # frames read of a clip where the net takes any number


@dataclass(frozen=True)
class ClipImage:
    """The frames that were read of a clip.

    Attributes
    ----------
    frames : np.ndarray
        uint8 [T, H, W, 3], RGB.
    numbers : tuple of int
        Their numbers in the clip, from 0.
    """

    frames: np.ndarray
    numbers: Tuple[int, ...]

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape of one frame: (H, W, 3)."""
        return self.frames.shape[1:]


@dataclass(frozen=True)
class Clip:
    """One clip of a run, not yet read.

    Attributes
    ----------
    source : str
        Path of the folder or file, for messages and the manifest.
    relative : str
        POSIX path, unique within a run.
    wanted : int, optional
        Number of frames that the net takes; None for any number.
    frames : list of ImageSource
        Its images in natural order, or the one file that has all frames.
    animated : bool
        Whether `frames` is one file with several frames.
    """

    source: str
    relative: str
    wanted: Optional[int]
    frames: List[ImageSource] = field(default_factory=list)
    animated: bool = False
    held = 0

    @property
    def path(self) -> str:
        """Same as `source`."""
        return self.source

    def read(self, max_pixels: int = MAX_PIXELS, wanted: ReadOptions = AS_PHOTOGRAPH) -> ClipImage:
        """Read as many frames as the net takes, evenly spaced from the first to the last.

        Parameters
        ----------
        max_pixels : int
            Maximum number of pixels of a frame.
        wanted : ReadOptions
            Options of reading the images of a folder.

        Returns
        -------
        ClipImage

        Raises
        ------
        ImageFileError
            If there are fewer frames than the net takes, they differ in size, or one cannot be read.
        """
        count = count_frames(self.frames[0], max_pixels) if self.animated else len(self.frames)
        numbers = even_numbers(count, self.wanted or min(count, MOST_FRAMES))
        if len(set(numbers)) < len(numbers):
            raise ImageFileError(f"{self.source!r} has {count} frames, fewer than the {self.wanted} that the net takes")
        if self.animated:
            frames = read_frames(self.frames[0], numbers, max_pixels)
        else:
            frames = [self.frames[number].read(max_pixels, wanted) for number in numbers]
        sizes = sorted({frame.shape[:2] for frame in frames})
        if len(sizes) > 1:
            shown = ", ".join(f"{height}x{width}" for height, width in sizes[:4])
            raise ImageFileError(f"the frames of {self.source!r} differ in size: {shown}; those of a clip are alike")
        return ClipImage(np.stack(frames), tuple(numbers))

    def emptied(self) -> Clip:
        """Return itself: it keeps no bytes in memory."""
        return self


def even_numbers(count: int, wanted: int) -> List[int]:
    """Return `wanted` of the numbers 0 to count - 1, evenly spaced from the first to the last."""
    numbers: List[int] = np.linspace(0, count - 1, wanted).round().astype(int).tolist() if count else []
    return numbers


def find_clips(images: Iterable[ImageSource], wanted: Optional[int]) -> List[Clip]:
    """Group a listing into clips, each at the position of its first frame.

    Parameters
    ----------
    images : iterable of ImageSource
        The listing.
    wanted : int, optional
        Number of frames that the net takes; None for any number.

    Returns
    -------
    list of Clip

    Raises
    ------
    ImageFileError
        If frames are in a packed archive, which can be read only in its own order.
    """
    folders: Dict[Tuple[str, str], Clip] = {}
    clips: List[Clip] = []
    for image in images:
        if image.held:
            raise ImageFileError(f"{image.source!r} is in a packed archive; unpack it, and give the folder of clips")
        if is_animated(image):
            clips.append(Clip(image.source, image.relative, wanted, [image], animated=True))
            continue
        key = (_folder(image.source), _folder(image.relative))
        if key not in folders:
            relative = key[1] or os.path.basename(key[0].rstrip("/!")) or "clip"
            folders[key] = Clip(key[0] or image.source, relative, wanted)
            clips.append(folders[key])
        folders[key].frames.append(image)
    for clip in clips:
        clip.frames.sort(key=lambda frame: natural(frame.relative))
    return clips


def _folder(path: str) -> str:
    return re.sub(r"[/\\][^/\\]*\Z" if os.sep == "\\" else r"/[^/]*\Z", "", path) if "/" in path or "\\" in path else ""


def natural(name: str) -> List[Tuple[int, str]]:
    """Return a sort key by which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if number % 2 else (0, part.casefold()) for number, part in enumerate(parts)] + [(0, name)]
