"""Objects that people marked in an image: records of boxes and masks, and where they are. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Collection, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError, RegionError
from gradcam_tf1.images.geometry import Box, Size
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.safe_open import open_regular
from gradcam_tf1.images.window import Window

_MOST_PIXELS = 2**31 - 1
_AS_STORED = Window(stored=True)
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class TrueObject:
    """One object that people have marked in an image.

    Attributes
    ----------
    class_name : str or None
        As it is written in the file; None for a mask without a class, which belongs to any class.
    box : tuple of int or None
        (top, left, bottom, right) in pixels of the upright image, from 0, the last two exclusive.
    mask : str
        Path of a mask image, read when it is used; "" for an object with a box.
    """

    class_name: Optional[str]
    box: Optional[Box] = None
    mask: str = ""


@dataclass(frozen=True)
class ObjectRegion:
    """The objects of one class on an image.

    Attributes
    ----------
    boxes : tuple
        Their boxes inside the image; () for masks.
    region : np.ndarray
        bool [H, W]: the union of the boxes or masks.
    clipped : int
        Number of boxes that reached beyond the image and were cut at its border.
    """

    boxes: Tuple[Box, ...]
    region: np.ndarray
    clipped: int = 0


@dataclass(frozen=True)
class ObjectsOfImage:
    """All objects of one image.

    Attributes
    ----------
    objects : tuple of TrueObject
        The objects, maybe none.
    size : tuple of int or None
        (height, width) of the image according to the file; None where it says nothing.
    source : str
        Where this was read, for messages.
    problem : str
        A sentence on why the file of this image cannot be used; "" if it can.
    """

    objects: Tuple[TrueObject, ...]
    size: Optional[Size] = None
    source: str = ""
    problem: str = ""

    def locate(self, names: Collection[str], size: Size) -> Optional[ObjectRegion]:
        """Return where the objects of these names are.

        Parameters
        ----------
        names : collection of str
            Names of objects as the file has them: those that mean the explained class.
        size : tuple of int
            (height, width) of the image as it was explained, upright.

        Returns
        -------
        ObjectRegion or None
            None if the image has no such object.

        Raises
        ------
        RegionError
            If the file is about an image of another size, is damaged, or a box or mask does not fit the image.
        ImageFileError
            If a mask cannot be read.
        """
        if self.problem:
            raise RegionError(self.problem)
        chosen = [item for item in self.objects if item.class_name is None or item.class_name in names]
        if not chosen:
            return None
        _check_size(self.size, size, self.source)
        region = np.zeros(size, bool)
        boxes, clipped = [], 0
        for item in chosen:
            if item.box is None:
                region |= _read_mask(item.mask, size)
                continue
            top, left, bottom, right = box = _inside(item.box, size, self.source)
            region[top:bottom, left:right] = True
            clipped += box != item.box
            boxes.append(box)
        return ObjectRegion(tuple(boxes), region, clipped)


def box_of(left: Any, top: Any, right: Any, bottom: Any, first: int = 0) -> Box:
    """Return the pixels that a box covers: those with their centre inside.

    Parameters
    ----------
    left, top, right, bottom : number or str
        Edges in pixels, `first` being the left or upper edge of the image.
    first : int
        1 where pixels count from 1 and the last ones are included, as in PASCAL VOC.

    Raises
    ------
    OptionError
        If one is not a number, or all are shares of the image.
    RegionError
        If the box has no pixels.
    """
    given = f"the box {_short((left, top, right, bottom))} (left, top, right, bottom)"
    try:
        sides = float(left), float(top), float(right), float(bottom)
    except (TypeError, ValueError, OverflowError) as error:
        raise OptionError(f"{given} has sides that are no numbers") from error
    if not all(abs(side) < _MOST_PIXELS for side in sides):  # neither NaN nor infinite
        raise OptionError(f"{given} has sides that are no numbers of pixels")
    if all(0 <= side <= 1 for side in sides) and any(side not in (0, 1) for side in sides):
        raise OptionError(f"{given} has shares of the image; multiply by its width and height, for pixels")
    edges = sides[0] - first, sides[1] - first, *sides[2:]
    start, begin, stop, end = (int(np.floor(edge + 0.5)) for edge in edges)
    if stop <= start or end <= begin:
        raise RegionError(f"{given} has no pixels")
    return begin, start, end, stop


def size_of(height: Any, width: Any) -> Optional[Size]:
    """Return the size of an image as a file states it; None where it states none, such as 0 x 0."""
    try:
        sides = int(float(height)), int(float(width))
    except (TypeError, ValueError, OverflowError):
        return None
    return sides if min(sides) > 0 else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


def _check_size(stated: Optional[Size], size: Size, source: str) -> None:
    """Raise RegionError if a file is about an image of another size than the one that was explained."""
    if stated is None or stated == size:
        return
    kinds = (
        f"{source} is about an image of {stated[1]}x{stated[0]}",
        f"this one is {size[1]}x{size[0]} (width x height)",
    )
    if stated == size[::-1]:
        raise RegionError(
            f"{kinds[0]}, {kinds[1]}: the image is turned upright by its EXIF orientation, the boxes are not; "
            "save the image upright without the orientation, and mark it again"
        )
    raise RegionError(f"{kinds[0]}, {kinds[1]}; give the images that were marked")


def _inside(box: Box, size: Size, source: str) -> Box:
    """Return the part of a box on the image."""
    top, left, bottom, right = max(box[0], 0), max(box[1], 0), min(box[2], size[0]), min(box[3], size[1])
    if bottom <= top or right <= left:
        raise RegionError(
            f"{source}: the box {box} (top, left, bottom, right) lies outside the image of {size[1]}x{size[0]} "
            "(width x height); give the images that were marked"
        )
    return top, left, bottom, right


def _is_transparent(path: str) -> bool:
    """Return whether an image has a band of opacity, and is not opaque everywhere."""
    for channels in (2, 4):
        try:
            bands = read_image(path, channels=channels)
        except ImageFileError:  # another number of bands; a damaged file is told when the mask itself is read
            continue
        return bool(bands[..., -1].min() < 255)
    return False


def _read_mask(path: str, size: Size) -> np.ndarray:
    """Return where a mask image is not black: bool [H, W]. In a JPEG file, gray that its compression made is black."""
    if _is_transparent(path):
        raise RegionError(
            f"the mask {path!r} has transparent pixels, so it does not say what is the object; save it without "
            "transparency, and black where the object is not"
        )
    values = read_image(path, window=_AS_STORED).max(axis=2)
    with open_regular(path) as file:
        compressed = file.read(len(_JPEG)) == _JPEG
    inside: np.ndarray = values > (values.max() / 2 if compressed else 0)
    if inside.shape != size:
        raise RegionError(
            f"the mask {path!r} has {inside.shape[1]}x{inside.shape[0]} pixels, the image {size[1]}x{size[0]} "
            "(width x height); give a mask of the image's size"
        )
    if not inside.any():
        raise RegionError(f"the mask {path!r} is black everywhere; it marks no object")
    return inside
