"""The true class of each image: the name of its folder, or a line of a CSV file. No TensorFlow here."""

from __future__ import annotations

import difflib
import os
from abc import ABC, abstractmethod
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set

from gradcam_tf1.errors import OptionError
from gradcam_tf1.labels import Labels
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.per_image import image_classes
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.tables import as_class_id, by_name, listed, normal, only_one

FOLDERS = "folders"


class TrueClass(NamedTuple):
    """The true class of an image: how it is shown, and its id if the net has it."""

    text: str
    class_id: Optional[int]


class ClassNames:
    """Finds classes by their names or ids.

    Parameters
    ----------
    settings : mapping
        Of run.json.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        names = settings.get("class_names")
        self.names = [str(name) for name in names] if isinstance(names, list) else None
        self._labels = Labels(self.names or [])
        self._ids: Dict[str, Set[int]] = {}
        for class_id, name in enumerate(self.names or []):
            for synonym in {name, *name.split(",")}:
                self._ids.setdefault(_plain(synonym), set()).add(class_id)

    def find(self, text: str) -> Optional[int]:
        """Return the id of a class; None if there is none.

        Raises
        ------
        OptionError
            If several classes have this name, or a number is both an id and the name of another class.
        """
        named = self._ids.get(_plain(text), set())
        class_id = as_class_id(text)
        known = class_id is not None and (self.names is None or class_id < len(self.names))
        numbered = {class_id} if class_id is not None and known else set()
        found = sorted(named | numbered)
        if len(found) > 1:
            shown = ", ".join(f"{class_id} {self.shown(class_id, '')!r}" for class_id in found)
            raise OptionError(f"{text!r} may be several classes: {shown}; write the full name of one")
        return found[0] if found else None

    def shown(self, class_id: Optional[int], text: str) -> str:
        """Return the name of a class, or the text it was given as."""
        return text if class_id is None or self.names is None else self._labels.name(class_id)

    def hint(self, text: str) -> str:
        """Return what is possible in place of an unknown name."""
        if self.names is None:
            return "the run has no class names, so give class ids, or run again with --labels"
        near = difflib.get_close_matches(_plain(text), self._ids, 3, 0.6)
        similar = f"similar names: {', '.join(near)}" if near else f"the first names are {listed(self.names[:3])}"
        return f"{similar}; or give a class id from 0 to {len(self.names) - 1}"


class Truth(ABC):
    """The true classes of a run's images.

    Attributes
    ----------
    source : str
        Where they come from, for people.
    """

    source: str

    @abstractmethod
    def of(self, result: Result) -> Optional[TrueClass]:
        """Return the true class of an image; None if it is not known."""

    @abstractmethod
    def doubts(self) -> List[str]:
        """Return sentences on what did not fit, after all images. Raises OptionError if nothing fitted."""


class FolderTruth(Truth):
    """The class of an image is the name of the folder that it lies in."""

    source = "folder names"

    def __init__(self, names: ClassNames) -> None:
        self._names = names
        self._found: Dict[str, Optional[int]] = {}
        self._without = 0

    def of(self, result: Result) -> Optional[TrueClass]:
        """Return the class of the folder; it has no id if the folder is not named like a class."""
        folder = os.path.basename(os.path.dirname(normal(result.relative)))
        if not folder:
            self._without += 1
            return None
        if folder not in self._found:
            self._found[folder] = self._names.find(readable(folder))
        class_id = self._found[folder]
        return TrueClass(self._names.shown(class_id, readable(folder)), class_id)

    def doubts(self) -> List[str]:
        """See `Truth`."""
        unknown = [readable(folder) for folder, class_id in self._found.items() if class_id is None]
        if len(unknown) == len(self._found) and (unknown or self._without):
            what = f"the folders are {listed(unknown)}" if unknown else "the images lie in no folder"
            hint = self._names.hint(unknown[0] if unknown else "")
            raise OptionError(
                f"no folder of the images is named like a class: {what}; {hint}; or give a CSV file of image and class"
            )
        sentences = [f"folders that are not named like a class: {listed(unknown)}"] if unknown else []
        return [*sentences, *([f"images that lie in no folder: {self._without}"] if self._without else [])]


class TableTruth(Truth):
    """The class of an image is in the line of a CSV file with its path or name.

    Parameters
    ----------
    path : str
        The file.
    names : ClassNames
        Of the net.
    results : iterable of Result
        The images of the run; only their paths are kept.

    Raises
    ------
    OptionError
        If the file or a line does not fit; names the line.
    OSError
        If the file cannot be read.
    """

    def __init__(self, path: str, names: ClassNames, results: Iterable[Result]) -> None:
        self.source = os.path.basename(path)
        self._classes: Dict[str, TrueClass] = {}
        self._without = 0
        lines: Dict[str, int] = {}
        images: Any = [_ImageName(result.relative, result.source) for result in results]
        named = by_name(images)
        for number, image, spec in image_classes(path):
            true = _true_class(path, number, str(spec), names)
            files = named.get(normal(image), [])
            only_one(path, number, image, files)
            for file in files:
                earlier = self._classes.setdefault(file.relative, true)
                if earlier != true:
                    raise OptionError(
                        f"{path!r}, line {number}: {image!r} is {true.text!r}, but {earlier.text!r} in line "
                        f"{lines[file.relative]}; keep one"
                    )
                lines.setdefault(file.relative, number)
        if images and not self._classes:
            raise OptionError(
                f"no line of {path!r} names an image of the run, whose images are "
                f"{listed(image.relative for image in images)}"
            )

    def of(self, result: Result) -> Optional[TrueClass]:
        """Return the class in the line of the image."""
        true = self._classes.get(result.relative)
        self._without += true is None
        return true

    def doubts(self) -> List[str]:
        """See `Truth`."""
        return [f"images without a line in {self.source}: {self._without}"] if self._without else []


class _ImageName(NamedTuple):
    relative: str
    path: str


def _true_class(path: str, number: int, text: str, names: ClassNames) -> TrueClass:
    try:
        class_id = names.find(text)
    except OptionError as error:
        raise OptionError(f"{path!r}, line {number}: {error}") from error
    if class_id is None:
        raise OptionError(f"{path!r}, line {number}: no class is named {text!r}; {names.hint(text)}")
    return TrueClass(names.shown(class_id, text), class_id)


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())
