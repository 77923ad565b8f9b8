"""Read boxes from PASCAL VOC's XML files, as data: no entities, no document types, nothing is fetched."""

from __future__ import annotations

from typing import Any, Dict, List
from xml.parsers import expat

from gradcam_tf1.errors import ImageFileError, OptionError, RegionError
from gradcam_tf1.evaluation.object_records import ObjectsOfImage, TrueObject, box_of, size_of
from gradcam_tf1.images.safe_open import open_regular

MAX_XML_BYTES = 4_000_000
_MAX_DEPTH = 16
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(path: str, difficult: bool = True) -> ObjectsOfImage:
    """Read one file: each `object` with its `name` and `bndbox`.

    The numbers are those of PASCAL VOC: pixels from 1, xmax and ymax included. Parts of objects are left out.

    Parameters
    ----------
    path : str
        The XML file.
    difficult : bool
        Whether objects that are marked as difficult are used.

    Returns
    -------
    ObjectsOfImage
        With a `problem` where the file cannot be read.
    """
    try:
        with open_regular(path, "an XML file") as file:
            data = file.read(MAX_XML_BYTES + 1)
        if len(data) > MAX_XML_BYTES:
            raise OptionError(f"is larger than {MAX_XML_BYTES:,} bytes")
        tree = _Tree(data)
        found = [_object(item) for item in tree.objects if difficult or item.get("difficult", "0") in ("", "0")]
    except ImageFileError as error:
        return ObjectsOfImage((), source=path, problem=str(error))
    except OptionError as error:
        return ObjectsOfImage((), source=path, problem=f"{path!r} {error}")
    return ObjectsOfImage(tuple(found), size_of(tree.size.get("height"), tree.size.get("width")), repr(path))


def _object(item: Dict[str, str]) -> TrueObject:
    if not item.get("name") or not all(side in item for side in _SIDES):
        raise OptionError("has an object without a name or a complete bndbox (xmin, ymin, xmax, ymax)")
    left, top, right, bottom = (item[side] for side in _SIDES)
    try:
        return TrueObject(item["name"], box_of(left, top, right, bottom, first=1))
    except (OptionError, RegionError) as error:
        raise OptionError(f"is damaged: {error}") from error


class _Tree:
    """The texts of an annotation that count: of each object and of the size.

    Python's expat fetches nothing. Document types are refused, so that there are no entities to expand.
    """

    def __init__(self, data: bytes) -> None:
        self.objects: List[Dict[str, str]] = []
        self.size: Dict[str, str] = {}
        self._path: List[str] = []
        self._text: List[str] = []
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding that Python lacks
            if isinstance(error, OptionError):
                raise
            raise OptionError(f"is not XML: {error}") from error

    @staticmethod
    def _refuse(*_: Any) -> None:
        raise OptionError("has a document type, which an annotation does not need; remove the line <!DOCTYPE ...>")

    def _start(self, name: str, _attributes: Dict[str, str]) -> None:
        self._path.append(name)
        self._text.clear()
        if len(self._path) > _MAX_DEPTH:
            raise OptionError(f"is nested more than {_MAX_DEPTH} deep")
        if self._path[1:] == ["object"]:
            self.objects.append({})

    def _end(self, name: str) -> None:
        text = "".join(self._text).strip()
        parents = self._path[1:-1]
        if parents in (["object"], ["object", "bndbox"]):
            self.objects[-1].setdefault(name, text)
        elif parents == ["size"]:
            self.size.setdefault(name, text)
        self._path.pop()
        self._text.clear()
