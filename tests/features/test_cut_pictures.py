"""Objects that are cut out: what the net sees of them, gradients by finite differences, the window, a known object."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1 import FeatureOptions, GradCamGraph, load
from gradcam_tf1.features.bound_units import bind_units
from gradcam_tf1.features.cut_pictures import CutPictures
from gradcam_tf1.features.drawn_pictures import draw_pictures
from gradcam_tf1.features.feature_unit import as_units
from gradcam_tf1.features.unit_net import UnitNet
from gradcam_tf1.tf_runtime import tf

SIDES = (10, 14)
STILL = {"jitter": 0, "angle": 0, "zoom": 0}


def made(clearing=0.0, **options):
    return CutPictures(SIDES, 3, FeatureOptions(clearing=clearing, **options), 1.0)


def coefficients(pictures, count=1, strength=0.3):
    random = np.random.RandomState(1)
    return random.normal(0, strength, (count, *pictures.spectra.shape)).astype(np.float64)


def test_the_object_stands_on_gray_and_in_front_of_each_background():
    """seen = o p + (1 - o) b: two backgrounds tell the opacity, which tells what is on gray."""
    pictures = made(**STILL)
    z = coefficients(pictures)
    shown = []

    def uphill(seen):
        shown.append(seen)
        return np.zeros_like(seen), np.ones((1, 1, 1, 1, 1), "f4")

    pictures.ascent(z, uphill)
    random = made(**STILL)
    backgrounds = []
    for _ in range(2):
        random.viewer(0.0)
        backgrounds.append(random.background())
    opacity = 1 - (shown[0] - shown[1]) / (backgrounds[0] - backgrounds[1])
    assert 0 < opacity.min() < 0.3 < 0.7 < opacity.max() < 1
    np.testing.assert_allclose(opacity.max(axis=-1), opacity.min(axis=-1), atol=1e-2)
    on_gray = shown[0] + (1 - opacity) * (127.5 - backgrounds[0])
    np.testing.assert_allclose(pictures.pixels(z), on_gray, atol=0.5)


@pytest.mark.parametrize("views", [STILL, {"jitter": 2, "angle": 90, "zoom": 0.3}])
def test_the_gradient_is_that_of_differences(views):
    """Of w . seen, summed over the two backgrounds, in float64."""
    towards = np.random.RandomState(0).normal(size=(1, *SIDES, 3))

    def value(z):
        total = []

        def uphill(seen):
            total.append((towards * seen).sum())
            return towards, np.ones((1, 1, 1, 1, 1), "f4")

        pictures = made(**views)
        pictures.leave_room(towards)
        return pictures.ascent(z, uphill).grads, sum(total)

    z = coefficients(made())
    grads = value(z)[0]
    random = np.random.RandomState(5)
    for _ in range(12):
        place = tuple(random.randint(side) for side in z.shape)
        step = np.zeros_like(z)
        step[place] = 1e-5
        slope = (value(z + step)[1] - value(z - step)[1]) / 2e-5
        assert grads[place] == pytest.approx(slope, rel=1e-3, abs=1e-3 * np.abs(grads).max())


def test_clearing_makes_the_object_smaller():
    """Without another gradient nothing pulls; with one, what does not need to be there goes first."""
    towards = np.zeros((1, *SIDES, 3))
    towards[:, 4:6, 5:9, 0] = 1
    left = []
    for clearing in (0.0, 0.5):
        pictures = made(clearing, **STILL)
        z = np.zeros((1, *pictures.spectra.shape))
        z += 1e-3 * pictures.ascent(z, lambda seen: (towards, np.ones((1, 1, 1, 1, 1), "f4"))).grads
        left.append(pictures.spectra.pictures(z)[0, ..., 3])
    assert left[1].mean() < left[0].mean() - 1e-6
    off = [made(each, **STILL).ascent(z, lambda seen: (towards, np.zeros((1, 1, 1, 1, 1), "f4"))) for each in (0, 0.5)]
    np.testing.assert_array_equal(off[0].grads, off[1].grads)


def test_the_window_is_as_wide_as_the_unit_looks():
    """Four pixels at distance 2 from their centre: r = 2, and the window is exp(-1) at 2.5 r from the middle."""
    pictures = CutPictures((21, 31), 1, FeatureOptions(), 1.0)
    grads = np.zeros((2, 21, 31, 1))
    for row, column in ((3, 5), (7, 5), (5, 3), (5, 7)):
        grads[0, row, column] = -3
    pictures.leave_room(grads)
    z = np.zeros((2, *pictures.spectra.shape))
    z[:, 0, 0, 0, 0] = 5  # white, half opaque
    white = pictures.colours.pixels(pictures.spectra.pictures(z)[..., :1])
    seen = ((pictures.pixels(z) - 127.5) / (white - 127.5))[..., 0]
    assert seen[0, 10, 15] == pytest.approx(0.5)
    assert seen[0, 10, 20] == pytest.approx(0.5 * np.exp(-1), rel=1e-4)
    assert seen[0, 5, 15] == pytest.approx(0.5 * np.exp(-1), rel=1e-4)
    np.testing.assert_allclose(seen[1], 0.5, rtol=1e-4, err_msg="no gradient, no window")


@pytest.mark.parametrize("range_of", [(0, 255), (-2, 5)])
def test_backgrounds_stay_in_the_range_and_differ(range_of):
    pictures = CutPictures(SIDES, 5, FeatureOptions(values=range_of), 1.0)
    drawn = np.concatenate([pictures.background() for _ in range(40)])
    assert drawn.shape == (40, *SIDES, 5)
    assert range_of[0] <= drawn.min() < drawn.max() <= range_of[1]
    assert drawn.mean(axis=(1, 2)).std(axis=0).min() > 0.2 * np.ptp(range_of)


def test_a_net_that_looks_for_a_bright_spot_gets_one_on_gray(graph):
    """A position counts how much brighter 5 x 5 pixels are than what is around: the object is these alone."""
    kernel = np.full((11, 11, 3, 1), -1 / 96 / 3, np.float32)
    kernel[3:8, 3:8] = 1 / 25 / 3
    x = tf.placeholder(tf.float32, [None, 32, 32, 3], name="input")
    a = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 4, 4, 1], "SAME"), name="features")
    tf.matmul(tf.reduce_mean(a, [1, 2]), np.array([[1, -1]], "f4"), name="logits")
    with GradCamGraph(load(graph.as_graph_def()), input="input", logits="logits", preset="inception") as net:
        unit_net = UnitNet(net, (0, 255))
        known = bind_units(as_units([0]), unit_net.explainer, unit_net.fed)
        options = FeatureOptions(steps=150, rate=0.05, angle=0, jitter=0, zoom=0)
        found = draw_pictures(unit_net, known, options, lambda: None)[0]
    bright = found.pixels.mean(axis=2)
    assert bright[16:19, 16:19].min() > 200
    far = np.ones((32, 32), bool)
    far[8:26, 8:26] = False
    assert np.abs(bright[far] - 127.5).max() < 8
    assert (found.reached > 0.01, found.note) == (True, "")
