"""The table of all metrics."""

from __future__ import annotations

from typing import Dict

from gradcam_tf1.metrics.adcc import ADCC_ROW
from gradcam_tf1.metrics.compactness import COMPACTNESS_ROWS
from gradcam_tf1.metrics.confidence import CONFIDENCE_ROWS
from gradcam_tf1.metrics.deletion_curves import CURVE_ROWS
from gradcam_tf1.metrics.infidelity import INFIDELITY_ROW
from gradcam_tf1.metrics.localisation import LOCALISATION_ROWS
from gradcam_tf1.metrics.max_sensitivity import MAX_SENSITIVITY_ROW
from gradcam_tf1.metrics.metric_row import Metric
from gradcam_tf1.metrics.road import ROAD_ROWS
from gradcam_tf1.metrics.subset_correlation import CORRELATION_ROWS

_ROWS = (
    *CONFIDENCE_ROWS,
    *CURVE_ROWS,
    *ROAD_ROWS,
    *CORRELATION_ROWS,
    INFIDELITY_ROW,
    MAX_SENSITIVITY_ROW,
    *COMPACTNESS_ROWS,
    ADCC_ROW,
    *LOCALISATION_ROWS,
)

METRICS: Dict[str, Metric] = {row.name: row for row in _ROWS}
