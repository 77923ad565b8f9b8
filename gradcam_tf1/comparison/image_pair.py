"""What two models say of one image: classes, scores, and how alike their maps are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.comparison.compare_options import CompareOptions
from gradcam_tf1.comparison.map_agreement import MEASURES, Similarity, map_similarity
from gradcam_tf1.comparison.matched_classes import ClassSide, MatchedClasses, match_classes
from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.errors import OptionError, RunError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.methods.choices import choose_methods, opened_methods
from gradcam_tf1.metrics.similarity import spearman

_SAME = 1e-3  # a probability is the sigmoid of its logit
TOP = 5  # classes whose overlap is measured
NAMES = ("A", "B")
# keys of a row that are numbers of one image
SCORES = (
    *("top5_overlap", "probability_difference", "mean_probability_difference"),
    *("logit_difference", "mean_logit_difference", "rank_correlation"),
)

Row = Dict[str, Any]
Numbers = Dict[str, Optional[float]]


@dataclass(frozen=True)
class FittedTwice(Fitted):
    """An image at the size of A's input, and at the size of B's."""

    other: Fitted


@dataclass(frozen=True)
class NetAnswer:
    """What a net answers to one image.

    Attributes
    ----------
    logits, probabilities : np.ndarray
        float64 [C].
    """

    logits: np.ndarray
    probabilities: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """The ids of all classes, the highest score first."""
        return np.argsort(-self.logits, kind="stable")


@dataclass(frozen=True)
class ComparedImage:
    """The row of an image, and the maps that it is about.

    Attributes
    ----------
    row : dict
        The numbers, see docs/comparing-models.md.
    maps : mapping
        Method -> maps of A's top class in A and in B, and B's map of its own top class; None where there is none.
    """

    row: Row
    maps: Dict[str, Tuple[Optional[Map], Optional[Map], Optional[Map]]]


class NetPair:
    """Two nets that are asked about the same images.

    Parameters
    ----------
    net_a, net_b : GradCamGraph
        The nets.
    options : CompareOptions
        What is compared.

    Attributes
    ----------
    note : str
        A sentence on how probabilities were made comparable; "" if they are.

    Raises
    ------
    OptionError
        If the nets do not take the same kind of images, or a method does not work on one of them.
    """

    def __init__(self, net_a: GradCamGraph, net_b: GradCamGraph, options: CompareOptions) -> None:
        self.nets = (net_a, net_b)
        chosen = choose_methods(options.methods)
        self.methods, self._chosen = list(chosen), opened_methods(chosen)
        self._options = options
        self._classes: Optional[MatchedClasses] = None
        self._sides: Tuple[ClassSide, ...] = ()
        self.note = ""
        for name, net in zip(NAMES, self.nets):
            _check_net(name, net, options)
        if net_a.channels_in != net_b.channels_in:
            raise OptionError(
                f"A takes images of {net_a.channels_in} channels and B of {net_b.channels_in}, so no image fits both"
            )

    @property
    def classes(self) -> Optional[MatchedClasses]:
        """The classes that both have; None before the first image."""
        return self._classes

    def fit(self, image: np.ndarray) -> FittedTwice:
        """Bring an image to the sizes of both inputs."""
        first, other = (net.fit_pixels(image) for net in self.nets)
        return FittedTwice(first.pixels, first.placement, other)

    def compare(self, fitted: FittedTwice) -> ComparedImage:
        """Compare what both nets say of an image.

        Raises
        ------
        OptionError
            If the classes of the nets cannot be matched.
        """
        inputs = (Fitted(fitted.pixels, fitted.placement), fitted.other)
        answers, reasons = [], {}
        for name, net, image in zip(NAMES, self.nets, inputs):
            answer, reason = _ask(net, image)
            answers.append(answer)
            if reason:
                reasons[name] = reason
        if answers[0] is None or answers[1] is None:
            return ComparedImage({"no_answer": reasons}, {})
        first, second = self._alike(answers[0], answers[1])
        classes = self._matched(first, second)
        row = {"no_answer": {}, **self._class_row(first, second, classes), **_score_row(first, second, classes)}
        asked = (row["class_a"], classes.in_b(row["class_a"]), row["class_b"])
        try:
            maps = self._maps(inputs, *asked)
        except (RunError, MemoryError) as error:
            return ComparedImage({"no_answer": dict.fromkeys(NAMES, f"no maps: {error}")}, {})
        row["maps"] = {method: _similarities(found) for method, found in maps.items()}
        row["distance"] = _distance(row)
        return ComparedImage(row, maps)

    def class_name(self, which: int, class_id: int) -> str:
        """Return what a class of net 0 or 1 is called."""
        return self._sides[which].name(class_id)

    def _alike(self, a: NetAnswer, b: NetAnswer) -> Tuple[NetAnswer, NetAnswer]:
        """Return both answers with probabilities of one kind, where only one graph has some."""
        known = [bool(net.binding.probabilities or net.binding.score_parts) for net in self.nets]
        if known[0] == known[1]:
            return a, b
        has, lacks = (a, b) if known[0] else (b, a)
        independent = np.allclose(has.probabilities, _sigmoid(has.logits), atol=_SAME)
        self.note = (
            f"{NAMES[int(known[0])]} has no probabilities in its graph; they are the "
            f"{'sigmoid' if independent else 'softmax'} of its logits, as in {NAMES[int(known[1])]}"
        )
        if independent:
            lacks = NetAnswer(lacks.logits, _sigmoid(lacks.logits))
        return (has, lacks) if known[0] else (lacks, has)

    def _matched(self, a: NetAnswer, b: NetAnswer) -> MatchedClasses:
        if self._classes is None:
            self._sides = tuple(
                ClassSide(len(answer.logits), net.labels, net.binding.background)
                for net, answer in zip(self.nets, (a, b))
            )
            self._classes = match_classes(*self._sides)
        return self._classes

    def _class_row(self, a: NetAnswer, b: NetAnswer, classes: MatchedClasses) -> Row:
        """Return the top classes, and whether they are the same."""
        top_a, top_b = int(a.best[0]), int(b.best[0])
        count = min(TOP, len(classes.a))
        first = [classes.in_b(int(class_id)) for class_id in a.best[:count]]
        return {
            **{"class_a": top_a, "name_a": self.class_name(0, top_a), "probability_a": float(a.probabilities[top_a])},
            **{"class_b": top_b, "name_b": self.class_name(1, top_b), "probability_b": float(b.probabilities[top_b])},
            "same_class": classes.in_b(top_a) == top_b,
            "top5_overlap": len({*first} & {*map(int, b.best[:count])}) / count,
        }

    def _maps(
        self, inputs: Sequence[Fitted], class_a: int, in_b: Optional[int], class_b: int
    ) -> Dict[str, Tuple[Optional[Map], Optional[Map], Optional[Map]]]:
        asked_b = [class_b] if in_b is None or in_b == class_b else [in_b, class_b]
        found_a, found_b = (
            net.explain([image], ids, self._chosen, score=self._options.score, options=self._options.explain)
            for net, image, ids in zip(self.nets, inputs, ([class_a], asked_b))
        )
        return {
            method: (
                found_a.map(method),
                None if in_b is None else found_b.map(method, t=0),
                found_b.map(method, t=len(asked_b) - 1),
            )
            for method in self.methods
        }


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(logits / 2))


def _check_net(name: str, net: GradCamGraph, options: CompareOptions) -> None:
    binding = net.binding
    if binding.array_shape is not None:
        raise OptionError(f"{name} takes signals, volumes or clips; compare takes two nets of single images")
    if binding.per_image:
        raise OptionError(
            f"{name} needs a value of {binding.per_image[0]!r} with each image; give one for all images with feed"
        )
    reasons = net.usable_methods(options.methods)[1]
    for method, reason in reasons.items():
        raise OptionError(f"{method!r} does not work on {name}: {reason}")


def _ask(net: GradCamGraph, image: Fitted) -> Tuple[Optional[NetAnswer], str]:
    """Return the net's answer, or None and the reason."""
    explainer = net.explainers[0]
    given = explainer.prepare([image])
    try:
        found = explainer.engine.evaluate(given.to_batch(given.pixels))
    except (RunError, MemoryError) as error:
        return None, str(error) or "out of memory"
    logits, probabilities = (found[name][0].astype(np.float64) for name in ("scores", "probabilities"))
    if np.isnan(logits).any() or np.isposinf(logits).any() or np.isneginf(logits).all():
        return None, "its scores are NaN or infinite"
    if not np.isfinite(probabilities).all():
        return None, "its probabilities are NaN or infinite"
    return NetAnswer(logits, probabilities), ""


def _score_row(a: NetAnswer, b: NetAnswer, classes: MatchedClasses) -> Numbers:
    """Return how far the scores of the classes of both are apart."""
    numbers: Numbers = {}
    for kind in ("probability", "logit"):
        name = "probabilities" if kind == "probability" else "logits"
        first, second = getattr(a, name)[classes.a], getattr(b, name)[classes.b]
        known = np.isfinite(first) & np.isfinite(second)  # a masked class has the logit -infinity
        apart = np.abs(first[known] - second[known])
        numbers[f"{kind}_difference"] = float(apart.max()) if apart.size else None
        numbers[f"mean_{kind}_difference"] = float(apart.mean()) if apart.size else None
        if kind == "logit":
            ranks = spearman(first[known][np.newaxis], second[known][np.newaxis]) if apart.size else np.nan
            numbers["rank_correlation"] = None if np.isnan(ranks) else ranks
    return numbers


def _similarities(maps: Tuple[Optional[Map], Optional[Map], Optional[Map]]) -> Dict[str, Similarity]:
    """Compare A's map with B's map of the same class, and with that of B's own class."""
    map_a, same, own = maps
    none: Similarity = dict.fromkeys(MEASURES)
    alike = none if map_a is None or same is None else map_similarity(map_a, same)
    return {"same": alike, "own": alike if map_a is None or own is None or own == same else map_similarity(map_a, own)}


def _distance(row: Row) -> float:
    """Return how much an image differs: the mean of the difference of a probability and of (1 - Spearman) / 2."""
    known: List[float] = [row["probability_difference"]] if row["probability_difference"] is not None else []
    alike = [each["same"]["spearman"] for each in row["maps"].values() if each["same"]["spearman"] is not None]
    known += [(1 - sum(alike) / len(alike)) / 2] if alike else []
    return sum(known) / len(known) if known else 0.0
