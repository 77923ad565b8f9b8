"""A run that makes its report on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcam_tf1.errors import StoppedError
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.report.report_folder import ReportFolder
from gradcam_tf1.report.run_recorder import RunRecorder
from gradcam_tf1.report.write_report import write_report
from gradcam_tf1.run.pipeline import visualize
from gradcam_tf1.run.results import Results
from gradcam_tf1.run.run_options import RunRequest

if TYPE_CHECKING:
    from gradcam_tf1.engine.bound_net import BoundNet


def visualize_with_report(net: BoundNet, imgs_path: Any, out_folder: str, request: RunRequest) -> Results:
    """Run as `visualize` does, and write the report at the end, also if the run stops at a failed image."""
    folder = as_folder(out_folder)
    report = ReportFolder(folder)
    report.check()
    recorder = RunRecorder(report, request.style, request.run.resume)
    try:
        results = visualize(net, imgs_path, folder, request, recorder)
    except StoppedError:
        write_report(folder, max_pixels=request.run.max_pixels)
        raise
    write_report(folder, max_pixels=request.run.max_pixels)
    return results
