"""How sure is a mean over images, and is one method better than another? Bootstrap intervals. No TensorFlow here."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError

_AT_ONCE = 2_000_000  # numbers in memory while values are drawn again

# scipy is imported in the functions because it takes long to import.


@dataclass(frozen=True)
class Interval:
    """A mean over images with its bootstrap interval.

    Attributes
    ----------
    mean : float
        The mean of the values that are known; NaN without any.
    low, high : float
        Bounds of the interval; the mean itself where all values are equal or there is one.
    n : int
        Number of values.
    confidence : float
        How often such an interval holds the mean of all images.
    """

    mean: float
    low: float
    high: float
    n: int
    confidence: float = 0.95

    @property
    def decided(self) -> bool:
        """Whether a difference is above or below 0: the interval excludes 0, and there are enough values to say so.

        n values that all have one sign do so by chance in 2^(1 - n) of all cases: at 0.95, six values are the fewest.
        """
        return enough(self.n, self.confidence) and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class PairDifference:
    """The difference of two methods on the same images.

    Attributes
    ----------
    first, second : str
        Their names; the first one has the higher mean.
    difference : Interval
        Of first - second, image by image, not corrected for the number of pairs.
    p : float
        The probability of such a difference by chance, corrected for the number of pairs.
    decided : bool
        Whether `p` is at most 1 - confidence.
    """

    first: str
    second: str
    difference: Interval
    p: float
    decided: bool


def enough(n: int, confidence: float = 0.95) -> bool:
    """Return whether n paired differences can decide anything: 2^(1 - n) <= 1 - confidence."""
    return n > 0 and 2.0 ** (1 - n) <= 1 - confidence


def bootstrap(values: np.ndarray, seed: int = 0, draws: int = 2000, confidence: float = 0.95) -> Interval:
    """Return the mean of the values with its percentile bootstrap interval.

    The images are drawn again with replacement; the interval holds the middle share of the means. It says how much the
    mean depends on which images were taken. With few images it is too narrow.

    Parameters
    ----------
    values : np.ndarray
        Float [N], one value per image; NaN for images without one, which are left out.
    seed, draws : int
        Of the random numbers, and how often the images are drawn again.
    confidence : float
        Above 0 and below 1.

    Returns
    -------
    Interval

    Raises
    ------
    OptionError
        If the values are not [N] or are infinite, or `confidence` or `draws` is out of bounds.

    References
    ----------
    https://doi.org/10.1214/aos/1176344552
    """
    return bootstraps([values], seed, draws, confidence)[0]


def bootstraps(
    rows: Sequence[np.ndarray], seed: int = 0, draws: int = 2000, confidence: float = 0.95
) -> List[Interval]:
    """Return the `bootstrap` of each row, faster than one by one: rows that know the same images are drawn together."""
    checked = [_checked(row, draws, confidence) for row in rows]
    groups: Dict[bytes, List[int]] = {}
    for place, row in enumerate(checked):
        groups.setdefault(np.isnan(row).tobytes(), []).append(place)
    found: Dict[int, Interval] = {}
    for places in groups.values():
        known = np.array([checked[place][~np.isnan(checked[place])] for place in places])
        found.update(zip(places, _intervals(known, seed, draws, confidence)))
    return [found[place] for place in range(len(checked))]


def _intervals(known: np.ndarray, seed: int, draws: int, confidence: float) -> List[Interval]:
    """Return the intervals of rows [M, N] without NaN."""
    count = known.shape[1]
    if count == 0:
        return [Interval(float("nan"), float("nan"), float("nan"), 0, confidence)] * len(known)
    means = known.mean(axis=1)
    low, high = means.copy(), means.copy()
    varied = known.min(axis=1) < known.max(axis=1)
    if varied.any():
        from scipy import stats

        found = stats.bootstrap(
            (known[varied],),
            np.mean,
            axis=-1,
            n_resamples=draws,
            batch=max(1, _AT_ONCE // known[varied].size),
            confidence_level=confidence,
            method="percentile",
            random_state=np.random.RandomState(seed),
        ).confidence_interval
        low[varied], high[varied] = found.low, found.high
    return [Interval(float(m), float(a), float(b), count, confidence) for m, a, b in zip(means, low, high)]


def paired_difference(
    a: np.ndarray, b: np.ndarray, seed: int = 0, draws: int = 2000, confidence: float = 0.95
) -> Interval:
    """Return the mean of a - b with its interval; images that lack a value in either are left out.

    Parameters
    ----------
    a, b : np.ndarray
        Float [N], the values of two methods on the same images in one order.
    seed, draws, confidence
        As in `bootstrap`.

    Returns
    -------
    Interval
        Its `decided` says whether the difference is not 0.

    Raises
    ------
    OptionError
        As `bootstrap`, and if the numbers of images differ.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape:
        raise OptionError(f"paired values are of the same images, these are {list(a.shape)} and {list(b.shape)}")
    return bootstrap(a - b, seed, draws, confidence)


def decided_pairs(
    values: Mapping[str, np.ndarray], seed: int = 0, draws: int = 2000, confidence: float = 0.95, against: str = ""
) -> Tuple[PairDifference, ...]:
    """Return the difference of every two methods, and which of them are decided.

    The p of a pair is that of the paired t test, and at least 2^(1 - m) for m differences that are not 0: less is not
    possible when signs are drawn by chance. Holm's step-down correction then keeps the probability of a single wrong
    decision among all pairs at 1 - confidence.

    Parameters
    ----------
    values : mapping
        Name -> float [N], values on the same images in one order.
    seed, draws, confidence
        As in `bootstrap`.
    against : str
        Only the pairs with this method, which are fewer to correct for; "" for all.

    Returns
    -------
    tuple of PairDifference
        In the order of the names, as in combinations of them.

    Raises
    ------
    OptionError
        As `paired_difference`.

    References
    ----------
    https://www.jstor.org/stable/4615733
    """
    pairs = (pair for pair in itertools.combinations(values, 2) if against in ("", *pair))
    ordered = [(b, a) if np.nansum(values[a] - values[b]) < 0 else (a, b) for a, b in pairs]
    corrected = holm(np.array([_chance(values[a] - values[b]) for a, b in ordered]))
    return tuple(
        PairDifference(
            a,
            b,
            paired_difference(values[a], values[b], seed, draws, confidence),
            float(p),
            bool(p <= 1 - confidence),
        )
        for (a, b), p in zip(ordered, corrected)
    )


def holm(p: np.ndarray) -> np.ndarray:
    """Return probabilities corrected for their number: the running maximum of (m - i) p_(i), at most 1.

    Parameters
    ----------
    p : np.ndarray
        Float [m], 0..1.

    Returns
    -------
    np.ndarray
        float64 [m] in the same order; each is to be compared with the level itself.

    References
    ----------
    https://www.jstor.org/stable/4615733
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return corrected


def _chance(differences: np.ndarray) -> float:
    """Return the probability of the mean of these differences, or a larger one, by chance."""
    known = differences[~np.isnan(differences)]
    others = int(np.count_nonzero(known))
    if others == 0:
        return 1.0
    least = 2.0 ** (1 - others)
    if known.min() == known.max():
        return min(1.0, least)
    from scipy import stats

    with warnings.catch_warnings():  # scipy doubts its digits where the differences are nearly the same
        warnings.simplefilter("ignore", RuntimeWarning)
        found = stats.ttest_1samp(known, 0.0).pvalue
    return float(min(1.0, max(least, found)))


def _checked(values: np.ndarray, draws: int, confidence: float) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or np.isinf(values).any():
        raise OptionError(f"a mean over images takes finite values [N], got {list(values.shape)}")
    if not (0 < confidence < 1 and draws >= 1):
        raise OptionError(f"confidence is above 0 and below 1, and draws at least 1, not {confidence!r} and {draws!r}")
    return values
