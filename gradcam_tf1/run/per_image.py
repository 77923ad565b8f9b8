"""Targets that differ from image to image: from a table of classes or a folder of masks. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.errors import OptionError, RegionError
from gradcam_tf1.images.image_files import list_images, read_image
from gradcam_tf1.run.listing import Listed
from gradcam_tf1.run.tables import as_class_id, by_name, listed, normal, of_same_names, only_one, read_table
from gradcam_tf1.targets import Anchor, ClassSpec, Detections, Region

IMAGE_HEADERS = ("image", "file", "filename", "file_name", "path", "picture", "photo", "relative", "source")
CLASS_HEADERS = ("class", "label", "class_id", "classid", "target", "id")


@dataclass(frozen=True)
class PerImage:
    """Targets of each image: its classes, then the `further` targets.

    Attributes
    ----------
    class_file : str or None
        CSV file of image and class, see `read_class_file`; None for the same `classes` for every image.
    masks : str or None
        Folder with a mask for each image, of the same name up to the extension, or one mask file for all. Each class
        becomes a Region inside the mask.
    classes : sequence
        Class ids or names; None for the top class.
    further : sequence
        Further targets, the same for every image.
    wrap : Region, Anchor, Detections or None
        Each class is explained inside this region, at this anchor or for these detections.
    """

    class_file: Optional[str] = None
    masks: Optional[str] = None
    classes: Sequence[ClassSpec] = (None,)
    further: Sequence[Any] = ()
    wrap: Union[Region, Anchor, Detections, None] = None

    @property
    def files(self) -> List[str]:
        """Paths of the class file and of the masks."""
        masks = [] if self.masks is None else [mask.path for mask in list_images(self.masks)]
        return [*([] if self.class_file is None else [self.class_file]), *masks]

    def __call__(self, listing: Sequence[Listed]) -> List[List[Any]]:
        """Return one row of targets per image. Raises OptionError naming the images that a file lacks."""
        specs = [list(self.classes)] * len(listing)
        if self.class_file is not None:
            specs = read_class_file(self.class_file, listing)
        wraps = [self.wrap] * len(listing)
        if self.masks is not None:
            wraps = [Region(mask=mask) for mask in find_masks(self.masks, listing)]
        return [[*(put(wrap, spec) for spec in row), *self.further] for wrap, row in zip(wraps, specs)]


def put(wrap: Union[Region, Anchor, Detections, None], spec: ClassSpec) -> Union[Region, Anchor, Detections, ClassSpec]:
    """Return a copy of the region, anchor or detections with this class, or the class itself without one."""
    return spec if wrap is None else replace(wrap, class_spec=spec)


def read_class_file(path: str, listing: Sequence[Listed]) -> List[List[ClassSpec]]:
    """Read the classes of each image from a CSV file.

    The columns (separated by comma, semicolon or tab) are image and class id or name. With a header they may be in any
    position. An image is its path below the listed folder, or its file name if no other image has it. An image may have
    several lines.

    Parameters
    ----------
    path : str
        The CSV file.
    listing : sequence of ImageSource or Clip
        The images to explain.

    Returns
    -------
    list of list
        The classes of each image, in the order of the listing.

    Raises
    ------
    OptionError
        If a line has no image or class, or if an image has no line.
    """
    classes: Dict[str, List[ClassSpec]] = {}
    named = by_name(listing)
    for number, image, spec in image_classes(path):
        files = named.get(normal(image), [])
        only_one(path, number, image, files)
        for file in files:
            classes.setdefault(file.relative, []).append(spec)
    missing = [file.relative for file in listing if file.relative not in classes]
    if missing:
        raise OptionError(
            f"{path!r} has no class for {len(missing)} of {len(listing)} images: {listed(missing)}; add a line for each"
        )
    return [classes[file.relative] for file in listing]


def image_classes(path: str) -> List[Tuple[int, str, Union[int, str]]]:
    """Return (line number, image, class id or name) of every line below the header of a CSV file.

    Raises
    ------
    OptionError
        If a line has no image or class, or there is no line.
    OSError
        If the file cannot be read.
    """
    rows = read_table(path)
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    image, spec = 0, 1
    if any(cell in IMAGE_HEADERS for cell in header) and any(cell in CLASS_HEADERS for cell in header):
        image = next(i for i, cell in enumerate(header) if cell in IMAGE_HEADERS)
        spec = next(i for i, cell in enumerate(header) if cell in CLASS_HEADERS)
        rows = rows[1:]
    pairs: List[Tuple[int, str, Union[int, str]]] = []
    for number, row in rows:
        cells = [row[column].strip() if column < len(row) else "" for column in (image, spec)]
        if not all(cells):
            raise OptionError(f"{path!r}, line {number}: expected an image and a class, got {','.join(row)!r}")
        class_id = as_class_id(cells[1])
        pairs.append((number, cells[0], cells[1] if class_id is None else class_id))
    if not pairs:
        raise OptionError(f"{path!r} has no lines; write an image and a class in each, as in owl.jpg,24")
    return pairs


@dataclass(frozen=True)
class MaskFile:
    """A mask image, read when it is used. Pixels at least half as bright as the brightest one are inside."""

    path: str

    @property
    def files(self) -> List[str]:
        """Path of the mask."""
        return [self.path]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        brightness = read_image(self.path).max(axis=2)
        if not brightness.any():
            raise RegionError(f"the mask {self.path!r} is black everywhere; make the region white")
        inside: np.ndarray = brightness >= brightness.max() / 2
        return inside.astype(np.float32 if dtype is None else dtype)


def find_masks(path: str, listing: Sequence[Listed]) -> List[MaskFile]:
    """Return the mask of each image: of the same path below the folder, or of the same name, with any extension.

    Parameters
    ----------
    path : str
        Folder of masks, or one mask for all images.
    listing : sequence of ImageSource or Clip
        The images to explain.

    Raises
    ------
    ImageFileError
        If there is no mask at all.
    OptionError
        If an image has no mask, or several.
    """
    masks = list_images(path)
    if not os.path.isdir(os.path.expanduser(path)):
        if len(masks) > 1:
            raise OptionError(f"{path!r} is {len(masks)} masks; give their folder, or one file")
        return [MaskFile(masks[0].path)] * len(listing)
    matching = of_same_names(masks, listing)
    missing = [file.relative for file, paths in zip(listing, matching) if not paths]
    if missing:
        raise OptionError(f"{path!r} has no mask for {len(missing)} of {len(listing)} images: {listed(missing)}")
    for paths in matching:
        if len(paths) > 1:
            raise OptionError(f"{path!r} has {len(paths)} masks of one name: {listed(paths)}; keep one")
    return [MaskFile(paths[0]) for paths in matching]
