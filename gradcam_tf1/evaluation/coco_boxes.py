"""Read boxes from a COCO file: images, annotations and categories in one JSON file. No TensorFlow here."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping

from gradcam_tf1.errors import ImageFileError, OptionError, RegionError
from gradcam_tf1.evaluation.object_records import ObjectsOfImage, TrueObject, box_of, size_of
from gradcam_tf1.images.safe_open import open_regular

MAX_JSON_BYTES = 500_000_000
_MOST_PIXELS = 2**31
_FORM = '{"images": [{"id", "file_name"}], "annotations": [{"image_id", "category_id", "bbox"}], "categories": [...]}'


def read_json(path: str, most: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON file of a bounded size.

    Raises
    ------
    OptionError
        If it cannot be read, is larger than `most` bytes, or is not JSON.
    """
    try:
        with open_regular(path, "a JSON file") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise OptionError(f"{path!r} is larger than {most:,} bytes; keep the images that are evaluated")
        return json.loads(data.decode("utf-8-sig"))
    except ImageFileError as error:
        raise OptionError(str(error)) from error
    except RecursionError as error:
        raise OptionError(f"{path!r} is nested too deeply") from error
    except ValueError as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(f"{path!r} is not JSON in UTF-8: {error}") from error


def read_coco(path: str, crowd: bool = False) -> Dict[str, ObjectsOfImage]:
    """Read a file in the form of COCO's instances.

    `bbox` is [left, top, width, height] in pixels from 0. Segmentations are not read.

    Parameters
    ----------
    path : str
        The JSON file.
    crowd : bool
        Whether boxes around crowds (`iscrowd`) are used; they hold several objects and what is between them.

    Returns
    -------
    dict
        `file_name` -> objects, for every image of the file; with a `problem` where a box has no pixels.

    Raises
    ------
    OptionError
        If the file cannot be read or has another form; the message names the annotation.
    """
    content = read_json(path)
    parts = [
        content.get(part) if isinstance(content, dict) else None for part in ("images", "annotations", "categories")
    ]
    if not all(isinstance(part, list) and all(isinstance(item, dict) for item in part) for part in parts):
        raise OptionError(f"{path!r} is not a COCO file, which has the form {_FORM}")
    images, annotations, categories = parts
    names = {_key(item.get("id")): item.get("name") for item in categories or []}
    if not all(isinstance(name, str) and name.strip() for name in names.values()):
        raise OptionError(f"{path!r} has a category without a name")
    objects: Dict[Any, List[TrueObject]] = {_key(image.get("id")): [] for image in images or []}
    if len(objects) < len(images or []):
        raise OptionError(f"{path!r} has two images with one id; give each its own")
    problems: Dict[Any, str] = {}
    for number, item in enumerate(annotations or []):
        if crowd or not item.get("iscrowd"):
            try:
                objects[_key(item.get("image_id"))].append(_object(item, names))
            except KeyError as error:
                raise OptionError(f"{path!r}, annotation {number}: no image or category has the id {error}") from error
            except RegionError as error:
                problems.setdefault(_key(item.get("image_id")), f"{path!r}, annotation {number}: {error}")
            except OptionError as error:
                raise OptionError(f"{path!r}, annotation {number}: {error}") from error
    return _by_file(path, images or [], objects, problems)


def _by_file(
    path: str, images: List[Dict[str, Any]], objects: Mapping[Any, List[TrueObject]], problems: Mapping[Any, str]
) -> Dict[str, ObjectsOfImage]:
    found: Dict[str, ObjectsOfImage] = {}
    for image in images:
        name = image.get("file_name")
        if not isinstance(name, str) or not name.strip():
            raise OptionError(f"{path!r} has an image without a file_name")
        if name in found:
            raise OptionError(f"{path!r} has two images with the file_name {name!r}; keep one")
        size = size_of(image.get("height"), image.get("width"))
        key = _key(image.get("id"))
        source = f"{path!r}, image {name!r}"
        found[name] = ObjectsOfImage(tuple(objects[key]), size, source, problems.get(key, ""))
    return found


def _object(item: Mapping[str, Any], names: Mapping[Any, str]) -> TrueObject:
    name, box = names[_key(item.get("category_id"))], item.get("bbox")
    numbers = isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))
    if not isinstance(box, list) or not numbers:
        raise OptionError("bbox is not [left, top, width, height] in pixels")
    left, top, width, height = box
    if width < 0 or height < 0:
        raise OptionError(f"the box {box} (left, top, width, height) has no pixels")
    return TrueObject(name.strip(), box_of(left, top, left + width, top + height))


def _is_number(side: Any) -> bool:
    return type(side) in (int, float) and abs(side) < _MOST_PIXELS  # neither bool, nor NaN, nor too large to be added


def _key(value: Any) -> Any:
    """Return an id that can be looked up: a number or a text."""
    return value if isinstance(value, (int, str)) else repr(value)[:40]
