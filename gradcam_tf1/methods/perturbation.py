"""Methods that ask the net about changed pictures or changed features, without any gradient."""

from __future__ import annotations

from typing import Any

from gradcam_tf1.methods.ablation import ablation_runs, ablationcam
from gradcam_tf1.methods.families import IteratedMethod
from gradcam_tf1.methods.occlusion import occlusion, occlusion_runs, rise, rise_runs
from gradcam_tf1.methods.scorecam import fasterscorecam, iscam, scorecam, scorecam_runs, sscam


def _of_layer(name: str, summary: str, paper: str, compute: Any, runs: Any, **more: Any) -> IteratedMethod:
    return IteratedMethod(name, summary, paper, compute, uses_layer=True, rectified=True, runs=runs, **more)


_SCORECAM = "https://arxiv.org/abs/1910.01279"
_FASTER = "https://github.com/tabayashi0117/Score-CAM"
_ABLATION = "https://doi.org/10.1109/WACV45572.2020.9093360"
_OCCLUSION = "https://arxiv.org/abs/1311.2901"
_RISE = "https://arxiv.org/abs/1806.07421"

PERTURBATION_ROWS = (
    _of_layer("scorecam", "channels weighed by what the net sees through them", _SCORECAM, scorecam, scorecam_runs),
    _of_layer("fasterscorecam", "Score-CAM of the most varied channels", _FASTER, fasterscorecam, scorecam_runs),
    _of_layer("sscam", "Score-CAM averaged over noise", "https://arxiv.org/abs/2006.14255", sscam, scorecam_runs),
    _of_layer("iscam", "Score-CAM averaged from nothing on", "https://arxiv.org/abs/2010.03023", iscam, scorecam_runs),
    _of_layer(
        "ablationcam",
        "channels weighed by what their absence costs",
        _ABLATION,
        ablationcam,
        ablation_runs,
        unit="forward passes from the layer on",
    ),
    IteratedMethod("occlusion", "what hiding a window costs", _OCCLUSION, occlusion, runs=occlusion_runs),
    IteratedMethod("rise", "what random masks leave of the score", _RISE, rise, runs=rise_runs),
)
