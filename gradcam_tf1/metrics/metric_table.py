"""The table of all metrics."""

from __future__ import annotations

from typing import Dict

from gradcam_tf1.metrics.confidence import CONFIDENCE_ROWS
from gradcam_tf1.metrics.deletion_curves import CURVE_ROWS
from gradcam_tf1.metrics.metric_row import Metric

_ROWS = (
    *CONFIDENCE_ROWS,
    *CURVE_ROWS,
)

METRICS: Dict[str, Metric] = {row.name: row for row in _ROWS}
