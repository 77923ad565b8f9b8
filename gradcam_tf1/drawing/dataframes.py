"""Tables of pandas, which is optional: one row for each map."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Sequence

from gradcam_tf1.drawing.detected_box import DETECTION_COLUMNS, detection_values
from gradcam_tf1.errors import OptionError

MAP_COLUMNS = (
    *("image", "target", "class_id", "label", "about", "score", "probability", "predicted"),
    *DETECTION_COLUMNS,
    *("method", "layer", "status", "reason", "minimum", "maximum", "notes", "failure"),
)


def dataframe(rows: Iterable[Dict[str, Any]], columns: Sequence[str], whole: Sequence[str]) -> Any:
    """Return a pandas.DataFrame.

    Parameters
    ----------
    rows : iterable of dict
        Column -> value; a column that is left out is missing in that row.
    columns : sequence of str
        All columns, in order.
    whole : sequence of str
        Those that hold whole numbers, of which some may be missing.

    Raises
    ------
    OptionError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise OptionError("to_dataframe needs pandas; install it with: pip install pandas") from error
    frame = pandas.DataFrame(list(rows), columns=list(columns))
    return frame.astype(dict.fromkeys(whole, "Int64"))


def map_values(map: Any, predicted: int, failure: str) -> Dict[str, Any]:
    """Return the row of a Map; `predicted` and `failure` are those of its image."""
    details = map.details
    return {
        "image": map.n,
        "target": map.t,
        "class_id": map.class_id,
        "label": map.label,
        "about": map.about,
        "score": map.score,
        "probability": map.probability,
        "predicted": predicted,
        **detection_values(map.detection),
        "method": map.method,
        "layer": map.layer,
        "status": details.state,
        "reason": details.reason,
        "minimum": details.minimum,
        "maximum": details.maximum,
        "notes": "\n".join(details.notes),
        "failure": failure,
    }
