"""The preprocessings that a net may have been trained with: the presets, and those of colours in the other order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

from gradcam_tf1.images.preprocessing import PRESETS, Preprocessing, find_preset

# the further ones as the command line spells them; "custom" keeps the means in the net's order
_OTHER_ORDER = (
    ("inception, BGR", ("--preset", "inception", "--bgr")),
    (
        "torch, BGR",
        (
            "--preset",
            "custom",
            "--scale",
            "1/255",
            "--mean",
            "0.406,0.456,0.485",
            "--std",
            "0.225,0.224,0.229",
            "--bgr",
        ),
    ),
    ("caffe, RGB", ("--preset", "custom", "--mean", "123.68,116.779,103.939")),
)


@dataclass(frozen=True)
class PresetCandidate:
    """One preprocessing.

    Attributes
    ----------
    name : str
        The preset, or what it is.
    words : tuple of str
        Options of `gradcam-tf1 run` that choose it.
    preset : Preprocessing
        What it does.
    """

    name: str
    words: Tuple[str, ...]
    preset: Preprocessing


def candidates(channels: int, whole: bool) -> List[PresetCandidate]:
    """Return the preprocessings that suit an input.

    Parameters
    ----------
    channels : int
        Channels of the input. For other numbers than 1 and 3 there are those that treat all bands alike.
    whole : bool
        Whether the input takes whole numbers, so that only values of 0..255 make sense.
    """
    found = [PresetCandidate(name, ("--preset", name), preset) for name, preset in PRESETS.items()]
    if channels == 3:
        found += [PresetCandidate(name, words, _custom(words)) for name, words in _OTHER_ORDER]
    elif channels != 1:
        found = [each for each in found if each.name in ("inception", "zero-one", "raw")]
        return [each for each in found if not whole or each.name == "raw"]
    values = {"raw", "raw-bgr", "gray-raw", "gray-mean-raw"}
    return [each for each in found if each.preset.channels == channels and (not whole or each.name in values)]


def _custom(words: Tuple[str, ...]) -> Preprocessing:
    given = {word[2:]: words[place + 1] for place, word in enumerate(words[:-1]) if word.startswith("--")}
    numbers = {name: [float(part) for part in given[name].split(",")] for name in ("mean", "std") if name in given}
    return find_preset(given["preset"], scale=1 / 255 if "scale" in given else None, bgr="--bgr" in words, **numbers)
