"""Shapley values of the parts of an input: what each adds to the score, averaged over the sets of the others."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from typing import Any, Iterator, List, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.mask_sampler import MaskSampler, random_sets, row_chunks
from gradcam_tf1.methods.surrogate import check_fitted

# of P parts: each alone and all but each, and as many at random
_FEWEST = 4


def kernelshap(sampler: MaskSampler, *, samples: int, seed: int) -> np.ndarray:
    """min_v sum_S k(S) (y(S) - y(0) - sum_{i in S} v_i)^2 where sum_i v_i = y(x) - y(0).

    y(S) is the score with only the parts in S shown, and k(S) = (P - 1) / (C(P, s) s (P - s)), s = |S|, the Shapley
    kernel. With all 2^P sets v are the Shapley values. With fewer, the sizes 1 and P - 1 are taken whole, then the
    next ones as long as this costs no more than to draw them; the others are drawn at random, each with its complement.

    Parameters
    ----------
    sampler : MaskSampler
        Has the image and its P parts.
    samples : int
        How many sets at most. Sets that are drawn twice are run once.
    seed : int
        Of the sets.

    Returns
    -------
    np.ndarray
        v, float64 [P, T], signed.

    Raises
    ------
    OptionError
        For fewer samples than 4 P and 2^P, or too many of them or of the parts.

    References
    ----------
    KernelSHAP, https://arxiv.org/abs/1705.07874
    """
    sampler.check_samples(kernelshap_runs(sampler.players, samples=samples), sampler.players)
    check_fitted(sampler.players)
    needed = min(2**sampler.players, _FEWEST * sampler.players)
    if samples < needed:
        raise OptionError(
            f"kernelshap of {sampler.players} parts needs at least {needed} samples, not {samples}; give more samples, "
            "or fewer parts by count"
        )
    sets, weights = shapley_sets(sampler.players, samples, seed)
    hidden, whole = sampler.ends()
    values = constrained_fit(sets, weights, sampler.scores(sets) - hidden, whole - hidden)
    exact = len(sets) + 2 == 2**sampler.players
    sampler.note_sum(values, whole - hidden, "exact, of all sets" if exact else f"from {len(sets) + 2} sets of parts")
    return values


def kernelshap_runs(players: int, *, samples: int, **_others: Any) -> int:
    """Return one for each sample, or each set of parts where these are fewer."""
    return int(min(samples, 2**players))


def shapley_sets(players: int, samples: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Choose sets of parts, without the empty and the full one, and their weights in the fit.

    Parameters
    ----------
    players : int
        P.
    samples : int
        Number of sets at most, counting the empty and the full one.
    seed : int
        Of the sets that are drawn.

    Returns
    -------
    tuple
        bool [M, P] and float64 [M].
    """
    sizes = list(range(1, players // 2 + 1))
    # of each size with the sets of the complements: how many, and their share of the kernel
    numbers = [_choose(players, size) * _sides(players, size) for size in sizes]
    shares = [(players - 1) / (size * (players - size)) * _sides(players, size) for size in sizes]
    whole = 2**players <= samples
    left = samples - 2
    rows: List[np.ndarray] = [np.zeros((0, players), bool)]
    weights: List[np.ndarray] = [np.zeros(0)]
    taken = 0
    for size, number, share in zip(sizes, numbers, shares):
        if not (whole or size == 1 or left * share / sum(shares[taken:]) >= number):
            break
        rows.append(_sets_of(players, size))
        weights.append(np.full(number, share / number))
        left, taken = left - number, taken + 1
    if taken < len(sizes):
        drawn, times = _drawn(players, np.array(sizes[taken:]), np.array(shares[taken:]), left // 2, seed)
        rows.append(drawn)
        weights.append(times * sum(shares[taken:]) / times.sum())
    return np.concatenate(rows), np.concatenate(weights)


def _choose(n: int, k: int) -> int:
    return factorial(n) // (factorial(k) * factorial(n - k))


def _sides(players: int, size: int) -> int:
    """Return 2 where the complements of a set have another size."""
    return 1 if 2 * size == players else 2


def _sets_of(players: int, size: int) -> np.ndarray:
    """Return all sets of a size, and their complements where these have another one: bool [m, P]."""
    members = np.array(list(combinations(range(players), size)))
    sets = np.zeros((len(members), players), bool)
    sets[np.arange(len(members))[:, np.newaxis], members] = True
    return sets if _sides(players, size) == 1 else np.concatenate([sets, ~sets])


def _drawn(players: int, sizes: np.ndarray, shares: np.ndarray, pairs: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Draw pairs of a set and its complement: the different ones, bool [m, P], and how often each came, int [m]."""
    random = np.random.RandomState(seed)
    drawn = random.choice(sizes, size=pairs, p=shares / shares.sum())
    sets = random_sets(random, drawn, players)
    return np.unique(np.concatenate([sets, ~sets]), axis=0, return_counts=True)


def constrained_fit(sets: np.ndarray, weights: np.ndarray, gains: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Fit gains [M, T] by sums over sets [M, P], weighted [M], with values that add up to `total` [T]: [P, T]."""
    if sets.shape[1] == 1:
        return total[np.newaxis]
    square, product = np.zeros((sets.shape[1],) * 2), np.zeros((sets.shape[1], gains.shape[1]))
    for rows in row_chunks(*sets.shape):
        weighted = sets[rows].T * weights[rows]
        square += weighted @ sets[rows]
        product += weighted @ gains[rows]
    solved = np.linalg.solve(square, np.column_stack([product, np.ones(sets.shape[1])]))
    free, one = solved[:, :-1], solved[:, -1:]
    return np.asarray(free - one * (free.sum(axis=0) - total) / one.sum())


def shapley_sampling(sampler: MaskSampler, *, permutations: int, antithetic: bool, seed: int) -> np.ndarray:
    """mean_o y(parts up to i in order o) - y(those before i), over random orders o of the parts.

    It has no bias, and adds up to y(x) - y(0) for any number of orders.

    Parameters
    ----------
    sampler : MaskSampler
        Has the image and its P parts.
    permutations : int
        Number of orders.
    antithetic : bool
        Whether every second order is the one before it backwards, which is nearer to the limit for most scores.
    seed : int
        Of the orders.

    Returns
    -------
    np.ndarray
        float64 [P, T], signed.

    Raises
    ------
    OptionError
        If the orders do not fit in memory.

    References
    ----------
    Castro 2009, https://doi.org/10.1016/j.cor.2008.04.004; Mitchell 2022, https://arxiv.org/abs/2104.12199
    """
    sampler.check_samples(permutations, sampler.players * sampler.targets, "permutations")
    orders = random_orders(sampler.players, permutations, antithetic, seed)
    hidden, whole = sampler.ends()
    between = sampler.scores(_prefixes(orders)).reshape((permutations, sampler.players - 1, len(whole)))
    first, last = (np.broadcast_to(each, (permutations, 1, len(whole))) for each in (hidden, whole))
    steps = np.diff(np.concatenate([first, between, last], axis=1), axis=1)
    gains = np.empty_like(steps)
    np.put_along_axis(gains, orders[..., np.newaxis], steps, axis=1)
    values = gains.mean(axis=0)
    sampler.note_sum(values, whole - hidden, _error_of(gains, antithetic))
    return np.asarray(values)


def _error_of(gains: np.ndarray, antithetic: bool) -> str:
    """Say how exact the mean of gains [orders, P, T] over the orders is; an order and its reverse count once."""
    size = 2 if antithetic else 1
    whole = len(gains) // size * size
    groups = gains[:whole].reshape((-1, size, *gains.shape[1:])).mean(axis=1)
    if len(groups) < 2:
        return f"from {len(gains)} orders of the parts"
    error = groups.std(axis=0, ddof=1).max() / np.sqrt(len(groups))
    return f"from {len(gains)} orders of the parts, standard error at most {error:.2g}"


def random_orders(players: int, permutations: int, antithetic: bool, seed: int) -> np.ndarray:
    """Return orders of the parts, every second one reversed where antithetic: int [permutations, P]."""
    random = np.random.RandomState(seed)
    orders = random.random_sample((permutations, players)).argsort(axis=1)
    if antithetic:
        orders[1::2] = orders[: permutations - 1 : 2, ::-1]
    return orders


def _prefixes(orders: np.ndarray) -> Iterator[np.ndarray]:
    """Yield for each order the sets of its first 1, 2, ... P - 1 parts: bool [P]."""
    for order in orders:
        shown = np.zeros(len(order), bool)
        for player in order[:-1]:
            shown[player] = True
            yield shown.copy()


def shapley_sampling_runs(players: int, *, permutations: int, **_others: Any) -> int:
    """Return P - 1 for each order, 1 for the image as it is, and 1 with everything hidden."""
    return permutations * (players - 1) + 2
