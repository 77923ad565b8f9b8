"""Values of further inputs that differ from image to image: tables, second images. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import GradCamError, ImageFileError, OptionError
from gradcam_tf1.images.bands import AS_PHOTOGRAPH, ReadOptions
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.image_files import list_images
from gradcam_tf1.images.image_source import image_file
from gradcam_tf1.run.input_tables import Column, read_input_table
from gradcam_tf1.run.tables import by_name, listed, normal, of_same_names, only_one


@dataclass(frozen=True)
class MissingValue:
    """There is no value for an image, which fails for that reason."""

    reason: str


@dataclass(frozen=True)
class ImageInput:
    """The value is an image. read: as of a `sources.Image`."""

    read: Callable[[int, ReadOptions], np.ndarray]


@dataclass(frozen=True)
class ComputedValue:
    """The value is what a function says of the image."""

    function: Callable[[Any], Any]
    file: Any


@dataclass(frozen=True)
class InputReader:
    """Makes of what was given for one image what goes into the net.

    fit: (image, name) -> Fitted, as `GradCamGraph.fit_image`. row: (name, value) -> the value as its tensor takes it.
    """

    fit: Callable[[np.ndarray, str], Fitted]
    row: Callable[[str, Any], np.ndarray]
    max_pixels: int

    def __call__(self, name: str, given: Any, wanted: ReadOptions = AS_PHOTOGRAPH) -> Any:
        """A Fitted, or an array. wanted: of image files.

        Raises: ImageFileError where this image has no value, or one that does not fit.
        """
        if isinstance(given, MissingValue):
            raise ImageFileError(given.reason)
        try:
            if isinstance(given, ImageInput):
                return self.fit(given.read(self.max_pixels, wanted), name)
            return self.row(name, given.function(given.file) if isinstance(given, ComputedValue) else given)
        except ImageFileError:
            raise
        except GradCamError as error:
            raise ImageFileError(str(error)) from error


def as_inputs(given: Any) -> Dict[str, Any]:
    """Tensor name -> its values: of a table, where its path was given. Raises: OptionError."""
    if given is None:
        return {}
    if isinstance(given, (str, os.PathLike)):
        return dict(read_input_table(os.path.expanduser(os.fspath(given))))
    if not isinstance(given, Mapping):
        raise OptionError(f"inputs is a mapping of tensor names to values, or the path of a table, not {given!r}")
    return dict(given)


def input_rows(inputs: Mapping[str, Any], listing: Sequence[Any]) -> List[Dict[str, Any]]:
    """For each image of the listing, tensor name -> what was given for it.

    inputs: tensor name -> the path of an image for all, or of a folder with images of the same names; a mapping of
    files (path below the listed folder, or name) to values, such as a `Column`; a function that is given each image
    of the listing; or a list or array of as many rows as there are images, in their order.
    Raises: OptionError where no image is named, or there are not as many rows; ImageFileError.
    """
    columns = {name: _column(name, values, listing) for name, values in inputs.items()}
    return [{name: column[n] for name, column in columns.items()} for n in range(len(listing))]


def _column(name: str, values: Any, listing: Sequence[Any]) -> List[Any]:
    if isinstance(values, (str, os.PathLike)):
        return _images(os.path.expanduser(os.fspath(values)), listing)
    if isinstance(values, Column):
        return _of_table(values.path, values.values, listing)
    if isinstance(values, Mapping):
        return _of_table(f"inputs[{name!r}]", {key: (0, value) for key, value in values.items()}, listing)
    if callable(values):
        return [ComputedValue(values, file) for file in listing]
    if np.ndim(values) == 0 or len(values) != len(listing):
        raise OptionError(
            f"inputs[{name!r}] is no row for each of the {len(listing)} images; give these, a mapping of files to "
            "values, a function of the image, or the path of an image or of a folder of the same names"
        )
    return list(values)


def _images(path: str, listing: Sequence[Any]) -> List[Any]:
    """One image for all, or those of a folder that have the same names."""
    files = list_images(path)
    if not os.path.isdir(path):
        if len(files) > 1:
            raise OptionError(f"{path!r} is {len(files)} images; give their folder, or one file")
        one = lru_cache(maxsize=1)(image_file(files[0].path, files[0].relative).read)
        return [ImageInput(one)] * len(listing)
    exact = {normal(file.relative): file.path for file in files}
    same = of_same_names(files, listing)
    return [_second(path, file, exact.get(normal(file.relative)), found) for file, found in zip(listing, same)]


def _second(folder: str, file: Any, exact: Optional[str], found: Sequence[str]) -> Any:
    paths = [exact] if exact is not None else list(found)
    if len(paths) != 1:
        what = f"has {len(paths)} images for {file.relative!r}: {listed(paths)}" if paths else (
            f"has no image for {file.relative!r}")  # fmt: skip
        return MissingValue(f"{folder!r} {what}")
    return ImageInput(image_file(paths[0], file.relative).read)


def _of_table(path: str, values: Mapping[str, Tuple[int, Any]], listing: Sequence[Any]) -> List[Any]:
    places = by_name(listing)
    found: Dict[str, Any] = {}
    for image, (number, value) in values.items():
        files = places.get(normal(image), [])
        only_one(path, number, image, files)
        for file in files:
            found[file.relative] = MissingValue(f"{path!r} has an empty cell for {image!r}") if value is None else value
    if not found:
        raise OptionError(
            f"{path!r} has a value for none of the {len(listing)} images, which are "
            f"{listed(file.relative for file in listing)}"
        )
    return [found.get(file.relative, MissingValue(f"{path!r} has no value for {file.relative!r}")) for file in listing]
