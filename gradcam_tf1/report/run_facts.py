"""The page about the run: model, tensors and why, options, time, failures, doubts. No TensorFlow here."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from gradcam_tf1.images.own_outputs import MANIFEST_NAME, RUN_NAME
from gradcam_tf1.report.image_record import Record
from gradcam_tf1.run.manifest_lines import strict_json

_MOST = 1_000  # failures that are listed
_MOST_NOTES = 50  # different notes of maps that are listed; notes that differ by a number count as one
_DESCRIPTION = re.compile(r"Preprocessing\(description=(['\"])(.+?)\1")
_NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")

_Row = List[str]


class RunFacts:
    """Collects what is told about a run, image by image.

    Parameters
    ----------
    settings : mapping
        Of run.json.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._failures: List[Dict[str, str]] = []
        self._failed = self._images = self._missing = 0
        self._maps: Dict[Tuple[str, str], None] = {}  # methods and layers, in order
        self._empty: Counter[str] = Counter()
        self._notes: Dict[str, Counter[str]] = {}  # without its numbers -> as it stands, for the first few

    def add(self, record: Record) -> None:
        """Add an image."""
        self._images += 1
        self._missing += record["missing"] is not None
        if record["status"] == "error":
            self._failed += 1
            if len(self._failures) < _MOST:
                self._failures.append({"name": record["name"], "error": str(record["error"])})
        for map in (map for target in record["targets"] for map in target["maps"]):
            self._maps[map["method"], map["layer"]] = None
            self._empty[map["method"]] += map["status"] == "empty"
            for note in map["notes"]:
                self._add_note(note)

    def _add_note(self, note: str) -> None:
        kind = _NUMBER.sub("…", note)
        if kind in self._notes or len(self._notes) < _MOST_NOTES:
            same = self._notes.setdefault(kind, Counter())
            same[note if note in same or not same else kind] += 1

    @property
    def methods(self) -> List[str]:
        """The methods, in their order."""
        return list(dict.fromkeys(method for method, _ in self._maps))

    @property
    def layers(self) -> List[str]:
        """The layers, in their order, without that of methods of the input alone."""
        return list(dict.fromkeys(layer for _, layer in self._maps if layer))

    @property
    def complete(self) -> bool:
        """Whether the run has finished every image of its listing."""
        total, history = self.total, _history(self._settings)
        if history:
            return history[-1].get("complete") is True
        return total is not None and self._images >= total

    @property
    def total(self) -> Any:
        """Number of images of the listing; None if it is not known."""
        total = self._settings.get("images")
        return total if isinstance(total, int) else None

    def as_json(self, doubts: Sequence[str]) -> Record:
        """Return the entry `run` of the index; `doubts` are further sentences."""
        own = self._settings
        return {
            "sections": [
                {"title": title, "rows": rows}
                for title, rows in (
                    ("Images", self._counts()),
                    ("Model", _rows(own, ("model", "kind", "model_sha256", "moving_averages", "labels_sha256"))),
                    ("Tensors", _tensors(own)),
                    ("Pixel values", _pixel_values(own)),
                    ("What was explained", _rows(own, _REQUEST)),
                    ("How the maps were made", self._note_rows()),
                    ("Drawing and files", _rows(own, _DRAWING)),
                    ("Time and machine", _times(own)),
                    ("Versions", _rows(own, ("gradcam_tf1", "tensorflow"))),
                )
                if rows
            ],
            "failures": self._failures,
            "doubts": [*self._doubts(), *doubts],
            "files": [[name, f"../{name}"] for name in (MANIFEST_NAME, RUN_NAME)],
        }

    def _counts(self) -> List[_Row]:
        counts: Dict[str, Any] = {"finished": self._images, "failed": self._failed, "given": self.total}
        return [[name, _text(count), ""] for name, count in counts.items() if count is not None]

    def _note_rows(self) -> List[_Row]:
        """Return the notes of the maps, each with the number of maps that have it."""
        kinds = [
            (next(iter(same)) if len(same) == 1 else kind, sum(same.values())) for kind, same in self._notes.items()
        ]
        return [[f"maps: {count}", note, ""] for note, count in kinds]

    def _doubts(self) -> List[str]:
        warnings = self._settings.get("warnings")
        found = [str(warning) for warning in warnings] if isinstance(warnings, list) else []
        found += [f"empty maps of {method}: {count}" for method, count in self._empty.items() if count]
        if self._missing:
            found.append(f"originals that are gone: {self._missing}; what was drawn of them is shown in their place")
        if self._failed > len(self._failures):
            found.append(f"the first {len(self._failures)} of {self._failed} failed images are listed")
        return found


_REQUEST = (
    *("targets", "score", "methods", "options", "layers", "noise", "aug_smooth", "eigen_smooth", "fuse", "inputs"),
    *("n_images", "seed"),
)
_DRAWING = (
    *("colormap", "alpha", "style", "box", "bands", "share_scale", "heatmaps", "raw", "figures", "axes", "naming"),
    "image_format",
)


def _history(settings: Mapping[str, Any]) -> List[Mapping[str, Any]]:
    entries = settings.get("history")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _rows(settings: Mapping[str, Any], names: Sequence[str]) -> List[_Row]:
    shown = [(name, settings[name]) for name in names if settings.get(name) not in (None, [], {}, "", False)]
    return [[name.replace("_", " "), _text(value), ""] for name, value in shown]


def _with_reasons(settings: Mapping[str, Any], names: Sequence[str]) -> List[_Row]:
    reasons = _mapping(settings, "reasons")
    return [
        [label, value, _text(reasons.get(name, ""))] for name in names for label, value, _ in _rows(settings, (name,))
    ]


def _pixel_values(settings: Mapping[str, Any]) -> List[_Row]:
    preset = str(settings.get("preset"))
    described = _DESCRIPTION.match(preset)
    if preset == "None":  # not given: the graph shows it
        rows = [["preset", "", _text(_mapping(settings, "reasons").get("preprocessing", ""))]]
    else:
        rows = [["preset", described.group(2) if described else preset, ""]]
    return rows + _with_reasons(settings, ("fit", "size", "input_size", "channels", "window"))


def _tensors(settings: Mapping[str, Any]) -> List[_Row]:
    """Return the tensors with the reason why each was chosen."""
    reasons = _mapping(settings, "reasons")
    rows = _with_reasons(settings, ("input", "logits", "probabilities", "layer"))
    rows += [[f"feed {name}", _text(value), ""] for name, value in _mapping(settings, "feeds").items()]
    rows += [[name, "", _text(reasons[name])] for name in ("placement", "feeds") if reasons.get(name)]
    return rows


def _times(settings: Mapping[str, Any]) -> List[_Row]:
    rows: List[_Row] = []
    entries = _history(settings)
    for number, entry in enumerate(entries, 1):
        part = f"part {number}: " if len(entries) > 1 else ""
        rows += [[part + "began", _text(entry.get("began")), ""]]
        rows += [[part + "ended", _text(entry.get("ended") or "not yet, or it was killed"), ""]]
        rows += [[f"{part}{row[0]}", *row[1:]] for row in _rows(entry, _ENTRY)]
    return rows + _rows(settings, ("batch_size", "net_batch_size"))


_ENTRY = ("images", "images_per_second", "devices", "system", "cores", "python")


def _mapping(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = settings.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """Return a value of run.json for people."""
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) or item is None for item in value):
        return ", ".join("free" if item is None else str(item) for item in value)
    if isinstance(value, dict):
        value = {name: item for name, item in value.items() if item not in (None, False)}
    return value if isinstance(value, str) else strict_json(value)
