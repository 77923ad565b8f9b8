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
from gradcam_tf1.errors import OptionError, StoppedError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.window import make_window
from gradcam_tf1.run.clip_runs import ClipWriter, clip_fitter
from gradcam_tf1.run.explaining import Explainer, Explainers, one_at_a_time, write_explained
from gradcam_tf1.run.manifest import ManifestWriter, write_run
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.plan import Plan, make_plan
from gradcam_tf1.run.reading import Reader, RunImage
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.results import Records, Results
from gradcam_tf1.run.run_options import RunOptions, run_options
from gradcam_tf1.run.settings import check_same
from gradcam_tf1.run.stages import Stages
from gradcam_tf1.run.worker_threads import check_threads
from gradcam_tf1.run.writing import MapWriter


def visualize(net: Any, imgs_path: Any, out_folder: str, **options: Any) -> Results:
    """Explain every image of a folder and write overlays, heat maps, guided images, manifest.jsonl and run.json.

    Args:
        net: GradCamGraph. imgs_path: folder (recursive), file, glob, archive, TFRecord file, `@list` of paths,
            "-" (paths from standard input), or a list of these, see `sources`; for a net of clips each folder of frames
            and each file of several is one clip, see `sources.clips`. out_folder: made if absent.
        options: the fields of `RunOptions` (targets, methods, layers, resume, ...); how maps are drawn, the fields of
            `Style` (colormap, alpha, style, box, heatmaps, raw, share_scale); and what `explain` takes besides (score,
            options, noise, fuse, aug_smooth, eigen_smooth).

    Returns: one Result per image, in the order of the listing; it is also the array of predicted classes.

    Raises:
        OptionError, TargetError, GradientError; ImageFileError where there is no image at all; OSError where a file
        cannot be written, which leaves a folder that can be resumed; StoppedError where on_error is "stop". Otherwise
        an image that cannot be read, and a mask that does not fit, do not end the run: its line in the manifest says
        why.
    """
    given = run_options(options)
    out_folder = _as_folder(out_folder)
    plan = make_plan(net, imgs_path, out_folder, given)
    namer = Namer(given.naming)
    wanted = ReadOptions(net.channels_in, given.look.bands, make_window(given.window))
    explainers = _explainers(net, plan, given, namer, out_folder)
    of_clips = bool(net.binding.frame_order)
    writer = (ClipWriter if of_clips else MapWriter)(out_folder, namer, given.look)
    fit = clip_fitter(net.fit_pixels) if of_clips else net.fit_pixels
    stages = Stages(
        Reader(fit, given.max_pixels, wanted, given.timeout, plan.further),
        explainers.explain,
        lambda answer: write_explained(answer, writer, net.labels),
        *(plan.batch_size, check_threads(given.threads), given.stop, len(explainers)),
    )
    os.makedirs(out_folder, exist_ok=True)
    with ManifestWriter(out_folder, given.resume, plan.batch_size) as manifest:
        _begin(manifest, out_folder, plan, given.resume)
        results = Records(manifest.read_back)
        again: Dict[int, Result] = {}
        with closing(stages.run(_waiting(plan.asked, namer, manifest.done(), again))) as run:
            for result in _journaled(run, manifest, given.on_error, again):
                results.append(result)
                if given.progress is not None:
                    given.progress(result, plan.count)
    warnings = (*plan.warnings, *explainers.notes)
    return Results(results, out_folder, manifest.path, warnings, not stages.stopped, plan.left_out)


def _as_folder(given: Any) -> str:
    if not isinstance(given, (str, os.PathLike)):
        raise OptionError(f"the output folder is a path, not {given!r}")
    folder = os.path.expanduser(os.fspath(given))
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise OptionError(f"{folder!r} is no folder; choose another output folder")
    return folder


def _explainers(net: Any, plan: Plan, given: RunOptions, namer: Namer, out_folder: str) -> Explainers:
    asked = {**plan.explain, "progress": given.steps and one_at_a_time(given.steps)}
    shown = {**asked, "methods": asked["methods"] if given.methods is not None else []}
    maker = FigureMaker(net, plan.kinds, shown, given.look)
    views = net.on_each_device()
    return Explainers([Explainer(view, asked, maker, namer, out_folder, given.timeout) for view in views])


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
