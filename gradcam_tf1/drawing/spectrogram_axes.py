"""The axes of spectrograms: the time of a frame, the frequency of a row, and round numbers to write at them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError

SIDES = ("left", "right", "top", "bottom")
_TICKS, _FEWEST = 7, 4  # frequencies that are written
_APART = 0.055  # least distance of two of them, as a share of the axis
_LINEAR, _OCTAVES, _STEP = 1000.0, 27.0 / np.log(6.4), 200.0 / 3  # Slaney: Hz up to which a mel is 200 / 3 Hz


def _htk(hertz: np.ndarray) -> np.ndarray:
    return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))


def _from_htk(mel: np.ndarray) -> np.ndarray:
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))


def _slaney(hertz: np.ndarray) -> np.ndarray:
    above = _LINEAR / _STEP + _OCTAVES * np.log(np.maximum(hertz, _LINEAR) / _LINEAR)
    return np.where(hertz < _LINEAR, hertz / _STEP, above)


def _from_slaney(mel: np.ndarray) -> np.ndarray:
    above = _LINEAR * np.exp(np.maximum(mel - _LINEAR / _STEP, 0.0) / _OCTAVES)
    return np.where(mel < _LINEAR / _STEP, mel * _STEP, above)


def _same(values: np.ndarray) -> np.ndarray:
    return values


# name -> (Hz to even steps, back, whether the ends of the range are edges of filters: no row lies at them)
_Steps = Callable[[np.ndarray], np.ndarray]
FREQUENCY_SCALES: Dict[str, Tuple[_Steps, _Steps, bool]] = {
    "linear": (_same, _same, False),
    "log": (np.log, np.exp, False),
    "mel-htk": (_htk, _from_htk, True),
    "mel-slaney": (_slaney, _from_slaney, True),
}


@dataclass(frozen=True)
class SpectrogramAxes:
    """What the rows and columns of spectrograms are, for `RunOptions.axes`.

    Attributes
    ----------
    sample_rate : float
        Samples per second of the sound.
    hop : float
        Samples from one frame to the next.
    scale : {"linear", "log", "mel-htk", "mel-slaney"}
        How the frequencies are spaced: linear as of a Fourier transform; log as of a constant-Q transform; mel of HTK,
        2595 log10(1 + f / 700), as in TensorFlow, Kaldi and torchaudio; or mel of Slaney, linear up to 1000 Hz and
        logarithmic above, as in librosa.
    low_frequencies : {"left", "right", "top", "bottom"}
        Where the low frequencies are if the array is looked at as an image, whose first axis goes down: "left" of
        [T, F], "top" of [F, T], "bottom" of a picture of a spectrogram.
    frequencies : (float, float), optional
        The lowest and the highest frequency in Hz: of the first and last row, or the ends of the bank of mel filters,
        whose centres lie in between. By default 0 and half the sample rate.

    Raises
    ------
    OptionError
        If a value is not possible.
    """

    sample_rate: float
    hop: float
    scale: str
    low_frequencies: str
    frequencies: Optional[Tuple[float, float]] = None

    def __post_init__(self) -> None:
        for name in ("sample_rate", "hop"):
            if not _is_number(getattr(self, name)) or not 0 < getattr(self, name) < np.inf:
                raise OptionError(f"{name} is a number above 0, not {getattr(self, name)!r}")
            object.__setattr__(self, name, float(getattr(self, name)))
        for name, possible in (("scale", tuple(FREQUENCY_SCALES)), ("low_frequencies", SIDES)):
            if getattr(self, name) not in possible:
                raise OptionError(f"{name} is one of {', '.join(possible)}, not {getattr(self, name)!r}")
        low, high = self._range()
        most = self.sample_rate / 2
        if not 0 <= low < high <= most:
            raise OptionError(
                f"frequencies go from LOW to a greater HIGH, in Hz, within 0 to {most:g} (half the sample rate), not "
                f"{low:g} to {high:g}"
            )
        if self.scale == "log" and low == 0:
            raise OptionError("a log scale has no 0 Hz; give the frequencies of the first and last row")

    def seconds(self, frames: int) -> float:
        """Return the length of a sound of this many frames: frames * hop / sample rate."""
        return frames * self.hop / self.sample_rate

    def rows(self, count: int) -> np.ndarray:
        """Return the frequency of each of `count` rows in Hz, the lowest first: float64 [F]."""
        steps, back, edges = FREQUENCY_SCALES[self.scale]
        low, high = steps(np.array(self._range(), np.float64))
        inside = edges or count == 1
        return back(np.linspace(low, high, count + 2)[1:-1] if inside else np.linspace(low, high, count))

    def _range(self) -> Tuple[float, float]:
        if self.frequencies is None:
            return 0.0, self.sample_rate / 2
        given: Any = self.frequencies
        if not isinstance(given, (tuple, list)) or len(given) != 2 or not all(map(_is_number, given)):
            raise OptionError(f"frequencies are two numbers, LOW and HIGH in Hz, not {given!r}")
        return float(given[0]), float(given[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def upright(pixels: np.ndarray, low_frequencies: str) -> np.ndarray:
    """Turn [H, W, ...] so that time goes to the right and frequency upwards."""
    turned = np.swapaxes(pixels, 0, 1) if low_frequencies in ("left", "right") else pixels
    return turned[::-1] if low_frequencies in ("left", "top") else turned


def frequency_ticks(frequencies: np.ndarray) -> List[Tuple[float, str]]:
    """Return round frequencies and where they lie among the rows.

    Parameters
    ----------
    frequencies : np.ndarray
        Of the rows, rising: float64 [F].

    Returns
    -------
    list of (float, str)
        Position, 0 for the middle of the first row and 1 for that of the next, and what to write there.
    """
    if len(frequencies) == 1:
        return [(0.0, _hertz(frequencies[0]))]
    places = np.arange(len(frequencies))
    found: List[Tuple[float, str]] = []
    for frequency in _round(frequencies):
        place = float(np.interp(frequency, frequencies, places))
        if not found or place - found[-1][0] >= _APART * len(frequencies):
            found.append((place, _hertz(frequency)))
    return found


def _round(frequencies: np.ndarray) -> np.ndarray:
    """Return round numbers in the range: 1, 2 and 5 times powers of ten, or evenly apart if rows are or it is short."""
    from matplotlib.ticker import MaxNLocator

    low, high = frequencies[0], frequencies[-1]
    steps, positive = np.diff(frequencies), frequencies[frequencies > 0]
    powers = 10.0 ** (np.floor(np.log10(positive.min())) + np.arange(20)) if positive.size else ()
    values = np.array([digit * power for power in powers for digit in (1, 2, 5)])
    if np.allclose(steps, steps[0]) or np.sum((values >= low) & (values <= high)) < _FEWEST:
        values = np.array(MaxNLocator(_TICKS, steps=[1, 2, 5, 10]).tick_values(low, high))
    slack = 1e-9 * abs(high)
    kept: np.ndarray = values[(values >= low - slack) & (values <= high + slack)]
    return kept


def _hertz(frequency: float) -> str:
    """Return a frequency as it is written: 12,000 and 0.125."""
    return f"{frequency:,.6g}" if frequency < 1e6 else f"{frequency:,.0f}"
