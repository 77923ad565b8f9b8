"""Read image files with Pillow: JPEG, PNG, GIF and others of 8 bits, and 16-bit gray."""

from __future__ import annotations

import io
from typing import BinaryIO, Dict, Tuple, Union

import numpy as np
from PIL import Image, UnidentifiedImageError

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.frame_sizes import check_first
from gradcam_tf1.images.memory_turns import turn
from gradcam_tf1.images.pillow_limits import HEAD_READS, MOST_HEAD, READS, Bounded, check_file_scans, strict_pillow
from gradcam_tf1.images.safe_open import MAX_BYTES, MOST_BYTES, check_size
from gradcam_tf1.images.samples import Samples, as_wanted

# Pillow is limited to these formats: one of its other readers runs Ghostscript on the content of the file.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
STRIP = 1 << 20  # pixels converted at a time
# Pillow reads WebP as a whole; TIFF may have Photoshop's layers among its tags
_READ_WHOLE = (b"RIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG = ("JPEG", "MPO")  # MPO holds several images, of which the first is read
# number of bands of Pillow's modes; other modes are colours or gray
_BANDS = {"L": 1, "1": 1, "LA": 2, "RGB": 3, "RGBA": 4, "RGBX": 4, "RGBa": 4}

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


def read_common(file: BinaryIO, name: str, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """Read the first image in a file; raise ImageFileError or Pillow's errors."""
    most = max(MAX_BYTES, MOST_BYTES * max_pixels)
    bounded = Bounded(file, name, HEAD_READS, head_size(file, most))
    with strict_pillow():
        try:
            check_first(bounded, name, max_pixels)
            bounded.limit(HEAD_READS, head_size(file, most))
            image = Image.open(bounded, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise ImageFileError(f"{name!r} is not an image in a known format ({', '.join(FORMATS)})") from error
        with image:
            check_size(name, image.width, image.height, max_pixels)
            if image.format in _JPEG:
                check_file_scans(file, name, image.width * image.height)
            bounded.limit(READS, most)
            with turn(image.width * image.height):
                image.load()
                return turned(_by_strips(image, name, wanted), _orientation(image))


def head_size(file: Union[BinaryIO, Bounded], most: int) -> int:
    """Return the number of bytes that may be read before the size of the image is known."""
    whole = file.read(4) in _READ_WHOLE
    size = min(file.seek(0, io.SEEK_END) + MOST_HEAD, most) if whole else MOST_HEAD
    file.seek(0)
    return size


def _by_strips(image: Image.Image, name: str, wanted: ReadOptions) -> np.ndarray:
    """Convert strip by strip, so that little memory is taken besides the image and the result."""
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise ImageFileError(f"{name!r} has 32-bit pixels, whose white is not defined; save it with 8 or 16 bits")
    rows = max(1, STRIP // image.width)
    if rows >= image.height:
        return _strip(image, name, wanted)
    first = _strip(image.crop((0, 0, image.width, rows)), name, wanted)
    pixels = np.empty((image.height, *first.shape[1:]), first.dtype)
    pixels[:rows] = first
    for top in range(rows, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = _strip(image.crop((0, top, image.width, bottom)), name, wanted)
    return pixels


def _strip(strip: Image.Image, name: str, wanted: ReadOptions) -> np.ndarray:
    if strip.mode.startswith("I"):
        # Pillow's own conversion clips at 255
        gray = np.asarray(strip).clip(0, 65_535).astype(np.uint16)[..., np.newaxis]
        return as_wanted(Samples(gray, name, (0.0, 65_535.0)), wanted, "gray")
    clear = "transparency" in strip.info
    if wanted.many and clear and strip.mode in ("P", "RGB"):
        strip, clear = strip.convert("RGBA"), False
    if wanted.fits(_BANDS.get(strip.mode, 3), name):
        bands = np.array(strip.convert("RGBA") if strip.mode == "RGBa" else strip)
        return bands if bands.ndim == 3 else bands[..., np.newaxis]
    if clear or strip.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip.convert("RGBA"))
    return np.array(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation that is still to be applied, 1 = upright; a damaged EXIF block counts as 1."""
    if image.format == "TIFF":
        return 1  # Pillow rotates TIFF itself while loading, and in some versions keeps the tag
    try:
        orientation: int = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - the pixels are intact, and a damaged EXIF block raises nearly any exception
        return 1
    return orientation


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate and flip [H, W, channels] upright; `orientation` is EXIF's and TIFF's number, 1..8."""
    if orientation not in _TURNS:
        return pixels
    swap, up_down, left_right = _TURNS[orientation]
    if swap:
        pixels = pixels.transpose(1, 0, 2)
    return np.ascontiguousarray(pixels[:: -1 if up_down else 1, :: -1 if left_right else 1])
