"""Values of options as they are written, and text that cannot harm the terminal."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.cli.shared_options import feed_value, feeds, numbers, size
from gradcam_tf1.cli.terminal import shown
from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.input_tables import value_or_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("False", False), ("1", 1), ("-2", -2), ("0.5", 0.5), (".5", 0.5), ("1e-3", 1e-3),
        ("[0.6, 0.7]", [0.6, 0.7]), ("[[1,2],[3,4]]", [[1, 2], [3, 4]]), ("[true,false]", [True, False]),
    ],
)  # fmt: skip
def test_values_to_feed(text, value):
    assert feed_value(text) == value
    assert type(feed_value(text)) is type(value)


@pytest.mark.parametrize("text", ["", "yes", "None", "null", "[]", '"a"', "{}", "[1,", "1;2", "lambda: 0", "[" * 9999])
def test_what_cannot_be_fed(text):
    with pytest.raises(OptionError, match="is not a value to feed; possible: true, false, a number, a list"):
        feed_value(text)


def test_option_values():
    assert feeds(None, None, ["a=1", "scope/b:0=[1,2]"]) == {"a": 1, "scope/b:0": [1, 2]}
    assert size(None, None, "240x320") == (240, 320)
    assert size(None, None, "224") == (224, 224)
    assert size(None, None, None) == (None, None)
    assert numbers(None, None, "1/127.5") == [1 / 127.5]
    assert numbers(None, None, "123.68, 116.78,103.94") == [123.68, 116.78, 103.94]


def test_text_cannot_harm_the_terminal():
    assert shown("a\nb\x1b[2J\u202e\udcff\u732b") == "a\\nb\\x1b[2J\\u202e\\udcff\u732b"
    assert shown("two\nlines", multiline=True) == "two\nlines"


@pytest.mark.parametrize("depth", [33, 600, 100_000])
@pytest.mark.parametrize("inner", ["1", '"a"'])
@pytest.mark.parametrize("read", [feed_value, value_or_text])
def test_lists_deeper_than_any_tensor(depth, inner, read):
    """600 deep, JSON reads them, and Python cannot go through them."""
    with pytest.raises(OptionError, match="is not a value to feed; .* up to 32 deep") as told:
        read("[" * depth + inner + "]" * depth)
    assert len(str(told.value)) < 500


def test_lists_as_deep_as_tensors_are():
    assert np.shape(feed_value("[" * 32 + "1" + "]" * 32)) == (1,) * 32
