"""List the images of a folder or a pattern, without those that a run wrote there."""

from __future__ import annotations

import os
from typing import Iterable, Iterator

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.file_names import EXTENSIONS, is_image_name
from gradcam_tf1.images.folder_walk import FILE, LEFT_OUT, UNLISTED, FoundPath, expand, fixed_part, walk
from gradcam_tf1.images.image_source import ImageSource, image_file, lost_image


def folder_images(folder: str, out: str = "") -> Iterator[ImageSource]:
    """Yield the images in a folder and below, in the order of their paths.

    Parameters
    ----------
    folder : str
        The folder.
    out : str
        Real path of the output folder, which is skipped; "" for none.

    Yields
    ------
    ImageSource

    Raises
    ------
    ImageFileError
        If there is no image.
    OptionError
        If the output folder is this folder, or all images are in output folders.
    """
    check_out(folder, folder, out)
    yield from _images(walk(folder, out), folder, folder, out)


def pattern_images(pattern: str, out: str = "") -> Iterator[ImageSource]:
    """Yield the images that match a pattern; arguments and errors as in `folder_images`."""
    root = fixed_part(pattern)[0]
    check_out(root, pattern, out)
    yield from _images(expand(pattern, out), pattern, root, out)


def check_out(folder: str, source: str, out: str) -> None:
    """Raise OptionError where the output folder is the folder of the images."""
    if out and os.path.realpath(folder) == out:
        raise OptionError(
            f"the output folder {out!r} is where {source!r} looks for images, so the next run would explain what "
            "this one writes; choose another output folder"
        )


def _images(paths: Iterable[FoundPath], source: str, root: str, out: str) -> Iterator[ImageSource]:
    images = others = 0
    left_out = False
    for path, kind, reason, _ in paths:
        if kind == UNLISTED:
            images += 1
            yield lost_image(path, relative_to(path, root), f"cannot be listed: {reason}")
        elif kind == FILE and is_image_name(path):
            images += 1
            yield image_file(path, relative_to(path, root))
        else:
            others += kind == FILE
            left_out = left_out or kind == LEFT_OUT
    if not images and left_out:
        raise OptionError(
            f"{source!r} has images in output folders only, and a run skips what runs wrote; choose another output "
            f"folder than {out!r}, or name the folder of an earlier run itself"
        )
    if not images:
        known = " ".join(EXTENSIONS)
        raise ImageFileError(f"no images in {source!r}: {others} other files there; known extensions: {known}")


def relative_to(path: str, root: str) -> str:
    """Return a path as a POSIX path below `root`; for the root itself its name."""
    below = path[len(os.path.join(root, "")) :]
    return (below or os.path.basename(os.path.abspath(root)) or "unnamed").replace(os.sep, "/")
