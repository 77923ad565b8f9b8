"""Folder in, folder out: list, read, fit, explain, draw, write.

Pictures are read and written by threads while the net is busy with a batch; of all three there is only so much at a
time, and no map is kept.
"""

from __future__ import annotations

import itertools
import os
from contextlib import closing
from dataclasses import asdict, fields
from typing import Any, Callable, Iterable, Iterator, Sequence

from gradcam_tf1 import __version__
from gradcam_tf1.asking import check_classes, differ, rows_of
from gradcam_tf1.drawing import Style
from gradcam_tf1.errors import GradientError, OptionError, StoppedError
from gradcam_tf1.explaining import Explainer, Explainers, one_at_a_time, write_explained
from gradcam_tf1.figures.kinds import find_kinds
from gradcam_tf1.figures.making import FigureMaker
from gradcam_tf1.images import MAX_PIXELS
from gradcam_tf1.listing import draw_pictures, list_pictures
from gradcam_tf1.manifest import ManifestWriter, write_run
from gradcam_tf1.methods import expand_methods
from gradcam_tf1.naming import Namer
from gradcam_tf1.overlap import check_threads
from gradcam_tf1.reading import ON_ERROR, Picture, read
from gradcam_tf1.records import Records
from gradcam_tf1.results import Result, Results
from gradcam_tf1.settings import check_same, contents_sha256, fingerprint, net_warnings, text_sha256
from gradcam_tf1.sources import Picture as Source
from gradcam_tf1.stages import Stages
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Work
from gradcam_tf1.whole_files import remove_leftovers
from gradcam_tf1.writing import PictureWriter

DEFAULT_METHODS = ("gradcam", "guided_gradcam")

_STYLE_OPTIONS = tuple(item.name for item in fields(Style))
_EXPLAIN_OPTIONS = ("score", "options", "noise", "fuse", "aug_smooth", "eigen_smooth")


def visualize(
    net: Any,
    imgs_path: Any,
    out_folder: str,
    *,
    targets: Any = None,
    methods: str | Sequence[str] | None = None,
    layers: Any = None,
    batch_size: int | None = None,
    naming: str = "source",
    n_images: int | None = None,
    seed: int = 0,
    figures: str | Sequence[str] = (),
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
    resume: bool = False,
    on_error: str = "skip",
    timeout: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Result, int | None], None] | None = None,
    steps: Callable[[Work], None] | None = None,
    **others: Any,
) -> Results:
    """Explain every picture of a folder and write overlays, heat maps, guided pictures, manifest.jsonl and run.json.

    Args:
        net: GradCamGraph. imgs_path: folder (recursive), file, glob, archive, TFRecord file, `@list` of paths,
            "-" (paths from standard input), or a list of these, see `sources`. out_folder: made if absent.
        targets: None for each picture's top class; a class id or name; a record from `targets.py`; a list of these for
            all pictures; one row of these per picture of the listing; or a function that makes such rows of the
            listing, such as a `PerPicture`.
        methods: names from METHODS or METHOD_GROUPS; None: Grad-CAM and Guided Grad-CAM, as far as the net allows.
        layers: layer names or counts from the end; None: the bound layer. batch_size: pictures held at a time.
        naming: "source" or "indexed", see `naming.py`. n_images, seed: only so many pictures, drawn by the seed.
        figures: names from `figures.kinds.FIGURES`, drawn of each picture; each takes another pass through the net.
        max_pixels: larger pictures are refused. threads: that read and write pictures; None: one for each core.
        resume: go on where an earlier run of the same settings, model and pictures into this folder ended.
        on_error: what a picture that fails does: "skip" (the manifest says why), or "stop" the run there.
        timeout: seconds that a batch may take in the net; its pictures have failed then.
        stop: asked before each batch; True ends the run, which can be resumed.
        progress: called with each result and the number of all pictures, None where it is not known.
        steps: told what methods that run the net many times cost, and how far they are, as `progress` of `explain`.
        others: how maps are drawn, the fields of `Style` (colormap, alpha, style, box, heatmaps, raw, share_scale); and
            what `explain` takes besides (score, options, noise, fuse, aug_smooth, eigen_smooth).

    Returns: one Result per picture, in the order of the listing; it is also the array of predicted classes.

    Raises:
        OptionError, TargetError, GradientError; ImageFileError where there is no picture at all; OSError where a file
        cannot be written, which leaves a folder that can be resumed; StoppedError, see on_error. Otherwise a picture
        that cannot be read, and a mask that does not fit, do not end the run: its line in the manifest says why.
    """
    drawing, asked = _split(others)
    style = Style(**drawing)
    kinds = find_kinds(figures)
    namer = Namer(naming)
    out_folder = os.path.expanduser(os.fspath(out_folder))
    listing, count = list_pictures(imgs_path, out_folder)
    if n_images is not None:
        listing = draw_pictures(listing, n_images, seed)
        count = len(listing)
    questions: Iterable[Any] = itertools.repeat(targets)
    if differ(targets):
        listing = list(listing)
        questions = rows_of(targets, listing)
        count = len(listing)
    check_classes(questions if isinstance(questions, list) else [targets], net.binding.classes, net.labels)
    names, left_out = _usable(net, methods, layers)
    warnings = [*net_warnings(net), *left_out]
    size = net.batch_size if batch_size is None else batch_size
    if size < 1:
        raise OptionError(f"batch_size is the number of pictures held at a time, at least 1, not {size}")
    threads = check_threads(threads)
    _check_faults(on_error, timeout)
    asked = {"methods": names, "layers": layers, **asked}
    chosen = {"n_images": n_images, "seed": seed, "images": count}
    about = {"targets": targets, **asked, "naming": naming, "max_pixels": max_pixels, **asdict(style), **chosen}
    about["figures"] = [kind.name for kind in kinds]
    about["targets_sha256"] = contents_sha256(targets)
    settings = {**_about(net), **about, "batch_size": size, "warnings": warnings}
    asked["progress"] = steps and one_at_a_time(steps)
    maker = FigureMaker(net, kinds, {**asked, "methods": names if methods is not None else []}, style)
    views = net.on_each_device()
    explainers = Explainers([Explainer(view, asked, maker, namer, out_folder, timeout) for view in views])
    writer = PictureWriter(out_folder, namer, style)
    stages = Stages(
        lambda picture: read(picture, net.fit_image, max_pixels),
        explainers.explain,
        lambda answer: write_explained(answer, writer, net.labels),
        *(size, threads, stop, len(views)),
    )
    os.makedirs(out_folder, exist_ok=True)
    with ManifestWriter(out_folder, resume, size) as manifest:
        if resume:
            remove_leftovers(out_folder)
        if manifest.lines:
            check_same(out_folder, settings)
        else:
            write_run(out_folder, settings)
        results = Records(manifest.read_back)
        with closing(stages.run(_waiting(zip(listing, questions), namer, manifest.done()))) as run:
            for result in _journaled(run, manifest, on_error):
                results.append(result)
                if progress is not None:
                    progress(result, count)
    return Results(results, out_folder, manifest.path, (*warnings, *explainers.notes), not stages.stopped)


def _check_faults(on_error: str, timeout: float | None) -> None:
    if on_error not in ON_ERROR:
        raise OptionError(f"on_error is what a failed picture does: {' or '.join(ON_ERROR)}, not {on_error!r}")
    if timeout is not None and not timeout > 0:
        raise OptionError(f"timeout is the number of seconds that a batch may take, more than 0, not {timeout}")


def _journaled(results: Iterator[Result], manifest: ManifestWriter, on_error: str) -> Iterator[Result]:
    """The results, when their lines are written. Raises: StoppedError where one has failed and on_error is "stop"."""
    for result in results:
        if result.index >= manifest.lines:
            if not result.ok and on_error == "stop":
                raise StoppedError(
                    f"{result.error}; the run stops there, {result.index} pictures before it are finished, and resume "
                    "goes on from there"
                )
            manifest.write(result)
        yield result


def _waiting(asked: Iterable[tuple[Source, Any]], namer: Namer, done: Iterator[Result]) -> Iterator[Picture]:
    """The pictures of the run with their targets, those that are done with their results.

    Raises: OptionError where other pictures are done than are listed.
    """
    for i, (file, row) in enumerate(asked):
        finished = next(done, None)
        if finished is not None and finished.relative != file.relative:
            raise OptionError(
                f"the run cannot be resumed: picture {i + 1} was {finished.relative!r}, now it is {file.relative!r}; "
                "choose another output folder, or run without resume, which starts again"
            )
        yield Picture(i, file, row, namer.stem(file.relative, i), done=finished)
    left = next(done, None)
    if left is not None:
        raise OptionError(
            f"the run cannot be resumed: {left.relative!r}, which was done, is not listed any more; choose another "
            "output folder, or run without resume, which starts again"
        )


def _split(others: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is for the drawing and what for `explain`."""
    possible = (*_STYLE_OPTIONS, *_EXPLAIN_OPTIONS)
    for name in others:
        if name not in possible:
            raise OptionError(f"no option {name!r}; possible besides those of the run itself: {', '.join(possible)}")
    drawing = {name: value for name, value in others.items() if name in _STYLE_OPTIONS}
    return drawing, {name: value for name, value in others.items() if name in _EXPLAIN_OPTIONS}


def _usable(net: Any, methods: str | Sequence[str] | None, layers: Any) -> tuple[list[str], list[str]]:
    """The methods to run, and one sentence for each default method that this net does not allow."""
    if methods is not None:
        return expand_methods(methods), []
    names, reasons = net.usable_methods(DEFAULT_METHODS, layers)
    if not names:
        raise GradientError(next(iter(reasons.values())))
    return names, [f"{name} was left out: {reason}" for name, reason in reasons.items()]


def _about(net: Any) -> dict[str, Any]:
    binding = net.binding
    keys = ("input", "logits", "probabilities", "layer", "feeds")
    model = net.model
    about = {"gradcam_tf1": __version__, "tensorflow": tf.__version__, "model": model.source, "kind": model.kind}
    about["model_sha256"] = fingerprint(model.files or [model.source])
    about["labels_sha256"] = None if net.labels is None else text_sha256(net.labels.names)
    return {**about, **{key: getattr(binding, key) for key in keys}, **_net_settings(net)}


def _net_settings(net: Any) -> dict[str, Any]:
    return {"fit": net.fit_mode, "size": net.size, "preset": str(net.preset), "net_batch_size": net.batch_size}
