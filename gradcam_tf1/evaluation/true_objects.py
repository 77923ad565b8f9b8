"""Where the objects of a folder of images are: from files of boxes or masks to the region of a class. No TensorFlow."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.errors import OptionError, RegionError
from gradcam_tf1.evaluation.box_tables import read_box_table
from gradcam_tf1.evaluation.class_map import ClassMap, NetClasses, ids_of_names
from gradcam_tf1.evaluation.coco_boxes import read_coco
from gradcam_tf1.evaluation.object_records import ObjectRegion, ObjectsOfImage, TrueObject
from gradcam_tf1.evaluation.voc_boxes import read_voc
from gradcam_tf1.images.folder_listing import relative_to
from gradcam_tf1.images.folder_walk import FILE, walk
from gradcam_tf1.images.geometry import Size
from gradcam_tf1.images.image_files import ImageFile, list_images
from gradcam_tf1.run.listing import Listed
from gradcam_tf1.run.tables import by_name, listed, normal, of_same_names

UNKNOWN = "it is not known where the object is"


@dataclass(frozen=True)
class ImageObject:
    """The marked objects of one image, by class of the net.

    Attributes
    ----------
    found : ObjectsOfImage or None
        What is marked; None if nothing is known about the image.
    ids : mapping
        Name of an object -> class ids.
    size : tuple of int
        (height, width) of the upright image.
    """

    found: Optional[ObjectsOfImage] = None
    ids: Mapping[str, FrozenSet[int]] = field(default_factory=dict)
    size: Size = (0, 0)

    def locate(self, class_id: int) -> Optional[ObjectRegion]:
        """Return where the objects of a class are; None if there are none.

        Raises
        ------
        RegionError
            If the file of this image is damaged or does not fit the image.
        ImageFileError
            If a mask cannot be read.
        """
        if self.found is None:
            return None
        return self.found.locate({name for name, ids in self.ids.items() if class_id in ids}, self.size)

    def why_not(self, class_id: int) -> str:
        """Return why `locate` finds nothing, in a few words."""
        if self.found is None:
            return UNKNOWN
        return f"no object of class {class_id} is marked" if self.found.objects else "no object is marked"

    def best_class(self, scores: np.ndarray) -> Optional[int]:
        """Return the class with the highest score among those of the marked objects; None if they are no classes.

        Parameters
        ----------
        scores : np.ndarray
            Float [classes].

        Raises
        ------
        RegionError
            If the file of this image is damaged.
        """
        if self.found is not None and self.found.problem:
            raise RegionError(self.found.problem)
        names = {item.class_name for item in (self.found.objects if self.found else ())}
        ids = sorted({class_id for name in names if name is not None for class_id in self.ids.get(name, ())})
        return max(ids, key=lambda class_id: float(scores[class_id]), default=None)


@dataclass(frozen=True)
class TrueObjects:
    """The marked objects of a listing.

    Attributes
    ----------
    images : mapping
        Path of an image below the listed folder -> its objects.
    ids : mapping
        Name of an object -> class ids of the net.
    notes : tuple of str
        What did not fit, in sentences.
    files : tuple of str
        Paths that were read or will be.
    """

    images: Mapping[str, ObjectsOfImage] = field(repr=False)
    ids: Mapping[str, FrozenSet[int]] = field(default_factory=dict)
    notes: Tuple[str, ...] = ()
    files: Tuple[str, ...] = field(default=(), repr=False)

    def of(self, file: Listed, size: Size) -> ImageObject:
        """Return the objects of an image.

        Parameters
        ----------
        file : ImageSource or Clip
            Of the listing.
        size : tuple of int
            (height, width) of the image, upright.
        """
        return ImageObject(self.images.get(file.relative), self.ids, size)


@dataclass(frozen=True)
class ObjectFiles:
    """Which files say where the objects are, and how they are read.

    Attributes
    ----------
    boxes : str or None
        Folder of PASCAL VOC XML files named like the images, COCO .json file, or CSV file, see `read_box_table`.
    masks : str or None
        Folder of mask images named like the images; what is not black is the object, of any class.
    class_map : mapping, str or None
        See `ids_of_names`.
    difficult, crowd : bool
        Whether objects marked as difficult (VOC) and boxes around crowds (COCO) are used.

    Raises
    ------
    OptionError
        Unless one of boxes and masks is given.
    """

    boxes: Optional[str] = None
    masks: Optional[str] = None
    class_map: Union[ClassMap, str, None] = None
    difficult: bool = True
    crowd: bool = False

    def __post_init__(self) -> None:
        if (self.boxes is None) == (self.masks is None):
            raise OptionError("boxes and masks both say where the objects are; give one of them")


def read_true_objects(given: ObjectFiles, listing: Sequence[Listed], classes: NetClasses) -> TrueObjects:
    """Read the objects of all images of a listing.

    An XML file or mask belongs to the image of the same path or, if there is none, name, whatever the extension. A name
    in a COCO or CSV file is a path below the listed folder, a full path, or a file name that only one image has.

    Parameters
    ----------
    given : ObjectFiles
        The files.
    listing : sequence of ImageSource or Clip
        All images.
    classes : NetClasses
        Of the net.

    Returns
    -------
    TrueObjects

    Raises
    ------
    OptionError
        If a file that is about all images cannot be read, a name is that of several images, none is that of an image,
        or no object is a class of the net. A damaged file of one image is a problem of that image alone.
    """
    files: Sequence[str]
    if given.masks is not None:
        images, files, notes = _masks(given.masks, listing)
    elif os.path.isdir(os.path.expanduser(str(given.boxes))):
        images, files, notes = _voc_folder(str(given.boxes), listing, given.difficult)
    else:
        path = os.path.expanduser(str(given.boxes))
        found = read_coco(path, given.crowd) if path.lower().endswith(".json") else read_box_table(path)
        images, notes = _matched(path, found, listing)
        files = [path]
    names = {item.class_name for found in images.values() for item in found.objects if item.class_name is not None}
    ids, more = ids_of_names(names, classes, given.class_map) if names else ({}, [])
    problems = [found.problem for found in images.values() if found.problem]
    if problems:
        more = [*more, f"{len(problems)} images have files that cannot be read, the first: {problems[0]}"]
    if isinstance(given.class_map, (str, os.PathLike)):
        files = [*files, os.path.expanduser(given.class_map)]
    return TrueObjects(images, ids, (*notes, *more), tuple(files))


_Read = Tuple[Dict[str, ObjectsOfImage], List[str], List[str]]  # objects by image, files, notes


def _voc_folder(folder: str, listing: Sequence[Listed], difficult: bool) -> _Read:
    root = os.path.expanduser(folder)
    paths = [found.path for found in walk(root) if found.kind == FILE and found.path.lower().endswith(".xml")]
    matching = _one_each(folder, "XML files", [ImageFile(path, relative_to(path, root)) for path in paths], listing)
    images = {relative: read_voc(path, difficult) for relative, path in matching.items()}
    return images, list(matching.values()), _without(folder, images, listing)


def _masks(folder: str, listing: Sequence[Listed]) -> _Read:
    matching = _one_each(folder, "masks", list_images(folder), listing)
    images = {
        relative: ObjectsOfImage((TrueObject(None, mask=path),), source=repr(path))
        for relative, path in matching.items()
    }
    return images, list(matching.values()), _without(folder, images, listing)


def _one_each(folder: str, what: str, files: Sequence[ImageFile], listing: Sequence[Listed]) -> Dict[str, str]:
    """Return path of an image -> its file; refuse several for one, one for several, and none at all."""
    found = {file.relative: paths for file, paths in zip(listing, of_same_names(files, listing)) if paths}
    for relative, paths in found.items():
        if len(paths) > 1:
            raise OptionError(f"{folder!r} has {len(paths)} {what} for {relative!r}: {listed(paths)}; keep one")
    uses = Counter(paths[0] for paths in found.values())
    for path, count in uses.items():
        if count > 1:
            images = [relative for relative, paths in found.items() if paths[0] == path]
            raise OptionError(
                f"{path!r} has the name of {count} images, {listed(images)}; put it in a folder like that of its image"
            )
    if not found:
        raise OptionError(
            f"{folder!r} has {len(files)} {what}, none with the name of an image, such as "
            f"{os.path.splitext(listing[0].relative)[0] if listing else 'owl'!r}; name them like the images"
        )
    return {relative: paths[0] for relative, paths in found.items()}


def _matched(
    path: str, found: Mapping[str, ObjectsOfImage], listing: Sequence[Listed]
) -> Tuple[Dict[str, ObjectsOfImage], List[str]]:
    """Return image -> its objects, for a file with the names of images, and notes."""
    named = by_name(listing)
    alone = Counter(_last(name) for name in found)
    images: Dict[str, ObjectsOfImage] = {}
    names: Dict[str, str] = {}
    unknown = []
    for name, objects in found.items():
        files = named.get(normal(name), [])
        if not files and alone[_last(name)] == 1:
            files = named.get(_last(name), [])
        if len(files) > 1:
            raise OptionError(
                f"{path!r}: {name!r} is the name of {len(files)} images, {listed(file.relative for file in files)}; "
                "write the path below the listed folder"
            )
        if not files:
            unknown.append(name)
            continue
        relative = files[0].relative
        if relative in images:
            raise OptionError(
                f"{path!r}: {names[relative]!r} and {name!r} are both the image {relative!r}; keep one name"
            )
        images[relative], names[relative] = objects, name
    if not images:
        raise OptionError(f"{path!r} names none of the {len(listing)} images; its first names are {listed(found)}")
    notes = _without(path, images, listing)
    if unknown:
        notes.append(f"{path!r} names {len(unknown)} images that are not in the listing: {listed(unknown)}")
    return images, notes


def _without(path: str, images: Mapping[str, Any], listing: Sequence[Listed]) -> List[str]:
    missing = [file.relative for file in listing if file.relative not in images]
    return [f"{path!r} has nothing for {len(missing)} of {len(listing)} images: {listed(missing)}"] if missing else []


def _last(name: str) -> str:
    """Return the file name of a path of any system."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]
