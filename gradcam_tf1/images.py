"""Finding pictures on disk and reading them: RGB, upright, 8 bit, whatever the file holds. No TensorFlow here."""

from __future__ import annotations

import fnmatch
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Dict, Iterator, List, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from gradcam_tf1.errors import ImageFileError

EXTENSIONS = ("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm")
# Pillow is held to these: its other readers include one that starts Ghostscript on whatever the file says.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MAX_PIXELS = 100_000_000

Source = Union[str, "os.PathLike[str]", Sequence[Any]]

_ORIENTATION_TAG = 0x0112
# EXIF orientation -> (swap rows and columns first, then flip up-down, flip left-right); EXIF 2.32, tag 274.
_TURNS: Dict[int, Tuple[bool, bool, bool]] = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class ImageFile:
    """One picture to read. path: where it is. relative: POSIX path under the given root, unique within a listing."""

    path: str
    relative: str


def list_images(source: Source) -> List[ImageFile]:
    """The pictures of a folder (recursive), a file, a glob pattern (`**` too), or a list of any of these.

    Folders and patterns give files with a known extension, sorted, hidden ones left out; a file that is named itself is
    taken whatever its extension, and a list keeps its order. Raises ImageFileError where nothing is found.
    """
    found = _collect(source)
    if not found:
        raise ImageFileError("no pictures: the list of paths is empty")
    return _unique(found)


def _collect(source: Source) -> List[ImageFile]:
    if isinstance(source, (list, tuple)):
        return [item for one in source for item in _collect(one)]
    if not isinstance(source, (str, os.PathLike)):
        raise ImageFileError(f"pictures are given as a folder, file, pattern or list of these, not {source!r}")
    path = os.path.expanduser(os.fspath(source))
    if os.path.isdir(path):
        return _known(path, path, _walk(path))
    if os.path.lexists(path):
        return [ImageFile(path, os.path.basename(path))]
    if _has_magic(path):
        parts = PurePath(path).parts
        fixed = next(i for i, part in enumerate(parts) if _has_magic(part))
        root = os.path.join(*parts[:fixed]) if fixed else "."
        return _known(path, root, _expand(root, parts[fixed:]))
    raise ImageFileError(f"no such file or folder: {path!r}")


def _known(source: str, root: str, paths: Iterator[str]) -> List[ImageFile]:
    """The files with a known extension, sorted. An unreadable folder stays in: reading it tells why."""
    everything = sorted(set(paths))
    kept = [path for path in everything if _is_picture_name(path) or os.path.isdir(path)]
    if not kept:
        raise ImageFileError(
            f"no pictures in {source!r}: {len(everything)} other files there; known extensions: {' '.join(EXTENSIONS)}"
        )
    relatives = [Path(os.path.relpath(path, root)).as_posix() for path in kept]
    return [ImageFile(path, relative) for path, relative in zip(kept, relatives)]


def _is_picture_name(path: str) -> bool:
    return os.path.splitext(path)[1][1:].lower() in EXTENSIONS


def _has_magic(path: str) -> bool:
    return any(character in path for character in "*?[")


def _folders(root: str) -> Iterator[Tuple[str, List[str]]]:
    """Each folder under `root` once, with its visible entries; real folders before linked ones, so loops end.

    A folder that cannot be listed has the one entry "", itself: it stays in the listing and reading it says why.
    """
    real, linked, seen = [root], [], set()  # type: List[str], List[str], set
    while real or linked:
        folder = real.pop() if real else linked.pop(0)
        identity = os.path.realpath(folder)
        if identity in seen:
            continue
        seen.add(identity)
        try:
            entries = sorted(name for name in os.listdir(folder) if not name.startswith("."))
        except OSError:
            yield folder, [""]
            continue
        yield folder, entries
        for name in reversed(entries):
            path = os.path.join(folder, name)
            if os.path.isdir(path):
                (linked if os.path.islink(path) else real).append(path)


def _walk(root: str) -> Iterator[str]:
    for folder, entries in _folders(root):
        for name in entries:
            path = os.path.join(folder, name) if name else folder
            if not name or not os.path.isdir(path):
                yield path


def _expand(root: str, parts: Sequence[str]) -> Iterator[str]:
    """Files matching a pattern; Python's own glob runs for ever on two folders that link to each other."""
    head, rest = parts[0], parts[1:]
    if head == "**":
        if not rest:
            yield from _walk(root)
            return
        for folder, _ in _folders(root):
            yield from _expand(folder, rest)
        return
    for path in _matches(root, head):
        if rest and os.path.isdir(path):
            yield from _expand(path, rest)
        elif not rest and not os.path.isdir(path):
            yield path


def _matches(folder: str, part: str) -> List[str]:
    if not _has_magic(part):
        return [os.path.join(folder, part)] if os.path.lexists(os.path.join(folder, part)) else []
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise ImageFileError(f"cannot list {folder!r}: {error.strerror}") from error
    visible = [name for name in names if not name.startswith(".") or part.startswith(".")]
    return [os.path.join(folder, name) for name in sorted(fnmatch.filter(visible, part))]


def _unique(found: List[ImageFile]) -> List[ImageFile]:
    """Equal relative names get the folder they come from in front, and a number where that is not enough."""
    counts: Dict[str, int] = {}
    for item in found:
        counts[item.relative] = counts.get(item.relative, 0) + 1
    taken = {relative for relative, count in counts.items() if count == 1}
    result = []
    for item in found:
        relative = item.relative
        if counts[relative] > 1:
            relative = _free_name(item, taken)
            taken.add(relative)
        result.append(ImageFile(item.path, relative))
    return result


def _free_name(item: ImageFile, taken: set) -> str:
    root = os.path.abspath(item.path)[: -len(item.relative)]
    parent = os.path.basename(root.rstrip(os.sep))
    name = f"{parent}/{item.relative}" if parent else item.relative
    stem, extension = os.path.splitext(name)
    number = 2
    while name in taken:
        name = f"{stem}-{number}{extension}"
        number += 1
    return name


def read_image(path: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """One picture as uint8 [H, W, 3], RGB, upright; the size is checked in the header, before decoding.

    EXIF orientation is applied, transparency is laid on white, 16-bit gray is scaled to 8 bit, gray becomes three equal
    channels, of an animation the first frame is taken; colour profiles are not applied.
    Raises ImageFileError with the reason for anything that is not a whole, regular picture file.
    """
    with _open_regular(path) as file:
        try:
            with Image.open(file, formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageFileError(
                        f"{path!r} has {width}x{height} pixels, more than the {max_pixels:,} that are allowed"
                    )
                image.load()
                return _turn(_to_rgb(image, path), _orientation(image))
        except ImageFileError:
            raise
        except Image.UnidentifiedImageError as error:
            raise ImageFileError(f"{path!r} is not a picture in a known format ({', '.join(FORMATS)})") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageFileError(f"{path!r} has too many pixels: {error}") from error
        except Exception as error:  # Pillow's readers raise nearly anything on damaged data, struct.error to KeyError
            raise ImageFileError(f"{path!r} cannot be decoded: {error or type(error).__name__}") from error


def _open_regular(path: str) -> BinaryIO:
    """Open a regular file for reading, never waiting: O_NONBLOCK keeps a named pipe from blocking at open."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind):
            what = next((name for test, name in _KINDS if test(kind)), "something else")
            raise ImageFileError(f"{path!r} is {what}, not a picture file")
        file = os.fdopen(os.open(path, flags), "rb")
    except OSError as error:
        reason = "a link that leads nowhere" if os.path.islink(path) and not os.path.exists(path) else error.strerror
        raise ImageFileError(f"{path!r} cannot be opened: {reason}") from error
    except ValueError as error:  # a NUL character in the path
        raise ImageFileError(f"{path!r} cannot be opened: {error}") from error
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        file.close()
        raise ImageFileError(f"{path!r} is empty (0 bytes)")
    return file


def _to_rgb(image: Image.Image, path: str) -> np.ndarray:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        # Pillow's own conversion clips at 255; 65535 / 257 = 255 exactly.
        gray = np.rint(np.asarray(image).astype(np.float32) / 257.0).clip(0, 255).astype(np.uint8)
        return np.repeat(gray[..., np.newaxis], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ImageFileError(f"{path!r} has 32-bit pixels, whose white is not defined; save it with 8 or 16 bits")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        colours = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that is still to be applied, 1 = upright; a damaged EXIF block counts as none."""
    if image.format == "TIFF":
        return 1  # Pillow turns TIFF itself while loading, and in some versions leaves the tag behind
    try:
        return image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - the pixels are whole, and a broken EXIF block raises nearly anything
        return 1


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation not in _TURNS:
        return pixels
    swap, up_down, left_right = _TURNS[orientation]
    if swap:
        pixels = pixels.transpose(1, 0, 2)
    return np.ascontiguousarray(pixels[:: -1 if up_down else 1, :: -1 if left_right else 1])
