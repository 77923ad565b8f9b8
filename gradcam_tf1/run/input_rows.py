"""Values of further inputs for each image: from tables, image files, functions. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.errors import GradCamError, ImageFileError, OptionError
from gradcam_tf1.images.bands import AS_PHOTOGRAPH, ReadOptions
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.image_files import list_images
from gradcam_tf1.images.image_source import image_file
from gradcam_tf1.run.input_tables import Column, read_input_table
from gradcam_tf1.run.listing import Listed
from gradcam_tf1.run.tables import by_name, listed, normal, of_same_names, only_one


@dataclass(frozen=True)
class MissingValue:
    """An image without a value. It fails with this reason."""

    reason: str


@dataclass(frozen=True)
class ImageInput:
    """A value that is an image.

    Attributes
    ----------
    read : callable
        `ImageSource.read` of the image.
    """

    read: Callable[[int, ReadOptions], np.ndarray]


@dataclass(frozen=True)
class ComputedValue:
    """A value that a function computes from the image to explain."""

    function: Callable[[Listed], Any]
    file: Listed


@dataclass(frozen=True)
class InputReader:
    """Converts the values of one image to what the net takes.

    Attributes
    ----------
    fit : callable
        (image, name) -> Fitted, as `GradCamGraph.fit_image`.
    row : callable
        (name, value) -> the value in the shape and dtype of its tensor.
    max_pixels : int
        Larger image files are refused.
    """

    fit: Callable[[np.ndarray, str], Fitted]
    row: Callable[[str, Any], np.ndarray]
    max_pixels: int

    def __call__(self, name: str, value: Any, read_options: ReadOptions = AS_PHOTOGRAPH) -> Union[Fitted, np.ndarray]:
        """Convert the value of one image.

        Parameters
        ----------
        name : str
            Name of the tensor.
        value : MissingValue, ImageInput, ComputedValue or any
            The value, see `input_rows`.
        read_options : ReadOptions
            How image files are read.

        Raises
        ------
        ImageFileError
            If the image has no value, or one that does not fit.
        """
        if isinstance(value, MissingValue):
            raise ImageFileError(value.reason)
        try:
            if isinstance(value, ImageInput):
                return self.fit(value.read(self.max_pixels, read_options), name)
            return self.row(name, value.function(value.file) if isinstance(value, ComputedValue) else value)
        except ImageFileError:
            raise
        except GradCamError as error:
            raise ImageFileError(str(error)) from error


def as_inputs(inputs: Any) -> Dict[str, Any]:
    """Return the values by tensor name, read from a table if `inputs` is its path. Raises OptionError."""
    if inputs is None:
        return {}
    if isinstance(inputs, (str, os.PathLike)):
        return dict(read_input_table(os.path.expanduser(os.fspath(inputs))))
    if not isinstance(inputs, Mapping):
        raise OptionError(f"inputs is a mapping of tensor names to values, or the path of a table, not {inputs!r}")
    return dict(inputs)


def input_rows(inputs: Mapping[str, Any], listing: Sequence[Listed]) -> List[Dict[str, Any]]:
    """Return the values of further inputs for each image.

    Parameters
    ----------
    inputs : mapping
        Tensor name -> one of: the path of an image for all, or of a folder with an image of the same name for each; a
        mapping of files (path below the listed folder, or name) to values, such as a `Column`; a function of the
        ImageSource; a list or array with one row per image, in the order of the listing.
    listing : sequence of ImageSource or Clip
        The images to explain.

    Returns
    -------
    list of dict
        Tensor name -> value, per image.

    Raises
    ------
    OptionError
        If a mapping names none of the images, or if the number of rows is wrong.
    ImageFileError
        If a path has no images.
    """
    columns = {name: _column(name, values, listing) for name, values in inputs.items()}
    return [{name: column[n] for name, column in columns.items()} for n in range(len(listing))]


def _column(name: str, values: Any, listing: Sequence[Listed]) -> List[Any]:
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
            f"inputs[{name!r}] is not one row for each of the {len(listing)} images; give these, a mapping of files to "
            "values, a function of the image, or the path of an image or of a folder of images with the same names"
        )
    return list(values)


def _images(path: str, listing: Sequence[Listed]) -> List[Union[ImageInput, MissingValue]]:
    """Return one image file for all images, or the files of a folder with the same names."""
    files = list_images(path)
    if not os.path.isdir(path):
        if len(files) > 1:
            raise OptionError(f"{path!r} is {len(files)} images; give their folder, or one file")
        read = lru_cache(maxsize=1)(image_file(files[0].path, files[0].relative).read)
        return [ImageInput(read)] * len(listing)
    exact = {normal(file.relative): file.path for file in files}
    by_stem = of_same_names(files, listing)
    return [_matching(path, file, exact.get(normal(file.relative)), paths) for file, paths in zip(listing, by_stem)]


def _matching(
    folder: str, file: Listed, exact: Optional[str], same_stem: Sequence[str]
) -> Union[ImageInput, MissingValue]:
    """Return the file of the same path, or else the only one with the same path or name up to its extension."""
    paths = [exact] if exact is not None else list(same_stem)
    if not paths:
        return MissingValue(f"{folder!r} has no image for {file.relative!r}")
    if len(paths) > 1:
        return MissingValue(f"{folder!r} has {len(paths)} images for {file.relative!r}: {listed(paths)}")
    return ImageInput(image_file(paths[0], file.relative).read)


def _of_table(path: str, values: Mapping[str, Tuple[int, Any]], listing: Sequence[Listed]) -> List[Any]:
    """Return the value of each image from image name -> (line, value)."""
    named = by_name(listing)
    by_image: Dict[str, Any] = {}
    for image, (number, value) in values.items():
        files = named.get(normal(image), [])
        only_one(path, number, image, files)
        missing = MissingValue(f"{path!r} has an empty cell for {image!r}")
        by_image.update({file.relative: missing if value is None else value for file in files})
    if not by_image:
        raise OptionError(
            f"{path!r} has no value for any of the {len(listing)} images, which are "
            f"{listed(file.relative for file in listing)}"
        )
    return [
        by_image.get(file.relative, MissingValue(f"{path!r} has no value for {file.relative!r}")) for file in listing
    ]
