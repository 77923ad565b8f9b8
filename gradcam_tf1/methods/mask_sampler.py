"""One sampler for all methods that show parts of the input and hide the others."""

from __future__ import annotations

from typing import Iterable, Iterator, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.masking import Baseline, baseline_input, scores_of
from gradcam_tf1.methods.players import Segments, most_players, players_of

# of a table with a row for each sample: 512 MB of float64
_MOST_NUMBERS = 2**26
# numbers of the rows that are worked on at a time
_CHUNK = 2**22

# scores that differ by less than this share are equal but for rounding
_ROUNDING = 1e-6


class MaskSampler:
    """Scores the image with some of its parts hidden, for all targets at once and one chunk at a time.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x and its T targets; it reports the progress.
    segments, count
        The parts, see `players_of`.
    baseline : Baseline
        What replaces the hidden parts, see `baseline_input`.
    seed : int
        Of a random baseline.

    Attributes
    ----------
    players : int
        P, the number of parts.
    targets : int
        T.
    most : int
        What P is at most for images of this size.
    """

    def __init__(self, probe: ProbeBase, segments: Segments, count: int, baseline: Baseline, seed: int = 0) -> None:
        self._probe = probe
        self._parts = players_of(probe, segments, count)
        self._fill = baseline_input(probe, baseline, seed)
        self._name = baseline if isinstance(baseline, str) else "the given baseline"
        self._scored = 0
        self.players, self.targets = self._parts.count, probe.targets
        self.most = most_players(probe, segments, count)

    def check_samples(self, samples: int, columns: int, name: str = "samples") -> None:
        """Refuse samples whose tables would not fit in memory.

        Parameters
        ----------
        samples : int
            How many there are.
        columns : int
            Numbers of one sample, besides the scores of the targets.
        name : str
            The option that sets how many there are.

        Raises
        ------
        OptionError
            With the number that is possible.
        """
        most = _MOST_NUMBERS // max(1, columns, self.targets)
        if samples > most:
            raise OptionError(
                f"{samples} {name} of {self.players} parts and {self.targets} targets do not fit in memory; give "
                f"at most {most} {name}, or fewer parts by count"
            )

    def scores(self, coalitions: Iterable[np.ndarray]) -> np.ndarray:
        """Return the scores of the image under each mask.

        Parameters
        ----------
        coalitions : iterable of np.ndarray
            [P] each: bool, or float32 0 (hidden) to 1 (shown); taken one chunk at a time.

        Returns
        -------
        np.ndarray
            float64 [M, T].
        """
        found = scores_of(self._probe, self._parts.masks(coalitions), self._fill)
        self._scored += len(found)
        return found

    def ends(self) -> Tuple[np.ndarray, np.ndarray]:
        """Return the scores of the image with everything hidden, and as it is: two float64 [T]."""
        hidden, whole = self.scores(np.array([[False], [True]]).repeat(self.players, axis=1))
        return hidden, whole

    def map_of(self, values: np.ndarray, announced: int) -> np.ndarray:
        """Finish: return the map that holds the value of its part at each position.

        Parameters
        ----------
        values : np.ndarray
            [P, T].
        announced : int
            Number of runs that was reported before; those that were not needed count as done.

        Returns
        -------
        np.ndarray
            float32 [T, H, W].
        """
        self._probe.step(announced - self._scored)
        return self._parts.painted(values.T)

    def note(self, target: int, sentence: str) -> None:
        """Add a sentence to the notes of the target's map."""
        self._probe.note(target, sentence)

    def note_sum(self, values: np.ndarray, gains: np.ndarray, how: str) -> None:
        """Note for each target what the values [P, T] add up to, by how much the score rises, [T], and `how`."""
        for target, (total, gain) in enumerate(zip(values.sum(axis=0), gains)):
            self.note(
                target,
                f"completeness: the values of {self.players} parts add up to {total:.4g}, the score rises by "
                f"{gain:.4g} from {self._name}; {how}",
            )


def row_chunks(rows: int, columns: int) -> Iterator[slice]:
    """Yield the rows of a table in parts of bounded memory, at least one row each."""
    size = max(1, _CHUNK // max(1, columns))
    return (slice(start, min(rows, start + size)) for start in range(0, rows, size))


def random_sets(random: np.random.RandomState, sizes: np.ndarray, players: int) -> np.ndarray:
    """Draw a set of each of these sizes [M] among the parts, all equally likely: bool [M, P]."""
    sets = np.zeros((len(sizes), players), bool)
    for rows in row_chunks(len(sizes), players):
        ranks = random.random_sample(sets[rows].shape).argsort(axis=1).argsort(axis=1)
        sets[rows] = ranks < sizes[rows, np.newaxis]
    return sets


def same_scores(scores: np.ndarray) -> bool:
    """Whether scores [M] are equal but for rounding."""
    return bool(np.ptp(scores) <= _ROUNDING * np.abs(scores).max())
