"""`tcav`: does the logit of a class rise along a concept that the user shows with images?"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.concepts.concept_directions import Direction, concept_directions, random_directions
from gradcam_tf1.concepts.concept_files import check_own_files, page_in_report, write_numbers
from gradcam_tf1.concepts.image_batches import ImageBatches, stacked
from gradcam_tf1.concepts.tcav_options import TcavOptions
from gradcam_tf1.concepts.tcav_page import sentence, write_tcav_page
from gradcam_tf1.concepts.tcav_records import ClassSensitivity, Tcav, probability_by_chance, verdict_of
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.layer_runs import LayerRuns
from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.run.image_stream import StreamOptions
from gradcam_tf1.run.listing import counted
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.settings import net_settings

_DEFAULT = TcavOptions()
_STEM = "tcav"


def tcav(
    net: BoundNet,
    images: Any,
    positive: Any,
    negative: Any,
    targets: Any,
    out_folder: Optional[str] = None,
    *,
    options: TcavOptions = _DEFAULT,
) -> Tcav:
    """Test whether a class depends on a concept: the share of images with g . v > 0.

    v is the normal of a linear classifier between the features of positive and of negative images, g the gradient of
    the class's logit by the features of an image. The scores of several v, of images of their own, are compared with
    those of random v, between two random sets of negative images.

    Parameters
    ----------
    net : GradCamGraph
        A net of images.
    images : str or list of str
        Images of the class, as `imgs_path` of `visualize_imgs`. All of them count, whatever the net predicts.
    positive : str or list of str
        Images that show the concept, 15 or more; better 60.
    negative : str or list of str
        One or more folders of images that do not, 15 or more together; better 60. They are put together; random
        sets are of two folders if there are several.
    targets : int, str or list of these
        The classes by id or name.
    out_folder : str or None
        Gets tcav.html, tcav.json and tcav.csv. None writes nothing.
    options : TcavOptions
        Layer, pooling and so on.

    Returns
    -------
    Tcav

    Raises
    ------
    OptionError
        If the net takes no images, there are too few of them, features differ in size, or another program has a file
        of that name.
    GradientError
        If the logit has no gradient at the layer, or it is zero for all images.
    ImageFileError
        If no image of a folder can be read.
    TargetError, BindingError, RunError
        As `explain`.
    OSError
        If a file cannot be written.

    References
    ----------
    Interpretability Beyond Feature Attribution, https://arxiv.org/abs/1711.11279
    """
    if not isinstance(options, TcavOptions):
        raise OptionError(f"options is {options!r}; give options=TcavOptions(...)")
    folder = None if out_folder is None else as_folder(out_folder)
    if folder is not None:
        check_own_files(folder, _STEM)
    runs = LayerRuns(net.explainers[0], options.layer)
    class_ids = _class_ids(runs, targets)
    reader = _FolderReader(net, runs, folder or "", options)
    negatives = [reader.features(each) for each in _several(negative)]
    positives = reader.features(positive)
    concept, size = concept_directions(positives, np.concatenate(negatives), options.seed)
    random = random_directions(negatives, size, options.seed)
    rises, count = reader.rises(images, class_ids, [*concept, *random])
    accuracies = np.array([each.accuracy for each in concept])
    found = Tcav(
        layer=runs.layer.name,
        classes=tuple(
            _sensitivity(runs, class_id, row, len(concept), len(class_ids), float(accuracies.mean()))
            for class_id, row in zip(class_ids, rises)
        ),
        accuracies=accuracies,
        size=size,
        counts={"images": count, "positive": len(positives), "negative": sum(map(len, negatives))},
        vectors=np.stack([each.vector for each in concept]),
        failed=reader.failed,
        settings={
            **net_settings(net),
            **{"at_layer": runs.layer.name, "pooled": options.pooled, "most_images": options.most_images},
            **{"random_vectors": len(random), "tests": len(class_ids), "seed": options.seed},
            **{"positive": _named(positive), "negative": ", ".join(map(_named, _several(negative)))},
        },
    )
    return found if folder is None else _write(folder, found)


def _write(folder: str, found: Tcav) -> Tcav:
    rows: List[Sequence[object]] = [("class_id", "label", "kind", "vector", "score")]
    for each in found.classes:
        for kind, scores in (("concept", each.scores), ("random", each.random_scores)):
            rows += [(each.class_id, each.label, kind, n + 1, f"{score:.6g}") for n, score in enumerate(scores)]
    classes = [{**each.as_json(), "sentence": sentence(each, found)} for each in found.classes]
    write_numbers(folder, _STEM, {**found.as_json(), "classes": classes}, rows)
    found = replace(found, page=os.path.join(folder, f"{_STEM}.html"))
    write_tcav_page(found)
    return replace(found, page=page_in_report(folder, found.page))


def _named(images: Any) -> str:
    """Return a path as text, and how many images a list of them has."""
    if isinstance(images, (list, tuple)):
        return counted(len(images))
    return readable(os.fspath(images))


def _several(negative: Any) -> List[Any]:
    """Return the negative folders; a list of paths is several of them."""
    folders = list(negative) if isinstance(negative, (list, tuple)) else [negative]
    if not folders:
        raise OptionError("there are no negative images; give a folder of images that do not show the concept")
    return folders


def _class_ids(runs: LayerRuns, targets: Any) -> List[int]:
    given = targets if isinstance(targets, (list, tuple)) and targets else [targets]
    return list(dict.fromkeys(runs.class_id(each) for each in given))


def _sensitivity(
    runs: LayerRuns, class_id: int, shares: np.ndarray, concept: int, tests: int, accuracy: float
) -> ClassSensitivity:
    scores, random = shares[:concept], shares[concept:]
    p = probability_by_chance(scores, random, tests)
    return ClassSensitivity(class_id, runs.name(class_id), scores, random, p, verdict_of(p, accuracy))


class _FolderReader:
    """Reads folders, and runs the net on them."""

    def __init__(self, net: BoundNet, runs: LayerRuns, folder: str, options: TcavOptions) -> None:
        self._net, self._runs, self._folder, self._options = net, runs, folder, options
        self._shape: Tuple[int, ...] = ()
        self.failed: Dict[str, str] = {}

    def _batches(self, images: Union[str, Sequence[str]]) -> ImageBatches:
        options = self._options
        stream = StreamOptions(n_images=options.most_images, seed=options.seed, max_pixels=options.max_pixels)
        return ImageBatches(self._net, images, self._folder, stream, self._runs.chunk, options.progress, self.failed)

    def features(self, images: Any) -> np.ndarray:
        """Return the features of the images of a folder as rows: float32 [N, D]."""
        found = []
        for batch in self._batches(images).batches():
            found.append(self._rows(self._runs.features(stacked(batch))[0], mean=True))
        return np.concatenate(found)

    def rises(self, images: Any, class_ids: Sequence[int], directions: Sequence[Direction]) -> Tuple[np.ndarray, int]:
        """Return the share of images whose logit rises along each direction, float64 [T, V], and their number."""
        vectors = np.stack([each.vector for each in directions], axis=1)
        positive = np.zeros((len(class_ids), len(directions)))
        moved = np.zeros(len(class_ids), bool)
        count = 0
        for batch in self._batches(images).batches():
            pixels = stacked(batch)
            count += len(batch)
            for number, class_id in enumerate(class_ids):
                grads = self._rows(self._runs.gradients(pixels, class_id), mean=False)
                moved[number] |= bool(grads.any())
                positive[number] += (grads @ vectors > 0).sum(axis=0)
        for number, class_id in enumerate(class_ids):
            if not moved[number]:
                raise GradientError(
                    f"the gradient of {self._runs.name(class_id)!r} at '{self._runs.layer.name}' is zero for all "
                    "images, so no direction can be tested; name another layer (--layer)"
                )
        return positive / count, count

    def _rows(self, values: np.ndarray, mean: bool) -> np.ndarray:
        """Flatten features, or pool them: a step of the mean is one of all positions, whose gradients add up."""
        if self._options.pooled:
            pooled: np.ndarray = values.mean(axis=(1, 2)) if mean else values.sum(axis=(1, 2))
            return pooled
        if self._shape not in ((), values.shape[1:]):
            raise OptionError(
                f"the features are {list(self._shape)} for one image and {list(values.shape[1:])} for another; give "
                "the net one size (--size), or pool the positions (pooled=True, --pooled)"
            )
        self._shape = values.shape[1:]
        return values.reshape(len(values), -1)
