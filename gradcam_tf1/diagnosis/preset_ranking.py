"""Which preprocessing a net was trained with: measures, their ranking, and which cannot be told apart.

The first measure that is known decides:

1. the share of right classes, where the truth is known;
2. what the graph itself shows, see `Binding.preprocessing`;
3. the distance of the features from those that the net's first batch norm recorded in training;
4. how well the answer to an image predicts the answers to small changes of it. In nats above guessing by the overall
   frequency of the classes, mean over all pairs of views a, b: sum over the classes of p_a (log p_b - log p_mean). A
   range that is too large makes the net confident but erratic, one that is too small makes it answer always the same;
   both lower this number, while the top probability rises with the range.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import List, Optional, Sequence, Set

import numpy as np

from gradcam_tf1.diagnosis.net_answers import Answers
from gradcam_tf1.diagnosis.norm_records import NormRecord
from gradcam_tf1.diagnosis.preset_candidates import PresetCandidate

LEAST_IMAGES = 5  # with fewer, no two preprocessings are told apart
DOUBT = 0.05  # share of the resamples in which another one is at least as good
POOR_FIT = 0.5  # nats; the right preprocessing of the nets in docs/choosing-preprocessing.md has at most 0.1
LEAST_AGREEMENT = 0.01  # nats; with less, the answers say nothing about the images
_RESAMPLES = 1000
_FLOOR = 1e-6  # of a probability in a logarithm


@dataclass(frozen=True)
class PresetRow:
    """One preprocessing and its measures; None for what was not measured.

    Attributes
    ----------
    candidate : PresetCandidate
        The preprocessing.
    shown : bool
        Whether the graph itself shows it.
    accuracy : float or None
        Share of the images whose top class is the right one.
    norm_distance : float or None
        Nats, 0 for features as in training.
    agreement : float or None
        Nats, see above.
    top, entropy : float
        Mean of the top probability, and of the entropy of the probabilities in nats; NaN if an answer is not finite.
    changed : float
        Share of the images with another top class than under the first row.
    tied : bool
        Whether the first row cannot be told from it.
    """

    candidate: PresetCandidate
    shown: bool
    accuracy: Optional[float]
    norm_distance: Optional[float]
    agreement: Optional[float]
    top: float
    entropy: float
    changed: float
    tied: bool


@dataclass(frozen=True)
class PresetTrial:
    """One preprocessing and what the net answered.

    Attributes
    ----------
    candidate : PresetCandidate
        The preprocessing.
    shown : bool
        Whether the graph shows it.
    views : sequence of Answers
        To the images; also to their small changes, if these decide.
    """

    candidate: PresetCandidate
    shown: bool
    views: Sequence[Answers]


def rank(
    trials: Sequence[PresetTrial], truth: Optional[Sequence[Set[int]]], norm: Optional[NormRecord]
) -> List[PresetRow]:
    """Rank preprocessings, the best first.

    Parameters
    ----------
    trials : sequence of PresetTrial
        The preprocessings and their answers, with the same images.
    truth : sequence of set or None
        The right classes of each image, if they are known.
    norm : NormRecord or None
        The first batch norm.
    """
    draws = _draws(len(trials[0].views[0].probabilities))
    scores = np.array([_scores(trial, truth, norm, draws) for trial in trials])  # [trials, 1 + resamples]
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    shown = np.array([trial.shown and truth is None for trial in trials])
    order = sorted(range(len(trials)), key=lambda number: (not shown[number], -scores[number, 0]))
    first = order[0]
    few = draws.shape[1] < LEAST_IMAGES
    doubtful = (scores[:, 1:] >= scores[first, 1:]).mean(axis=1) > DOUBT
    tied = doubtful | few if not shown[first] else np.zeros(len(trials), bool)
    leading = _tops(trials[first])
    return [_row(trials[number], truth, norm, leading, bool(tied[number]) and number != first) for number in order]


def _draws(images: int) -> np.ndarray:
    """Return how often each image counts: all once, then in each resample with replacement: [1 + resamples, N]."""
    drawn = np.random.RandomState(0).multinomial(images, np.full(images, 1 / images), _RESAMPLES)
    return np.concatenate([np.ones((1, images)), drawn]) / images


def _scores(
    trial: PresetTrial, truth: Optional[Sequence[Set[int]]], norm: Optional[NormRecord], draws: np.ndarray
) -> np.ndarray:
    """Return the deciding measure for each resample, the higher the better: float64 [1 + resamples]."""
    plain = trial.views[0]
    if truth is not None:
        return np.asarray(draws @ _right(trial, truth))
    if not plain.finite:
        return np.full(len(draws), -np.inf)
    if norm is not None and plain.mean is not None and plain.square is not None:
        return -norm.distance(draws @ plain.mean, draws @ plain.square)
    return np.asarray(draws @ _agreements(trial.views))


def _right(trial: PresetTrial, truth: Sequence[Set[int]]) -> np.ndarray:
    return np.array([top in classes for top, classes in zip(_tops(trial).tolist(), truth)], np.float64)


def _tops(trial: PresetTrial) -> np.ndarray:
    """Return the top class of each image; -1 where there is none."""
    answers = trial.views[0].probabilities
    tops: np.ndarray = np.where(np.isfinite(answers).all(axis=1), answers.argmax(axis=1), -1)
    return tops


def _agreements(answers: Sequence[Answers]) -> np.ndarray:
    """Return the agreement of the views of each image, in nats: float64 [N]."""
    if not all(view.finite for view in answers):
        return np.full(len(answers[0].probabilities), -np.inf)
    sides = [[view.probabilities for view in answers]]
    if answers[0].independent:
        sides.append([1 - view for view in sides[0]])
    total = np.zeros(len(answers[0].probabilities))
    for probabilities in sides:
        logs = [np.log(np.maximum(view, _FLOOR)) for view in probabilities]
        base = np.log(np.maximum(np.mean(probabilities, axis=(0, 1)), _FLOOR))
        for a, b in permutations(range(len(answers)), 2):
            total += (probabilities[a] * (logs[b] - base)).sum(axis=1)
    return total / max(1, len(answers) * (len(answers) - 1))


def _row(
    trial: PresetTrial,
    truth: Optional[Sequence[Set[int]]],
    norm: Optional[NormRecord],
    leading: np.ndarray,
    tied: bool,
) -> PresetRow:
    plain = trial.views[0]
    probabilities = plain.probabilities
    entropy = -(probabilities * np.log(np.maximum(probabilities, _FLOOR))).sum(axis=1)
    distance = None
    if norm is not None and plain.mean is not None and plain.square is not None:
        distance = float(norm.distance(plain.mean.mean(axis=0), plain.square.mean(axis=0)))
    return PresetRow(
        candidate=trial.candidate,
        shown=trial.shown,
        accuracy=None if truth is None else float(_right(trial, truth).mean()),
        norm_distance=distance,
        agreement=float(_agreements(trial.views).mean()) if len(trial.views) > 1 else None,
        top=float(probabilities.max(axis=1).mean()),
        entropy=float(entropy.mean()),
        changed=float((_tops(trial) != leading).mean()),
        tied=tied,
    )
