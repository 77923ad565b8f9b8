"""`sanity_check`: read the images, ask the intact net, then change its weights, its session and its input."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1._version import __version__
from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import ImageFileError, OptionError, TargetError
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.methods.choices import Methods, choose_methods
from gradcam_tf1.metrics.intervals import Interval
from gradcam_tf1.run.image_stream import StreamOptions, open_stream
from gradcam_tf1.run.manifest_lines import readable, strict_json
from gradcam_tf1.run.own_record import check_names
from gradcam_tf1.sanity.compared_maps import EDGES, MapQuestion, MapSet, of_engine
from gradcam_tf1.sanity.described_maps import against_edges, chance, described
from gradcam_tf1.sanity.net_checks import CHECKS, CheckedNet, CheckResult
from gradcam_tf1.sanity.randomisation import RandomStep, blocks_of, randomise
from gradcam_tf1.sanity.sanity_options import CASCADE, SHIFT, SanityOptions
from gradcam_tf1.sanity.sanity_page import JSON_NAME, PAGE_NAME, write_sanity_page
from gradcam_tf1.sanity.sanity_report import SanityReport, StepSummary, summed_up
from gradcam_tf1.sanity.verdicts import CHANGES, DECIDING, HARDLY, MethodVerdict, verdict_of
from gradcam_tf1.sanity.weight_layers import find_weight_layers
from gradcam_tf1.tf_runtime import tf

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph

_EXPLAIN, _OPTIONS = ExplainOptions(), SanityOptions()
METHODS_CHECKED = ("gradcam", "gradient", "guided_backprop")


def sanity_check(
    net: GradCamGraph,
    images: Any,
    target: Any = None,
    methods: Methods = METHODS_CHECKED,
    layers: Any = None,
    out_folder: Optional[str] = None,
    *,
    explain: ExplainOptions = _EXPLAIN,
    options: SanityOptions = _OPTIONS,
) -> SanityReport:
    """Check whether maps depend on what the net has learned, and whether the same question has the same answer.

    The net is not changed: its weights are fed.

    Parameters
    ----------
    net : GradCamGraph
        A net of images.
    images : str or list of str
        As in `visualize_imgs`. One that cannot be read is left out, and the report says why.
    target : None, int or str
        The class to explain; None for the top class of each image. It stays that of the intact net.
    methods, layers
        As in `explain`.
    out_folder : str or None
        Gets sanity.html and sanity.json; images inside it are skipped. None writes nothing.
    explain : ExplainOptions
        Options of every method.
    options : SanityOptions
        How the weights are drawn, and what is checked.

    Returns
    -------
    SanityReport

    Raises
    ------
    OptionError
        If the net takes no images, has no weights that can be drawn, or another program has a file of that name.
    ImageFileError
        If no image can be read.
    TargetError, GradientError, BindingError, RunError
        As `explain`.
    OSError
        If a file cannot be written.

    References
    ----------
    https://arxiv.org/abs/1810.03292
    https://arxiv.org/abs/1711.00867
    """
    _check(net, explain, options)
    folder = None if out_folder is None else as_folder(out_folder)
    if folder is not None:
        check_names(folder, (JSON_NAME, PAGE_NAME), JSON_NAME)
    names, fitted, failed = _read(net, images, folder or "", options)
    explainer = net.explainers[0]
    weighted = find_weight_layers(explainer.engine.graph, explainer.binding)
    if not weighted.layers:
        whys = "".join(f"; '{op}': {why}" for op, why in list(weighted.fixed.items())[:1])
        raise OptionError(f"no weights were found between the input and the class scores that can be drawn{whys}")
    weights = explainer.engine.constants(weighted.names)
    given = explainer.prepare(fitted)
    first = MapQuestion(given, choose_methods(methods), layers, explain, None if target is None else [target])
    found = first.ask(of_engine(explainer, weights))
    kept = [n for n, broken in enumerate(found.broken) if not broken]
    failed.update({names[n]: "the net gives no finite score" for n in range(len(names)) if n not in kept})
    if not kept:
        raise ImageFileError(f"the net gives no finite score for any image, the first is {names[0]!r}")
    if (found.class_ids[kept] < 0).any():
        raise TargetError(f"target is {target!r}; give one class by id or name, or None for the top class")
    question = first.fixed(found.class_ids).rows(kept)
    intact = found if len(kept) == len(names) else question.ask(of_engine(explainer, weights))
    plain = question.ask(explainer) if set(options.checks) - {SHIFT} else intact
    checked = CheckedNet(explainer, question, intact, plain, weights, weighted.layers, options.tolerance)
    report = _checked(net, checked, tuple(names[n] for n in kept), failed, weighted.fixed, options)
    if folder is not None:
        write_sanity(folder, report)
    return report


def write_sanity(folder: str, report: SanityReport) -> None:
    """Write sanity.html and sanity.json into a folder, which is made if absent. Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    text = strict_json({"gradcam_tf1": __version__, **report.as_json()}, indent=1) + "\n"
    write_whole(os.path.join(folder, JSON_NAME), text.encode("ascii"), "report")
    write_sanity_page(folder, report)


def _checked(
    net: GradCamGraph,
    checked: CheckedNet,
    names: Tuple[str, ...],
    failed: Dict[str, str],
    fixed: Dict[str, str],
    options: SanityOptions,
) -> SanityReport:
    """Run everything that the options ask for, and sum it up."""
    question, intact, weights = checked.question, checked.intact, checked.weights
    blocks = blocks_of(checked.layers, options.blocks)
    total = len(blocks) * len(options.modes) + len(options.checks)
    checks: List[CheckResult] = []
    for name in options.checks:
        checks += CHECKS[name](checked)
        _tell(options, name, total)
    with_edges = replace(intact, maps={**intact.maps, EDGES: question.edges()})
    before = described(with_edges, options.similarities)
    steps: List[RandomStep] = []
    fresh = randomise(checked.explainer, question, before, weights, blocks, options.modes, options.draw, options.seed)
    for step in fresh:
        steps.append(step)
        _tell(options, f"{step.mode}: {step.layers[-1]}", total)
    compared = [step.similarity for step in steps] + [chance(before), against_edges(before)]
    *summaries, others, edges = summed_up(compared, options.seed)
    return SanityReport(
        model=net.model.source,
        images=names,
        failed=failed,
        classes=tuple(int(id_) for id_ in intact.class_ids),
        methods=tuple(with_edges.maps),
        layers=tuple(tuple(layer.name for layer in block) for block in blocks),
        fixed=dict(fixed),
        steps=tuple(_summary(*pair) for pair in zip(steps, summaries)),
        chance=others,
        edges=edges,
        verdicts=_verdicts(steps, others, _doubts(checked, fixed, blocks), options),
        checks=tuple(checks),
        settings=_settings(net, checked, options),
        strips=_strips(steps, with_edges),
        first=np.clip(np.round(question.given.pixels[0]), 0, 255).astype(np.uint8),
    )


def _check(net: GradCamGraph, explain: Any, options: Any) -> None:
    for name, value, kind in (("explain", explain, ExplainOptions), ("options", options, SanityOptions)):
        if not isinstance(value, kind):
            raise OptionError(f"{name} is {value!r}; give {name}={kind.__name__}(...)")
    if net.binding.array_shape is not None:
        raise OptionError("the sanity checks compare maps of images, and this net takes signals, volumes or clips")
    if net.binding.per_image:
        names = ", ".join(net.binding.per_image)
        raise OptionError(f"the net takes {names} with each image; give one value for all with --feed NAME=VALUE")


def _read(
    net: GradCamGraph, images: Any, folder: str, options: SanityOptions
) -> Tuple[List[str], List[Fitted], Dict[str, str]]:
    names: List[str] = []
    fitted: List[Fitted] = []
    failed: Dict[str, str] = {}
    stream = open_stream(net, images, folder, StreamOptions(n_images=options.n_images, seed=options.seed))
    for image in stream.images():
        name = readable(image.file.relative)
        if not isinstance(image.fitted, Fitted):
            failed[name] = image.error
        elif fitted and image.fitted.pixels.shape != fitted[0].pixels.shape:
            failed[name] = "its size differs from the first image's; give the net one size (--size)"
        else:
            names.append(name)
            fitted.append(image.fitted)
    if not fitted:
        raise ImageFileError(next(iter(failed.values())))
    return names, fitted, failed


def _tell(options: SanityOptions, done: str, total: int) -> None:
    if options.progress is not None:
        options.progress(done, total)


def _summary(step: RandomStep, similarity: Dict[str, Dict[str, Interval]]) -> StepSummary:
    return StepSummary(step.mode, step.layers, similarity, step.empty, step.dead, step.broken)


def _verdicts(
    steps: Sequence[RandomStep],
    others: Mapping[str, Mapping[str, Interval]],
    doubts: Mapping[str, str],
    options: SanityOptions,
) -> Tuple[MethodVerdict, ...]:
    cascade = [step for step in steps if step.mode == CASCADE]
    if not cascade:
        return ()
    return tuple(
        verdict_of(
            name,
            [step.similarity[name][DECIDING] for step in cascade],
            found[DECIDING].mean,
            options.seed,
            {} if name == EDGES else doubts,
        )
        for name, found in others.items()
    )


def _doubts(checked: CheckedNet, fixed: Mapping[str, str], blocks: Sequence[Any]) -> Dict[str, str]:
    """Return why a verdict would say nothing."""
    if len(blocks) == 1 < len(checked.layers):
        why = "all layers were drawn in one step, which changes every method; give two steps or more (--blocks)"
        return {CHANGES: why, HARDLY: why}
    if fixed:
        return {HARDLY: f"{len(fixed)} ops keep their weights, such as '{next(iter(fixed))}'"}
    return {}


def _strips(steps: Sequence[RandomStep], intact: MapSet) -> Dict[str, Tuple[np.ndarray, ...]]:
    cascade = [step for step in steps if step.mode == CASCADE] or list(steps)
    return {
        name: (maps.shown(), *(step.maps[name] for step in cascade if name in step.maps))
        for name, maps in intact.maps.items()
        if name != EDGES
    }


def _settings(net: GradCamGraph, checked: CheckedNet, options: SanityOptions) -> Dict[str, Any]:
    return {
        "score": "logit",
        "maps": "layer maps: ranks of their own cells, SSIM and HOG at the size of the net's input; pixel maps: sum "
        "over the channels, of magnitudes or with the sign",
        "methods": {name: dict(given) for name, given in choose_methods(checked.question.methods).items()},
        "layer": net.binding.layer,
        "draw": options.draw,
        "modes": list(options.modes),
        "blocks": options.blocks,
        "weight tensors": len(checked.weights),
        "checks": list(options.checks),
        "tolerance": options.tolerance,
        "seed": options.seed,
        "similarities": list(options.similarities),
        "deciding measure": DECIDING,
        "tensorflow": tf.__version__,
    }
