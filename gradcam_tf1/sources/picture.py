"""The record that every source gives: one picture, not yet read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.sources.content import Missing, Whole
from gradcam_tf1.sources.decode import MAX_PIXELS, decode
from gradcam_tf1.sources.wanted import AS_PHOTOGRAPH, Wanted


@dataclass(frozen=True)
class Picture:
    """One picture of a run.

    source: what is shown and written to the manifest: a path, or an archive's path, "!/" and what is inside.
    relative: POSIX path, unique within a run and the same in each run, the base of the names of what is written.
    content: where its bytes are, one of content.py's.
    """

    source: str
    relative: str
    content: Any

    @property
    def path(self) -> str:
        """The same as source; of a picture in a file of its own, where that is."""
        return self.source

    def read(self, max_pixels: int = MAX_PIXELS, wanted: Wanted = AS_PHOTOGRAPH) -> np.ndarray:
        """The picture as uint8 [H, W, 3], RGB, upright, or what else is wanted of it, see `decode`.

        May be called in any thread, and again.

        Raises: ImageFileError with the reason, whatever is wrong with it.
        """
        try:
            with self.content.open() as file:
                return decode(file, self.source, max_pixels, wanted)
        except OSError as error:  # the disk, in the middle of an archive
            raise ImageFileError(f"{self.source!r} cannot be read: {error.strerror or error}") from error

    @property
    def held(self) -> int:
        """Bytes of memory that it keeps while it waits to be read."""
        return getattr(self.content, "held", 0)

    def emptied(self) -> Picture:
        """The same without the bytes that it keeps: it was read, and waits for its turn."""
        return replace(self, content=Missing(f"{self.source!r} was read already"))

    def below(self, folder: str) -> Picture:
        """The same under a folder of its source's name."""
        return replace(self, relative=f"{folder}/{self.relative}")


def picture_file(path: str, relative: str) -> Picture:
    """A picture in a file of its own."""
    return Picture(path, relative, Whole(path))


def lost_picture(source: str, relative: str, reason: str) -> Picture:
    """One that cannot be read, and is listed all the same."""
    return Picture(source, relative, Missing(f"{source!r} {reason}"))
