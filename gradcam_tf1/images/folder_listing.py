"""Images of a folder or a pattern, without what the run itself wrote there."""

from __future__ import annotations

import os
from typing import Iterable, Iterator

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.file_names import EXTENSIONS, is_image_name
from gradcam_tf1.images.folder_walk import FILE, LEFT_OUT, UNLISTED, FoundPath, expand, fixed_part, walk
from gradcam_tf1.images.image_source import ImageSource, image_file, lost_image


def folder_images(folder: str, out: str = "") -> Iterator[ImageSource]:
    """The images in a folder and below, in the order of their paths. out: real path of the output folder.

    Raises: ImageFileError where there is none; OptionError where all are in the output folder, or that is this one.
    """
    check_out(folder, folder, out)
    yield from _images(walk(folder, out), folder, folder, out)


def pattern_images(pattern: str, out: str = "") -> Iterator[ImageSource]:
    """The images that fit a pattern, else as `folder_images`."""
    root = fixed_part(pattern)[0]
    check_out(root, pattern, out)
    yield from _images(expand(pattern, out), pattern, root, out)


def check_out(folder: str, source: str, out: str) -> None:
    """Raises: OptionError where the output would go among the images."""
    if out and os.path.realpath(folder) == out:
        raise OptionError(
            f"the output folder {out!r} is where {source!r} looks for images, so the next run would explain what "
            "this one writes; choose another output folder"
        )


def _images(found: Iterable[FoundPath], source: str, root: str, out: str) -> Iterator[ImageSource]:
    images = others = 0
    left_out = False
    for path, kind, reason, _ in found:
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
            f"{source!r} has images in output folders only, and a run does not explain what runs wrote; choose "
            f"another output folder than {out!r}, or name the folder of an earlier run itself"
        )
    if not images:
        known = " ".join(EXTENSIONS)
        raise ImageFileError(f"no images in {source!r}: {others} other files there; known extensions: {known}")


def relative_to(path: str, root: str) -> str:
    """The POSIX path below a root that it begins with; for the root itself its name."""
    below = path[len(os.path.join(root, "")) :]
    return (below or os.path.basename(os.path.abspath(root)) or "unnamed").replace(os.sep, "/")
