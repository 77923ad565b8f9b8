"""A run from a folder of images to a folder of results: list, read, fit, explain, draw, write.

Threads read and write images while the net explains a batch. The number of images in memory is bounded, and no map is
kept.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, Optional

from gradcam_tf1.atomic_files import remove_leftovers
from gradcam_tf1.drawing.figure_kinds import FigureMaker
from gradcam_tf1.drawing.image_formats import IMAGE_FORMATS
from gradcam_tf1.errors import OptionError, StoppedError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.images.window import make_window
from gradcam_tf1.run.batch_explainer import BatchExplainer
from gradcam_tf1.run.clip_runs import ClipWriter, clip_fitter
from gradcam_tf1.run.history import RunHistory
from gradcam_tf1.run.manifest import ManifestWriter
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.plan import Plan, PlannedImage, make_plan
from gradcam_tf1.run.reading import Reader, RunImage
from gradcam_tf1.run.replaced_formats import KEY, earlier_formats
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.results import Records, Results
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.run.settings import check_same
from gradcam_tf1.run.stages import Stages
from gradcam_tf1.run.worker_threads import check_threads
from gradcam_tf1.run.writing import Keep, MapWriter, write_explained

if TYPE_CHECKING:
    from gradcam_tf1.engine.bound_net import BoundNet

_LOG = logging.getLogger(__name__)


def visualize(
    net: BoundNet, imgs_path: Any, out_folder: str, request: RunRequest, keep: Optional[Keep] = None
) -> Results:
    """Explain every image of a folder and write what was found; see `GradCamGraph.visualize_imgs`.

    `keep` gets each image with its explanation before they are released.
    """
    run, style, started = request.run, request.style, time.monotonic()
    out_folder = as_folder(out_folder)
    plan = make_plan(net, imgs_path, out_folder, request)
    namer = Namer(run.naming, IMAGE_FORMATS[run.image_format].ending)
    is_clips = bool(net.binding.frame_order)
    replaced = earlier_formats(out_folder, run.image_format)
    if replaced:
        plan.settings[KEY] = list(replaced)
    writer = (ClipWriter if is_clips else MapWriter)(out_folder, namer, style, run.image_format, replaced)
    fit: Any = clip_fitter(net.fit_pixels) if is_clips else net.fit_pixels
    read_options = ReadOptions(net.channels_in, style.bands, make_window(run.window))
    methods = [] if request.methods is None else plan.request.methods
    figures = FigureMaker(net, plan.kinds, methods, request.layers, style)
    explainer = BatchExplainer(net.explainers, plan.request, figures, namer, out_folder)
    stages = Stages(
        Reader(fit, run.max_pixels, read_options, run.timeout, plan.further),
        explainer.explain,
        lambda image: write_explained(image, writer, keep),
        *(plan.batch_size, check_threads(run.threads), run.stop, explainer.devices),
    )
    os.makedirs(out_folder, exist_ok=True)
    with ManifestWriter(out_folder, run.resume, plan.batch_size) as manifest:
        history = _begin(net, manifest, out_folder, plan, run.resume)
        results = Records(manifest.read_back)
        lost: Dict[int, Result] = {}
        with closing(stages.run(_run_images(plan.items, namer, manifest.done(), lost))) as finished:
            for result in _recorded(finished, manifest, history, run.on_error, lost):
                results.append(result)
                if not result.ok:
                    _LOG.warning("%r failed: %s", result.relative, result.error)
                if run.progress is not None:
                    run.progress(result, plan.count)
        history.end(complete=not stages.stopped)
    counts = (len(results), len(results.failed))
    _LOG.info("%d images, %d failed, in %.1f s; results in %r", *counts, time.monotonic() - started, out_folder)
    warnings = (*plan.warnings, *explainer.notes)
    return Results(results, out_folder, manifest.path, warnings, not stages.stopped, plan.left_out)


def _begin(net: BoundNet, manifest: ManifestWriter, out_folder: str, plan: Plan, resume: bool) -> RunHistory:
    """Write run.json, or check it against the settings of a resumed run."""
    if resume:
        remove_leftovers(out_folder)
    if manifest.lines:
        check_same(out_folder, plan.settings)
    return RunHistory(out_folder, plan.settings, bool(manifest.lines), net.devices)


def _recorded(
    results: Iterator[Result], manifest: ManifestWriter, history: RunHistory, on_error: str, lost: Dict[int, Result]
) -> Iterator[Result]:
    """Yield the results after writing their lines; images whose files were `lost` have lines already.

    Raises StoppedError for a failed image if `on_error` is "stop", and OptionError if lost files are made differently.
    """
    for result in results:
        recorded = lost.pop(result.index, None)
        if recorded is not None and recorded.files != result.files:
            raise OptionError(
                f"the run cannot be resumed: outputs of {result.relative!r} are gone, and they differ now "
                f"({result.error or 'other files'}); run without resume to start again"
            )
        if result.index >= manifest.lines:
            if not result.ok and on_error == "stop":
                history.end(complete=False)
                raise StoppedError(
                    f"{result.error}; the run stops there after {result.index} finished images; resume to continue"
                )
            manifest.write(result)
            history.count()
        yield result


def _run_images(
    items: Iterable[PlannedImage], namer: Namer, done: Iterator[Result], lost: Dict[int, Result]
) -> Iterator[RunImage]:
    """Yield the images of the run, those finished in an earlier run with their results.

    Results whose files are missing or empty are added to `lost`, and their images run again. Raises OptionError if the
    finished images are not those of the listing.
    """
    for i, (file, row, further) in enumerate(items):
        finished = next(done, None)
        if finished is not None and finished.relative != file.relative:
            raise OptionError(
                f"the run cannot be resumed: image {i + 1} was {finished.relative!r}, now it is {file.relative!r}; "
                "choose another output folder, or run without resume to start again"
            )
        if finished is not None and not all(map(_has_content, finished.files)):
            lost[i], finished = finished, None
        yield RunImage(i, file, row, namer.stem(file.relative, i), done=finished, input_values=further)
    left = next(done, None)
    if left is not None:
        raise OptionError(
            f"the run cannot be resumed: the finished image {left.relative!r} is not listed any more; choose another "
            "output folder, or run without resume to start again"
        )


def _has_content(path: str) -> bool:
    """Return whether this is a file that is not empty."""
    return os.path.isfile(path) and os.path.getsize(path) > 0
