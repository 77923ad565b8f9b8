"""Targets that differ from image to image: a table of classes, a folder of masks. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError, RegionError
from gradcam_tf1.images.image_files import ImageFile, list_images, read_image
from gradcam_tf1.run.tables import by_name, listed, normal, of_same_names, only_one, read_table
from gradcam_tf1.targets import ClassSpec, Region

_IMAGE_HEADERS = ("image", "file", "filename", "file_name", "path", "picture", "photo", "relative", "source")
_CLASS_HEADERS = ("class", "label", "class_id", "classid", "target", "id")


@dataclass(frozen=True)
class PerImage:
    """A row of targets for each image of a listing: its classes, `further` ones behind them.

    class_file: CSV of image and class, see `read_class_file`; without it every image is asked about `classes`.
    masks: folder with a mask image of the same stem for each image, or one mask for all; each class becomes a
    Region. wrap: a Region or Anchor into which each class is put.
    """

    class_file: Optional[str] = None
    masks: Optional[str] = None
    classes: Sequence[ClassSpec] = (None,)
    further: Sequence[Any] = ()
    wrap: Any = None

    @property
    def files(self) -> List[str]:
        """Paths of the class file and the masks."""
        masks = [] if self.masks is None else [mask.path for mask in list_images(self.masks)]
        return [*([] if self.class_file is None else [self.class_file]), *masks]

    def __call__(self, listing: Sequence[ImageFile]) -> List[List[Any]]:
        """The rows. Raises: OptionError naming the images that a file leaves out."""
        specs = [list(self.classes)] * len(listing)
        if self.class_file is not None:
            specs = read_class_file(self.class_file, listing)
        wraps = [self.wrap] * len(listing)
        if self.masks is not None:
            wraps = [Region(mask=mask) for mask in find_masks(self.masks, listing)]
        return [[*(put(wrap, spec) for spec in row), *self.further] for wrap, row in zip(wraps, specs)]


def put(wrap: Any, spec: ClassSpec) -> Any:
    """The Region or Anchor with this class in it; without one the class itself."""
    return spec if wrap is None else replace(wrap, class_spec=spec)


def read_class_file(path: str, listing: Sequence[ImageFile]) -> List[List[ClassSpec]]:
    """The classes of each image, in the order of the listing; an image may have several lines.

    The file: CSV (comma, semicolon or tab) of image and class, id or name; with a header the columns may be others.
    An image is its path from the listed folder, or its file name where only one image has it.
    Raises: OptionError naming the line that is no such pair, and the images that are not in the file.
    """
    pairs = _pairs(path)
    found: Dict[str, List[ClassSpec]] = {}
    places = by_name(listing)
    for number, image, spec in pairs:
        files = places.get(normal(image), [])
        only_one(path, number, image, files)
        for file in files:
            found.setdefault(file.relative, []).append(spec)
    missing = [file.relative for file in listing if file.relative not in found]
    if missing:
        raise OptionError(f"{path!r} has no class for {len(missing)} of {len(listing)} images: {listed(missing)}")
    return [found[file.relative] for file in listing]


def _pairs(path: str) -> List[Tuple[int, str, ClassSpec]]:
    """(line, image, class) of every filled line below the header."""
    rows = read_table(path)
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    image, spec = 0, 1
    if any(cell in _IMAGE_HEADERS for cell in header) and any(cell in _CLASS_HEADERS for cell in header):
        image = next(i for i, cell in enumerate(header) if cell in _IMAGE_HEADERS)
        spec = next(i for i, cell in enumerate(header) if cell in _CLASS_HEADERS)
        rows = rows[1:]
    pairs: List[Tuple[int, str, ClassSpec]] = []
    for number, row in rows:
        cells = [row[at].strip() if at < len(row) else "" for at in (image, spec)]
        if not all(cells):
            raise OptionError(f"{path!r}, line {number}: expected an image and a class, got {','.join(row)!r}")
        pairs.append((number, cells[0], int(cells[1]) if cells[1].isdecimal() else cells[1]))
    if not pairs:
        raise OptionError(f"{path!r} has no lines of image and class")
    return pairs


@dataclass(frozen=True)
class MaskFile:
    """A mask image that is read when it is asked for: what is at least half as bright as its brightest is inside."""

    path: str

    @property
    def files(self) -> List[str]:
        """Its path."""
        return [self.path]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        brightness = read_image(self.path).max(axis=2)
        if not brightness.any():
            raise RegionError(f"the mask {self.path!r} is black everywhere")
        return (brightness >= brightness.max() / 2).astype(np.float32 if dtype is None else dtype)


def find_masks(path: str, listing: Sequence[ImageFile]) -> List[MaskFile]:
    """The mask of each image: of the same path below the folder, or of the same name, whatever the extension.

    Raises: ImageFileError where there is none at all; OptionError naming the images without one.
    """
    masks = list_images(path)
    if not os.path.isdir(os.path.expanduser(path)):
        if len(masks) > 1:
            raise OptionError(f"{path!r} is {len(masks)} masks; give their folder, or one file")
        return [MaskFile(masks[0].path)] * len(listing)
    found = of_same_names(masks, listing)
    missing = [file.relative for file, paths in zip(listing, found) if not paths]
    if missing:
        raise OptionError(f"{path!r} has no mask for {len(missing)} of {len(listing)} images: {listed(missing)}")
    for paths in found:
        if len(paths) > 1:
            raise OptionError(f"{path!r} has {len(paths)} masks of one name: {listed(paths)}")
    return [MaskFile(paths[0]) for paths in found]
