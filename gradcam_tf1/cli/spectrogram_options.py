"""Command-line options of the axes of spectrograms."""

from __future__ import annotations

from typing import Any

import click

from gradcam_tf1.cli.shared_options import Command, numbers, with_options
from gradcam_tf1.drawing.figure_kinds import SPECTROGRAM
from gradcam_tf1.drawing.spectrogram_axes import FREQUENCY_SCALES, SIDES, SpectrogramAxes
from gradcam_tf1.errors import OptionError

_OPTIONS = (
    click.option("--sample-rate", type=float, metavar="HZ", help="Spectrograms: samples of the sound per second."),
    click.option("--hop", type=float, metavar="SAMPLES", help="Spectrograms: samples from one frame to the next."),
    click.option(
        "--frequency-scale",
        type=click.Choice(tuple(FREQUENCY_SCALES)),
        help="Spectrograms: how the frequencies are spaced; mel-htk as in TensorFlow and torchaudio, mel-slaney as in "
        "librosa.",
    ),
    click.option(
        "--low-frequencies",
        type=click.Choice(SIDES),
        help="Spectrograms: where the low frequencies are in the overlays: left of arrays [T, F], top of arrays "
        "[F, T], bottom of pictures.",
    ),
    click.option(
        "--frequencies",
        callback=numbers,
        metavar="LOW,HIGH",
        help="Spectrograms: the lowest and highest frequency in Hz, of mel the ends of the filter bank (default: 0 and "
        "half the sample rate).",
    ),
)
_FIELDS = {  # of the command line -> of SpectrogramAxes
    "sample_rate": "sample_rate",
    "hop": "hop",
    "frequency_scale": "scale",
    "low_frequencies": "low_frequencies",
}


def spectrogram_options(command: Command) -> Command:
    """Add the options of the axes; `make_axes` reads them."""
    return with_options(_OPTIONS)(command)


def make_axes(options: dict[str, Any]) -> SpectrogramAxes | None:
    """Take the options of the axes out of `options`; None if there are none. Raises OptionError."""
    given = {name: options.pop(name) for name in (*_FIELDS, "frequencies")}
    asked = [name for name, value in given.items() if value is not None]
    if not asked and SPECTROGRAM not in options["figures"]:
        return None
    missing = [_flag(name) for name in _FIELDS if name not in asked]
    if missing:
        what = f"--figure {SPECTROGRAM}" if SPECTROGRAM in options["figures"] else _flag(asked[0])
        raise OptionError(f"{what} needs {', '.join(missing)}, too: without them the axes would be guessed")
    ends = given.pop("frequencies")
    fields: dict[str, Any] = {_FIELDS[name]: value for name, value in given.items()}
    fields["frequencies"] = None if ends is None else tuple(ends)
    return SpectrogramAxes(**fields)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
