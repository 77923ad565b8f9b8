"""The option records of reading images refuse wrong types and values, and say what is possible."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.preprocessing import Preprocessing
from gradcam_tf1.images.window import Window

WRONG = [
    (Window, {"low": "0", "high": 1}, "the low of a window is a number, not '0'"),
    (Window, {"centre": [1], "width": 2}, r"the centre of a window is a number, not \[1\]"),
    (Window, {"centre": 1, "width": True}, "the width of a window is a number, not True"),
    (Window, {"slice": 1.5}, "the slice of a window is a whole number, counted from 0, not 1.5"),
    (Window, {"stored": "yes"}, "the field stored of a window is True or False, not 'yes'"),
    (ReadOptions, {"channels": 0}, "channels is a whole number, at least 1, not 0"),
    (ReadOptions, {"channels": "3"}, "channels is a whole number, at least 1, not '3'"),
    (ReadOptions, {"bands": (0,)}, r"bands are one or three whole numbers, counted from 1, .* not \(0,\)"),
    (ReadOptions, {"window": (0, 1)}, r"window is a Window, such as Window\(low=0, high=4095\), not \(0, 1\)"),
    (Preprocessing, {"scale": "1"}, "scale must be a number, got '1'"),
    (Preprocessing, {"mean": 0.5}, r"mean must be a tuple of numbers, such as \(1.0,\), got 0.5"),
    (Preprocessing, {"std": ("a",)}, r"std must be a tuple of numbers, such as \(1.0,\), got \('a',\)"),
    (Preprocessing, {"gray": []}, r"unknown gray \[\]; possible: luminance, mean"),
]


@pytest.mark.parametrize(("record", "options", "message"), WRONG, ids=str)
def test_a_wrong_option_is_refused_with_what_is_possible(record, options, message):
    named = {"description": "test"} if record is Preprocessing else {}
    with pytest.raises(OptionError, match=message):
        record(**named, **options)


def test_numpy_values_are_taken():
    assert Window(low=np.float32(1), high=np.int64(3), slice=np.int32(-1)).ends == (1, 3)
    assert ReadOptions(np.int64(5), np.array([3, 2, 1])).bands == (3, 2, 1)
    assert Preprocessing("test", np.float32(0.5), np.array([1.0, 2.0, 3.0, 4.0])).channels == 4
