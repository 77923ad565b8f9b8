"""What a run will do: its images, what is asked of each, and the settings that run.json keeps. No TensorFlow here."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from gradcam_tf1.drawing.figure_kinds import FigureKind, find_kinds
from gradcam_tf1.errors import GradientError
from gradcam_tf1.images.clip_folders import find_clips
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.window import make_window
from gradcam_tf1.methods import choose_methods
from gradcam_tf1.run.clip_runs import check_clips, said_of_clips
from gradcam_tf1.run.input_rows import InputReader, as_inputs, input_rows
from gradcam_tf1.run.listing import draw_images, list_images
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.run.settings import contents_sha256, inputs_sha256, net_settings, net_warnings
from gradcam_tf1.run.target_rows import check_classes, differ, rows_of

DEFAULT_METHODS = ("gradcam", "guided_gradcam")


@dataclass(frozen=True)
class Plan:
    """What is known before the first image is read.

    asked: the images, each with its targets and with what was given for its further inputs. further: makes values of
    the latter. count: how many, None where that is not known. explain: keyword
    arguments of `explain`, the same for all. kinds: the figures. batch_size: images of one batch. settings: for
    run.json. warnings: sentences for the user. left_out: methods that were asked for and that this net does not allow,
    each with the reason.
    """

    asked: Iterable[Tuple[ImageSource, Any, Any]]
    further: InputReader
    count: Optional[int]
    explain: Dict[str, Any]
    kinds: Sequence[FigureKind]
    batch_size: int
    settings: Dict[str, Any]
    warnings: List[str]
    left_out: Dict[str, str]


def make_plan(net: Any, imgs_path: Any, out_folder: str, given: RunOptions) -> Plan:
    """Look up everything that can be wrong before the work begins.

    net: GradCamGraph. imgs_path: see `sources`. out_folder: images in it are none of the run's.
    Raises: OptionError, TargetError, GradientError; ImageFileError where there is no image at all.
    """
    kinds = find_kinds(given.figures)
    inputs = as_inputs(given.inputs)
    net.check_inputs(list(inputs))
    if net.binding.frame_order:
        check_clips(given)
    asked, count = _ask(net, imgs_path, out_folder, given, inputs)
    chosen = choose_methods(DEFAULT_METHODS if given.methods is None else given.methods, given.explain.get("options"))
    names, reasons = _usable(net, list(chosen), given.layers)
    options = {name: chosen[name] for name in names if chosen[name]}
    explain = {"methods": names, "layers": given.layers, **given.explain, **({"options": options} if options else {})}
    size = net.batch_size if given.batch_size is None else given.batch_size
    warnings = [*net_warnings(net), *(f"{name} was left out: {reason}" for name, reason in reasons.items())]
    if net.binding.frame_order:
        warnings.append(said_of_clips(net.binding))
    settings = {
        **net_settings(net),
        **{"targets": given.targets, "targets_sha256": contents_sha256(given.targets)},
        **explain,
        **({"inputs": list(inputs), "inputs_sha256": inputs_sha256(inputs)} if inputs else {}),
        **{
            "naming": given.naming,
            "max_pixels": given.max_pixels,
            "window": asdict(make_window(given.window)),
            **asdict(given.look),
        },
        **{"n_images": given.n_images, "seed": given.seed, "images": count, "batch_size": size},
        **{"figures": [kind.name for kind in kinds], "warnings": warnings},
    }
    left_out = {} if given.methods is None else reasons
    further = InputReader(net.fit_pixels, net.fit_input, given.max_pixels)
    return Plan(asked, further, count, explain, kinds, size, settings, warnings, left_out)


def _ask(
    net: Any, imgs_path: Any, out_folder: str, given: RunOptions, inputs: Mapping[str, Any]
) -> Tuple[Iterable[Tuple[ImageSource, Any, Any]], Optional[int]]:
    """The images with their targets and further inputs, and how many they are."""
    listing: Any
    listing, count = list_images(imgs_path, out_folder)
    if net.binding.frame_order:
        listing = find_clips(listing, net.binding.array_shape[1])
        count = len(listing)
    if given.n_images is not None:
        listing = draw_images(listing, given.n_images, given.seed)
        count = len(listing)
    further: Iterable[Any] = itertools.repeat({})
    if inputs:
        listing = list(listing)
        count, further = len(listing), input_rows(inputs, listing)
    if not differ(given.targets):
        check_classes([given.targets], net.binding.classes, net.labels)
        return zip(listing, itertools.repeat(given.targets), further), count
    listing = list(listing)
    rows = rows_of(given.targets, listing)
    check_classes(rows, net.binding.classes, net.labels)
    return zip(listing, rows, further), len(listing)


def _usable(net: Any, methods: Sequence[str], layers: Any) -> Tuple[List[str], Dict[str, str]]:
    """The methods to run, and for each that this net does not allow the reason.

    Raises: GradientError where it allows none of them.
    """
    names, reasons = net.usable_methods(methods, layers)
    if not names:
        raise GradientError(next(iter(reasons.values())))
    return names, reasons
