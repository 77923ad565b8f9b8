"""From the bytes of a picture file to pixels: RGB, upright, 8 bit, whatever the file holds. No TensorFlow here."""

from __future__ import annotations

import io
from typing import BinaryIO, Callable, Dict, NamedTuple, Tuple

import numpy as np
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.sources.bounded import HEAD_READS, MOST_HEAD, READS, Bounded
from gradcam_tf1.sources.dicom import is_dicom, read_dicom
from gradcam_tf1.sources.files import MAX_BYTES, check_size
from gradcam_tf1.sources.nifti import is_nifti, read_nifti
from gradcam_tf1.sources.strict import strict_pillow
from gradcam_tf1.sources.turns import turn
from gradcam_tf1.sources.window import AUTOMATIC, Window

# Pillow is held to these: its other readers include one that starts Ghostscript on whatever the file says.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MAX_PIXELS = 100_000_000
HEAD_BYTES = 512
STRIP = 1 << 20  # pixels
MOST_BYTES = 8  # of a pixel: four channels of 16 bits
# WebP is read as a whole, TIFF may have the layers of Photoshop among its tags.
_READ_WHOLE = (b"RIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_SCANS = 100  # a progressive JPEG has about ten; each costs a pass over all pixels, and a scan may be 10 bytes long

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


class Format(NamedTuple):
    """A kind of picture file: how its first bytes or its name give it away, and what reads it."""

    recognise: Callable[[bytes, str], bool]
    read: Callable[[BinaryIO, str, int, Window], np.ndarray]


def decode(file: BinaryIO, name: str, max_pixels: int = MAX_PIXELS, window: Window = AUTOMATIC) -> np.ndarray:
    """One picture as uint8 [H, W, 3], RGB, upright; the size is checked in the header, before decoding.

    EXIF orientation is applied, transparency is laid on white, 16-bit gray is scaled to 8 bit, gray becomes three equal
    channels, of an animation the first frame is taken; colour profiles are not applied.
    Args: file: open for reading, at its start. name: for messages. window: of medical pictures.
    Raises: ImageFileError with the reason for anything that is not a whole picture.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    form = next(form for form in PICTURE_FORMATS if form.recognise(head, name))
    try:
        return form.read(file, name, max_pixels, window)
    except ImageFileError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageFileError(f"{name!r} has too many pixels: {error}") from error
    except Exception as error:  # the readers raise nearly anything on damaged data, struct.error to KeyError
        raise ImageFileError(f"{name!r} cannot be decoded: {error or type(error).__name__}") from error


def _read_common(file: BinaryIO, name: str, max_pixels: int, _window: Window) -> np.ndarray:
    most = max(MAX_BYTES, MOST_BYTES * max_pixels)
    bounded = Bounded(file, name, HEAD_READS, _head_size(file, most))
    with strict_pillow():
        try:
            image = Image.open(bounded, formats=FORMATS)
        except Image.UnidentifiedImageError as error:
            raise ImageFileError(f"{name!r} is not a picture in a known format ({', '.join(FORMATS)})") from error
        with image:
            check_size(name, image.width, image.height, max_pixels)
            if image.format == "JPEG" and image.info.get("progressive"):
                _check_scans(file, name)
            bounded.limit(READS, most)
            with turn(image.width * image.height):
                image.load()
                return _turn(_to_rgb(image, name), _orientation(image))


def _head_size(file: BinaryIO, most: int) -> int:
    """How many bytes may be read before the size of the picture is known."""
    whole = file.read(4) in _READ_WHOLE
    size = min(file.seek(0, io.SEEK_END) + MOST_HEAD, most) if whole else MOST_HEAD
    file.seek(0)
    return size


def _check_scans(file: BinaryIO, name: str) -> None:
    place = file.tell()
    file.seek(0)
    scans, last = 0, b""
    while scans <= MAX_SCANS:
        block = file.read(1 << 20)
        if not block:
            break
        scans += (last + block).count(b"\xff\xda")
        last = block[-1:]
    file.seek(place)
    if scans > MAX_SCANS:
        raise ImageFileError(f"{name!r} is a JPEG of more than {MAX_SCANS} scans, which would take very long to decode")


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    """By strips, so that beside the picture and the result hardly any memory is taken."""
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise ImageFileError(f"{name!r} has 32-bit pixels, whose white is not defined; save it with 8 or 16 bits")
    rows = max(1, STRIP // image.width)
    if rows >= image.height:
        return _strip_to_rgb(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = _strip_to_rgb(image.crop((0, top, image.width, bottom)))
    return pixels


def _strip_to_rgb(strip: Image.Image) -> np.ndarray:
    if strip.mode.startswith("I"):
        # Pillow's own conversion clips at 255; 65535 / 257 = 255 exactly.
        gray = np.rint(np.asarray(strip).astype(np.float32) / 257.0).clip(0, 255).astype(np.uint8)
        return np.repeat(gray[..., np.newaxis], 3, axis=2)
    if "transparency" in strip.info or strip.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip.convert("RGBA"))
    return np.array(strip if strip.mode == "RGB" else strip.convert("RGB"))


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


PICTURE_FORMATS = (
    Format(is_dicom, read_dicom),
    Format(is_nifti, read_nifti),
    Format(lambda _head, _name: True, _read_common),
)
