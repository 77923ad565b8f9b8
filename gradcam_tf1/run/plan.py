"""Plan a run: its images, their targets and further inputs, and the settings for run.json. No TensorFlow here."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from gradcam_tf1.drawing.figure_kinds import FigureKind, find_kinds
from gradcam_tf1.errors import GradientError
from gradcam_tf1.images.clip_folders import find_clips
from gradcam_tf1.methods.choices import ChosenMethods, Methods, choose_methods, method, opened_methods
from gradcam_tf1.run.clip_runs import check_clips, clip_note
from gradcam_tf1.run.input_rows import InputReader, as_inputs, input_rows
from gradcam_tf1.run.listing import Listed, draw_images, list_images
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.run.settings import net_facts, net_settings, net_warnings, request_settings
from gradcam_tf1.run.target_rows import check_classes, differ, rows_of

if TYPE_CHECKING:
    from gradcam_tf1.engine.bound_net import BoundNet

DEFAULT_METHODS = ("gradcam", "guided_gradcam")

PlannedImage = Tuple[Listed, Any, Mapping[str, Any]]  # image or clip, its targets, values of its further inputs


@dataclass(frozen=True)
class Plan:
    """Everything about a run that is known before the first image is read.

    Attributes
    ----------
    items : iterable of PlannedImage
        The images with their targets and the values of their further inputs.
    further : InputReader
        Converts these values.
    count : int or None
        Number of images; None if it is not known.
    request : RunRequest
        The request with the methods that this net allows.
    kinds : sequence of FigureKind
        The figures.
    batch_size : int
        Images per batch.
    settings : dict
        For run.json.
    warnings : list of str
        Sentences for the user.
    left_out : dict
        Requested methods that this net does not allow, each with the reason.
    """

    items: Iterable[PlannedImage]
    further: InputReader
    count: Optional[int]
    request: RunRequest
    kinds: Sequence[FigureKind]
    batch_size: int
    settings: Dict[str, Any]
    warnings: List[str]
    left_out: Dict[str, str]


def make_plan(net: BoundNet, imgs_path: Any, out_folder: str, request: RunRequest) -> Plan:
    """Check the request and plan the run, so that mistakes show before it begins.

    Parameters
    ----------
    net : BoundNet
        The net.
    imgs_path : str or list of str
        See `visualize_imgs`.
    out_folder : str
        Images inside it are skipped.
    request : RunRequest
        The arguments of `visualize_imgs`.

    Raises
    ------
    OptionError, TargetError, GradientError
        If the request does not fit the net.
    ImageFileError
        If there is no image at all.
    """
    run = request.run
    kinds = find_kinds(run.figures, run.axes)
    inputs = as_inputs(request.options.inputs)
    net.check_inputs(list(inputs))
    if net.binding.frame_order:
        check_clips(request)
    items, count = _items(net, imgs_path, out_folder, request, inputs)
    methods, reasons = usable_choices(net, request.methods, request.layers)
    batch_size = net.batch_size if run.batch_size is None else run.batch_size
    warnings = [*net_warnings(net), *(f"{name} was left out: {reason}" for name, reason in reasons.items())]
    if net.binding.frame_order:
        warnings.append(clip_note(net.binding))
    settings = {
        **net_settings(net),
        **request_settings(request, methods, inputs),
        **{"images": count, "batch_size": batch_size, "warnings": warnings},
        **net_facts(net),
    }
    left_out = {} if request.methods is None else reasons
    further = InputReader(net.fit_pixels, net.fit_input, run.max_pixels)
    chosen = [method(name, **options) for name, options in opened_methods(methods).items()]
    usable = replace(request, methods=chosen)
    return Plan(items, further, count, usable, kinds, batch_size, settings, warnings, left_out)


def _items(
    net: BoundNet, imgs_path: Any, out_folder: str, request: RunRequest, inputs: Mapping[str, Any]
) -> Tuple[Iterable[PlannedImage], Optional[int]]:
    """Return the images with their targets and further inputs, and their number."""
    images, count = list_images(imgs_path, out_folder)
    listing: Iterable[Listed] = images
    if net.binding.frame_order:
        listing = clips = find_clips(images, (net.binding.array_shape or (None, None))[1])
        count = len(clips)
    if request.run.n_images is not None:
        listing = chosen = draw_images(listing, request.run.n_images, request.run.seed)
        count = len(chosen)
    further: Iterable[Mapping[str, Any]] = itertools.repeat({})
    if inputs:
        listing = kept = list(listing)
        count, further = len(kept), input_rows(inputs, kept)
    if not differ(request.targets):
        check_classes([request.targets], net.binding.classes, net.labels)
        return zip(listing, itertools.repeat(request.targets), further), count
    kept = list(listing)
    rows = rows_of(request.targets, kept)
    check_classes(rows, net.binding.classes, net.labels)
    return zip(kept, rows, further), len(kept)


def usable_choices(net: BoundNet, methods: Optional[Methods], layers: Any) -> Tuple[ChosenMethods, Dict[str, str]]:
    """Return the methods to run with their options, and the reason for each that this net does not allow.

    Raises GradientError if it allows none.
    """
    chosen = choose_methods(DEFAULT_METHODS if methods is None else methods)
    names, reasons = net.usable_methods(list(chosen), layers)
    if not names:
        raise GradientError(next(iter(reasons.values())))
    return {name: chosen[name] for name in names}, reasons
