"""Results as rows: of a table in a notebook, and of a pandas.DataFrame."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, Optional

import numpy as np

from gradcam_tf1.drawing.detected_box import DETECTION_COLUMNS, detection_values
from gradcam_tf1.drawing.notebook_view import ROWS, ViewRow, class_text, number, share, table
from gradcam_tf1.errors import GradCamError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.result import MapRecord, Result, TargetRecord

RESULT_COLUMNS = (
    *("index", "relative", "source", "height", "width", "predicted", "target", "class_id", "label", "about"),
    *("score", "probability", *DETECTION_COLUMNS),
    *("method", "layer", "status", "reason", "minimum", "maximum", "peak_frame", "peak_row"),
    *("peak_column", "box_top", "box_left", "box_bottom", "box_right", "notes", "files"),
)
WHOLE_COLUMNS = tuple(
    name
    for name in RESULT_COLUMNS
    if name in ("height", "width", "predicted", "target", "class_id", "anchor") or name.startswith(("peak_", "box_"))
)
_VIEW_COLUMNS = ("image", "class", "score", "probability", "status", "method", "layer")
_SHOWN = ("overlay", "pixels")  # kinds of files, see `MapRecord.files`; those of clips have the frame number behind


def result_values(result: Result) -> Iterator[Dict[str, Any]]:
    """Yield a row for each map of an image; one row with the error for an image that failed."""
    height, width = result.size or (None, None)
    image = {
        "index": result.index,
        "relative": result.relative,
        "source": result.source,
        "height": height,
        "width": width,
        "predicted": result.predicted if result.ok else None,
    }
    if not result.ok:
        yield {**image, "status": "error", "reason": result.error}
    for t, target in enumerate(result.targets):
        for record in target.maps:
            yield {**image, "target": t, **_target_values(target), **_record_values(record)}


def _target_values(target: TargetRecord) -> Dict[str, Any]:
    names = ("class_id", "label", "about", "score", "probability")
    return {**{name: getattr(target, name) for name in names}, **detection_values(target.detection)}


def _record_values(record: MapRecord) -> Dict[str, Any]:
    names = ("method", "layer", "status", "reason", "minimum", "maximum")
    values = {name: getattr(record, name) for name in names}
    peak = dict(zip(("peak_column", "peak_row", "peak_frame"), reversed(record.peak or ())))
    box = dict(zip(("box_top", "box_left", "box_bottom", "box_right"), record.box or ()))
    return {**values, **peak, **box, "notes": "\n".join(record.notes), "files": record.files}


def results_table(title: str, count: int, results: Iterable[Result]) -> str:
    """Return an HTML table of the first maps of some results.

    Parameters
    ----------
    title : str
        A line above the table.
    count : int
        The number of results.
    results : iterable of Result
        The results. What cannot be read back ends the table with a row that says why.
    """
    rows, shown = [], 0
    try:
        for result in results:
            rows += list(_view_rows(result))
            shown += 1
            if len(rows) >= ROWS:
                break
    except (GradCamError, OSError) as error:
        rows.append(ViewRow(None, str(error), ()))
    left = [f"{count - shown} more images"] if shown < count else []
    left += [f"{len(rows) - ROWS} more maps of the last one"] if len(rows) > ROWS else []
    more = f"... and {', '.join(left)}: see the files, or to_dataframe()" if left else ""
    return table(title, _VIEW_COLUMNS, rows[:ROWS], more)


def _view_rows(result: Result) -> Iterator[ViewRow]:
    name = readable(result.relative)
    if not result.ok:
        yield ViewRow(None, "no map", (name, "", "", "", f"error: {readable(result.error)}", "", ""))
    for target in result.targets:
        for record in target.maps:
            status = f"{record.status}: {record.reason}" if record.reason else record.status
            told = (class_text(target.class_id, target.label, target.about), number(target.score))
            cells = (name, *told, share(target.probability), status, record.method, record.layer)
            yield _with_image(record, cells)


def _with_image(record: MapRecord, cells: Any) -> ViewRow:
    """Read the drawn map back, if it is still there."""
    path = next((path for kind, path in record.files.items() if kind.split(".")[0] in _SHOWN), None)
    if path is None:
        return ViewRow(None, "no image was written", cells)
    try:
        pixels: Optional[np.ndarray] = read_image(path)
    except (GradCamError, OSError) as error:
        return ViewRow(None, readable(str(error)), cells)
    return ViewRow(pixels, record.method, cells)
