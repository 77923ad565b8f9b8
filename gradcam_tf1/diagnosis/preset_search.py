"""Try every preprocessing on some images with one net, and rank them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Set, Tuple

import numpy as np

from gradcam_tf1.diagnosis.net_answers import ask, views
from gradcam_tf1.diagnosis.norm_records import NormRecord, first_norm
from gradcam_tf1.diagnosis.preset_candidates import candidates
from gradcam_tf1.diagnosis.preset_ranking import LEAST_AGREEMENT, LEAST_IMAGES, POOR_FIT, PresetRow, PresetTrial, rank
from gradcam_tf1.engine.input_batches import stack_pixels
from gradcam_tf1.errors import ImageFileError, OptionError, TargetError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.geometry import SHORT_SIDE
from gradcam_tf1.run.listing import Listed, counted, draw_images, list_images
from gradcam_tf1.run.per_image import read_class_file
from gradcam_tf1.run.tables import as_class_id

FOLDERS = "folders"  # the truth is the name of an image's folder
_RULES = {
    "truth": "the share of right classes",
    "shown": "what the graph itself shows",
    "norm": "the distance of the features from those that the first batch norm recorded in training",
    "agreement": "how well the answer to an image predicts the answers to small changes of it",
}


@dataclass(frozen=True)
class PresetTable:
    """The preprocessings of a net, ranked.

    Attributes
    ----------
    rows : list of PresetRow
        The best first.
    images : int
        Number of images that were tried.
    rule : str
        What decided.
    notes : tuple of str
        Sentences for the user.
    """

    rows: List[PresetRow]
    images: int
    rule: str
    notes: Tuple[str, ...]

    @property
    def decided(self) -> bool:
        """Whether the first row stands alone."""
        return not any(row.tied for row in self.rows)

    @property
    def enough(self) -> bool:
        """Whether the first row is more than chance: the graph shows it, or there were enough images."""
        return self.images >= LEAST_IMAGES or self.rows[0].shown


def search_presets(
    net: GradCamGraph, images: Any, truth: Optional[str] = None, count: int = 32, seed: int = 0
) -> PresetTable:
    """Try every preprocessing that suits a net.

    Parameters
    ----------
    net : GradCamGraph
        The net; its own preset is not used.
    images : str or list of str
        As in `visualize_imgs`.
    truth : str or None
        Path of a CSV file of image and class, or "folders": each image lies in a folder with the name or id of its
        class; None if it is not known.
    count : int
        Images that are tried, drawn at random.
    seed : int
        Chooses them.

    Returns
    -------
    PresetTable

    Raises
    ------
    OptionError
        If the net has no preprocessing to choose.
    ImageFileError
        If no image can be read.
    TargetError
        If a class of `truth` does not fit the net.
    RunError
        If the net fails.
    """
    _check(net)
    pixels, files, notes = read_pixels(net, draw_images(list_images(images, "")[0], count, seed))
    right = None if truth is None else _truth(net, truth, files)
    norm = first_norm(net.graph, net.binding)
    trials = _trials(net, pixels, norm, alone=right is not None or norm is not None)
    rows = rank(trials, right, norm)
    rule = "truth" if right is not None else "shown" if rows[0].shown else "norm" if norm is not None else "agreement"
    return PresetTable(rows, len(pixels), _RULES[rule], (*notes, *_doubts(rows, rule, len(pixels))))


def _check(net: GradCamGraph) -> None:
    binding = net.binding
    if binding.array_shape is not None:
        kind = "clips" if binding.frame_order else "signals" if len(binding.array_shape) == 3 else "volumes"
        raise OptionError(f"the net takes {kind}, and presets are for single images; prepare the values yourself")
    if binding.per_image:
        names = ", ".join(binding.per_image)
        raise OptionError(f"the net takes {names} with each image; give one value for all with --feed NAME=VALUE")


def read_pixels(net: GradCamGraph, files: Sequence[Listed]) -> Tuple[np.ndarray, List[Listed], List[str]]:
    """Return the images at the input's size, float32 [N, H, W, C], their files, and notes. Raises ImageFileError."""
    notes, read, fitted, failed = [], [], [], []
    if None in net.binding.image_size and net.size == (None, None):
        net.size = (SHORT_SIDE, SHORT_SIDE)
        notes.append(f"the net takes any size; it was tried at {SHORT_SIDE} x {SHORT_SIDE}, and --size chooses another")
    options = ReadOptions(net.channels_in)
    for file in files:
        try:
            fitted.append(net.fit_pixels(_pixels(file, options)))
            read.append(file)
        except ImageFileError as error:
            failed.append(str(error))
    if failed:
        notes.append(f"{len(failed)} of {len(files)} images cannot be read, the first: {failed[0]}")
    if not fitted:
        raise ImageFileError(failed[0])
    return stack_pixels(fitted), read, notes


def _pixels(file: Listed, options: ReadOptions) -> np.ndarray:
    return np.asarray(file.read(wanted=options))


def _truth(net: GradCamGraph, truth: str, files: Sequence[Listed]) -> List[Set[int]]:
    """Return the right class ids of each image."""
    if truth != FOLDERS:
        return [{_class_id(net, spec) for spec in specs} for specs in read_class_file(truth, files)]
    found = []
    for file in files:
        parts = file.path.replace("\\", "/").split("/")
        if len(parts) < 2:
            raise OptionError(f"--truth folders: {file.path!r} lies in no folder that could name its class")
        class_id = as_class_id(parts[-2])
        found.append({_class_id(net, parts[-2] if class_id is None else class_id)})
    return found


def _class_id(net: GradCamGraph, spec: Any) -> int:
    if isinstance(spec, int):
        classes = net.binding.classes
        if classes is not None and not 0 <= spec < max(classes, 2):
            raise TargetError(f"no class {spec}: the net has {classes} classes, ids 0 to {classes - 1}")
        return spec
    if net.labels is None:
        raise TargetError(f"class name {spec!r} needs labels, but no labels were given; give --labels FILE")
    return net.labels.ids(spec)[0]


def _trials(net: GradCamGraph, pixels: np.ndarray, norm: Optional[NormRecord], alone: bool) -> List[PresetTrial]:
    binding, explainer = net.binding, net.explainers[0]
    shown = net.model.preprocessing or binding.preprocessing
    whole = "int" in binding.dtype
    changed = [pixels] if alone else views(pixels)
    return [
        PresetTrial(each, each.name == shown, [ask(explainer, view, each.preset, norm) for view in changed])
        for each in candidates(binding.channels, whole)
    ]


def _doubts(rows: Sequence[PresetRow], rule: str, images: int) -> List[str]:
    first, tied = rows[0], [row.candidate.name for row in rows if row.tied]
    notes: List[str] = []
    if not np.isfinite(first.top):
        return ["the net's scores are not finite under the first preprocessing, so that nothing was compared"]
    if rule == "shown":
        return notes
    if images < LEAST_IMAGES:
        return [*notes, f"{counted(images)} cannot tell preprocessings apart; give at least {LEAST_IMAGES}, better 30"]
    if tied:
        notes.append(f"{first.candidate.name} cannot be told from {', '.join(tied)} with {images} images; give more")
    if rule == "norm" and first.norm_distance is not None and first.norm_distance > POOR_FIT:
        notes.append(
            f"no preprocessing fits: the best is {first.norm_distance:.2g} nats from what the batch norm recorded, and "
            "a right one is below 0.2 on images like those of the training; give own values with --mean, --std, --scale"
        )
    if rule == "agreement" and not (first.agreement or 0) > LEAST_AGREEMENT:
        notes.append("the answers hardly depend on the image under any preprocessing; does the net know such images?")
    return notes
