"""Folder in, folder out: list, read, fit, explain, draw, write.

Images are read and written by threads while the net is busy with a batch; of all three there is only so much at a
time, and no map is kept.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any, Dict, Iterable, Iterator

from gradcam_tf1.atomic_files import remove_leftovers
from gradcam_tf1.drawing.figure_kinds import FigureMaker
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.errors import OptionError, StoppedError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.window import make_window
from gradcam_tf1.run.batch_explainer import BatchExplainer
from gradcam_tf1.run.clip_runs import ClipWriter, clip_fitter
from gradcam_tf1.run.manifest import ManifestWriter, write_run
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.plan import Plan, make_plan
from gradcam_tf1.run.reading import Reader, RunImage
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.results import Records, Results
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.run.settings import check_same
from gradcam_tf1.run.stages import Stages
from gradcam_tf1.run.worker_threads import check_threads
from gradcam_tf1.run.writing import MapWriter, write_explained


def visualize(net: BoundNet, imgs_path: Any, out_folder: str, request: RunRequest) -> Results:
    """Explain every image of a folder and write what was found; see `GradCamGraph.visualize_imgs`."""
    run, style = request.run, request.style
    out_folder = _as_folder(out_folder)
    plan = make_plan(net, imgs_path, out_folder, request)
    namer = Namer(run.naming)
    of_clips = bool(net.binding.frame_order)
    writer = (ClipWriter if of_clips else MapWriter)(out_folder, namer, style)
    fit: Any = clip_fitter(net.fit_pixels) if of_clips else net.fit_pixels
    wanted = ReadOptions(net.channels_in, style.bands, make_window(run.window))
    methods = [] if request.methods is None else plan.request.methods
    figures = FigureMaker(net, plan.kinds, methods, request.layers, style)
    explainer = BatchExplainer(net.explainers, plan.request, figures, namer, out_folder)
    stages = Stages(
        Reader(fit, run.max_pixels, wanted, run.timeout, plan.further),
        explainer.explain,
        lambda answer: write_explained(answer, writer),
        *(plan.batch_size, check_threads(run.threads), run.stop, explainer.devices),
    )
    os.makedirs(out_folder, exist_ok=True)
    with ManifestWriter(out_folder, run.resume, plan.batch_size) as manifest:
        _begin(manifest, out_folder, plan, run.resume)
        results = Records(manifest.read_back)
        again: Dict[int, Result] = {}
        with closing(stages.run(_waiting(plan.asked, namer, manifest.done(), again))) as finished:
            for result in _journaled(finished, manifest, run.on_error, again):
                results.append(result)
                if run.progress is not None:
                    run.progress(result, plan.count)
    warnings = (*plan.warnings, *explainer.notes)
    return Results(results, out_folder, manifest.path, warnings, not stages.stopped, plan.left_out)


def _as_folder(given: Any) -> str:
    if not isinstance(given, (str, os.PathLike)):
        raise OptionError(f"the output folder is a path, not {given!r}")
    folder = os.path.expanduser(os.fspath(given))
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise OptionError(f"{folder!r} is no folder; choose another output folder")
    return folder


def _begin(manifest: ManifestWriter, out_folder: str, plan: Plan, resume: bool) -> None:
    if resume:
        remove_leftovers(out_folder)
    if manifest.lines:
        check_same(out_folder, plan.settings)
    else:
        write_run(out_folder, plan.settings)


def _journaled(
    results: Iterator[Result], manifest: ManifestWriter, on_error: str, again: Dict[int, Result]
) -> Iterator[Result]:
    """The results, when their lines are written; of those that were made again they stand already.

    Raises: StoppedError where one has failed and on_error is "stop"; OptionError where one comes out differently.
    """
    for result in results:
        recorded = again.pop(result.index, None)
        if recorded is not None and recorded.files != result.files:
            raise OptionError(
                f"the run cannot be resumed: outputs of {result.relative!r} are gone, and it gives other ones now "
                f"({result.error or 'other files'}); run without resume, which starts again"
            )
        if result.index >= manifest.lines:
            if not result.ok and on_error == "stop":
                raise StoppedError(
                    f"{result.error}; the run stops there, {result.index} images before it are finished, and resume "
                    "goes on from there"
                )
            manifest.write(result)
        yield result


def _waiting(
    asked: Iterable[tuple[ImageSource, Any, Any]], namer: Namer, done: Iterator[Result], again: Dict[int, Result]
) -> Iterator[RunImage]:
    """The images of the run with their targets, those that are done with their results.

    again: gets the results whose files are gone or empty; their images wait like new ones.

    Raises: OptionError where other images are done than are listed.
    """
    for i, (file, row, further) in enumerate(asked):
        finished = next(done, None)
        if finished is not None and finished.relative != file.relative:
            raise OptionError(
                f"the run cannot be resumed: image {i + 1} was {finished.relative!r}, now it is {file.relative!r}; "
                "choose another output folder, or run without resume, which starts again"
            )
        if finished is not None and not all(map(_is_there, finished.files)):
            again[i], finished = finished, None
        yield RunImage(i, file, row, namer.stem(file.relative, i), done=finished, given=further)
    left = next(done, None)
    if left is not None:
        raise OptionError(
            f"the run cannot be resumed: {left.relative!r}, which was done, is not listed any more; choose another "
            "output folder, or run without resume, which starts again"
        )


def _is_there(path: str) -> bool:
    """Whether a file has something in it."""
    return os.path.isfile(path) and os.path.getsize(path) > 0
