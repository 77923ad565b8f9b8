"""Read the rows that a cluster wrote as Parquet, image by image. They are a stranger's data: every row is checked."""

from __future__ import annotations

import json
import os
from itertools import groupby, takewhile
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.drawing.stored_placements import BadField, unpack_placements
from gradcam_tf1.errors import ManifestError, OptionError
from gradcam_tf1.images.file_names import Seen
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.images.image_source import ImageSource, lost_image
from gradcam_tf1.run.manifest import DAMAGE
from gradcam_tf1.run.manifest_lines import result_of
from gradcam_tf1.run.result import Result
from gradcam_tf1.spark.row_columns import COLUMNS, LATER_COLUMNS, SETTINGS_KEY, raw_map
from gradcam_tf1.types import Cells

_ROWS = 64  # read at a time
_SPARK_SCHEMA = b"org.apache.spark.sql.parquet.row.metadata"
_ARROW_TYPES = {"string": "string", "long": "int64", "double": "double", "binary": "binary"}
Row = Dict[str, Any]


def is_rows_folder(folder: Any) -> bool:
    """Return whether this is a folder with Parquet files."""
    return os.path.isdir(folder) and any(name.endswith(".parquet") for name in os.listdir(folder))


class StoredRows:
    """The rows of a folder of Parquet files.

    Parameters
    ----------
    folder : str
        What `explain_images` wrote, or a part of it that Spark wrote: rows may be left out, columns not.

    Attributes
    ----------
    settings : dict
        As run.json has them.

    Raises
    ------
    OptionError
        If pyarrow is not installed, or the folder holds other data.
    """

    def __init__(self, folder: str) -> None:
        try:
            from pyarrow import ArrowException, dataset
        except ImportError as error:
            raise OptionError("the rows of a cluster are Parquet files: pip install 'gradcam_tf1[spark]'") from error
        self.folder = folder
        self._damaged = (ArrowException, OSError)
        try:
            self._data = dataset.dataset(folder, format="parquet")
        except self._damaged as error:
            raise OptionError(f"{folder!r} is not a folder of Parquet files ({error})") from error
        self.settings = self._settings()
        self._paths = list(dict.fromkeys(row["path"] for row in self._rows(["path"])))
        if not all(isinstance(path, str) for path in self._paths):
            raise ManifestError(f"{folder}: a row without the path of its image")
        self._common = _common(self._paths)

    def _settings(self) -> Dict[str, Any]:
        """Return the settings in the metadata, after a check of the columns."""
        schema = self._data.schema
        for name, kind in COLUMNS.items():
            wanted = _arrow_name(kind)
            found = str(schema.field(name).type).split("<")[0] if name in schema.names else "missing"
            if found != wanted and not (found == "missing" and name in LATER_COLUMNS):
                raise OptionError(
                    f"{self.folder!r} holds no rows of explain_images: its column {name} is {found}, not {wanted}; "
                    "give the folder that `gradcam-tf1 spark` wrote, with all columns"
                )
        try:
            fields = json.loads((schema.metadata or {})[_SPARK_SCHEMA].decode("utf-8"))["fields"]
            own = next(item["metadata"][SETTINGS_KEY] for item in fields if item["name"] == "path")
            settings = json.loads(own)
        except (KeyError, StopIteration, TypeError, ValueError, RecursionError):
            settings = None
        if not isinstance(settings, dict):
            raise OptionError(
                f"the Parquet files of {self.folder!r} have no settings in the metadata of the column path; select the "
                "columns of explain_images without renaming them"
            )
        return settings

    def _rows(self, columns: Optional[List[str]] = None) -> Iterator[Row]:
        known = columns and [name for name in columns if name in self._data.schema.names]
        try:
            for batch in self._data.to_batches(columns=known, batch_size=_ROWS):
                yield from batch.to_pylist()
        except self._damaged as error:
            raise ManifestError(f"{self.folder}: a Parquet file is damaged ({error})") from error

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._paths)

    def listing(self) -> Iterator[ImageSource]:
        """Yield the images, which are not read, in the order of the files."""
        for path in self._paths:
            yield lost_image(local_path(path), path[len(self._common) :], "is not read here")

    def images_rows(self, drawn: bool = True) -> Iterator[Tuple[Result, List[Row]]]:
        """Yield each image as a Result whose maps have no files, with its rows, in the order of the files.

        `relative` is the path below the folder in which all images are.

        Parameters
        ----------
        drawn : bool
            Whether the rows have the drawn images, which are most of the bytes.

        Raises
        ------
        ManifestError
            If a row is not one that `explain_images` wrote, or those of an image are not together.
        """
        columns = [name for name in COLUMNS if drawn or name not in ("map", "overlay")]
        seen = Seen()
        for path, group in groupby(self._rows(columns), lambda row: row["path"]):
            rows = list(group)
            if not seen.add(path):
                raise ManifestError(
                    f"{self.folder}: the rows of {path!r} are not together; sort by path and target before writing"
                )
            if len({(row["target"], row["method"], row["layer"]) for row in rows}) < len(rows):
                raise ManifestError(f"{self.folder}: {path!r} was explained twice; keep one, or give each image a path")
            try:
                result = _result(rows, path[len(self._common) :])
            except DAMAGE as error:
                raise ManifestError(f"{self.folder}: not the rows of an image, {path!r} ({error})") from error
            yield result, rows


def _arrow_name(kind: Any) -> str:
    return "list" if isinstance(kind, Mapping) else _ARROW_TYPES[kind]


def _common(paths: List[str]) -> str:
    """Return the folder in which all files are, with a slash at its end; "" where there is none."""
    folders = sorted(path.rpartition("/")[0].split("/") for path in paths)
    shared = zip(folders[0], folders[-1]) if folders else ()
    return "".join(f"{part}/" for part, _ in takewhile(lambda pair: pair[0] == pair[1], shared))


def local_path(path: str) -> str:
    """Return the path of a file: URI; other URIs as they are."""
    return path[len("file:") :] if path.startswith("file:/") and not path.startswith("file://") else path


def _result(rows: List[Row], relative: str) -> Result:
    """Return the result that the rows of an image describe, by way of a line of a manifest."""
    first = rows[0]
    line = {
        **{"source": local_path(first["path"]), "relative": relative, "error": None, "figures": {}},
        "size": None if first["height"] is None else [first["height"], first["width"]],
        **{"predicted": first["predicted"], "top": [], "targets": []},
    }
    if first["status"] == "error":
        return result_of({**line, "error": first["error"] or "unknown"}, 0, "")
    groups = groupby(sorted(rows, key=lambda row: int(row["target"])), lambda row: row["target"])
    targets = [_target(list(group)) for _, group in groups]
    return result_of({**line, "top": json.loads(first["top"]), "targets": targets}, 0, "")


def _target(rows: List[Row]) -> Dict[str, Any]:
    """Return the target of a line of a manifest."""
    of_map = ("method", "layer", "status", "minimum", "maximum", "peak", "box")
    told: List[Row] = [{"reason": row["reason"] or "", "notes": row["notes"] or (), "files": {}} for row in rows]
    maps = [{**{name: row[name] for name in of_map}, **more} for row, more in zip(rows, told)]
    of_target = ("class_id", "label", "score", "probability")
    values = {**{name: rows[0][name] for name in of_target}, "about": rows[0]["about"] or "", "maps": maps}
    if rows[0].get("detection") is None:
        return values
    found = {"box": rows[0]["detection"], "confidence": rows[0]["confidence"], "anchor": rows[0]["anchor"]}
    return {**values, "detection": found}


def stored_map(row: Row) -> Tuple[np.ndarray, Placement, Optional[Cells]]:
    """Return the raw map of a row, float32 [h, w] or [H, W, C], its placement, and its cells.

    Raises
    ------
    ManifestError
        If the columns do not fit together.
    """
    try:
        values = raw_map(row["raw"], row["raw_shape"], row["raw_scale"])
        placed = unpack_placements("image", np.array([row["placement"]], np.int64))[0]
        placed.check(None, [])
        cells = row["cells"]
        return values, placed.record, None if cells is None else Cells((cells[0], cells[1]), (cells[2], cells[3]))
    except (BadField, *DAMAGE) as error:
        raise ManifestError(f"{row['path']!r}: its raw map is damaged ({error})") from error
