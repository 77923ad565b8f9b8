"""How the page writes names and numbers, called in a real browser."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.programs


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        (["net/conv1/Relu:0", "net/conv2/Relu:0", ""], ["conv1/Relu", "conv2/Relu", "input"]),
        (["net/block/conv1/Relu:0", ""], ["conv1/Relu", "input"]),
        (["conv5", "conv4"], ["conv5", "conv4"]),
        (["a/b", "a/b/c", "a/b:1"], ["b", "b/c", "b:1"]),
        ([""], ["input"]),
        ([], []),
    ],
)
def test_layers_are_named_without_what_they_share(functions, layers, names):
    assert functions.js("return gradcam.layerNames(arguments[0])", layers) == [
        list(pair) for pair in zip(layers, names)
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((0, "0"), (0.5, "0.5"), (-1.23456, "\u22121.235"), (1234567, "1.23e6"), (0.00001234, "1.23e\u22125")),
        *((-0.00001, "\u22121.00e\u22125"), (None, "\u2013"), (123456, "123500")),
    ],
)
def test_numbers(functions, number, text):
    assert functions.js("return gradcam.number(arguments[0])", number) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.5, "50.0 %"), (0.99996, ">99.9 %"), (0.00001, "<0.1 %"), (None, "\u2013")],
)
def test_percent(functions, share, text):
    assert functions.js("return gradcam.percent(arguments[0])", share) == text


def test_a_map_follows_from_class_to_class(functions):
    maps = [{"method": method, "layer": layer} for method, layer in (("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"))]
    like = "return gradcam.likeMap({maps: arguments[0]}, arguments[1])"
    assert functions.js(like, maps, {"method": "b", "layer": "2"}) == 3
    assert functions.js(like, maps, {"method": "b", "layer": "9"}) == 2
    assert functions.js(like, maps, {"method": "c", "layer": "2"}) == 0
    other = "return gradcam.otherMap({maps: arguments[0]}, arguments[1], arguments[2], arguments[3])"
    assert functions.js(other, maps, 1, "method", 1) == 3
    assert functions.js(other, maps, 0, "method", -1) == 2
    assert functions.js(other, maps, 3, "layer", 1) == 2
