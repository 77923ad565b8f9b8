"""SmoothGrad-CAM++ against a float64 twin on its own noisy copies."""

from __future__ import annotations

import numpy as np
import pytest
from layer_twins import HEADS, maps_of
from small_nets import SmallNet, run

from gradcam_tf1.methods.noise import Noise


def smooth_twin(net, copies, image, c):
    powers = [np.mean([net.feature_grads(one[None], c)[0] ** n for one in copies], axis=0) for n in (1, 2, 3)]
    a = net.forward(image[None])["features"][0]
    first, second, third = powers
    below = 2 * second + a.sum((0, 1)) * third
    alpha = np.where(below == 0, 0, second / np.where(below == 0, 1, below))
    return a @ (alpha * np.maximum(first, 0)).sum((0, 1))


@pytest.mark.parametrize("head", HEADS)
def test_smoothgradcampp_equals_the_twin_on_its_noisy_copies(head):
    net = SmallNet(head)
    images = net.images(2)
    options = {"samples": 11, "level": 0.3, "seed": 5}
    maps = maps_of(net, images, [0, 2], "smoothgradcampp", options={"smoothgradcampp": options})
    copies = [list(Noise("smoothgrad", 11, 0.3, 5).copies(image)) for image in images]
    expected = [[smooth_twin(net, copies[n], images[n], c) for c in (0, 2)] for n in range(2)]
    np.testing.assert_allclose(maps, np.maximum(expected, 0), rtol=1e-3, atol=1e-5)
    assert maps.max() > 0.01


def test_smoothgradcampp_without_noise_is_gradcampp():
    net = SmallNet("flat")
    images = net.images(2)
    options = {"smoothgradcampp": {"samples": 3, "level": 0.0}}
    maps = run(net, images, [1, 3], ["smoothgradcampp", "gradcampp"], options=options).maps
    np.testing.assert_allclose(
        maps["smoothgradcampp", "features:0"], maps["gradcampp", "features:0"], rtol=1e-4, atol=1e-6
    )


def test_the_seed_decides():
    net = SmallNet("flat")
    images = net.images(1)
    first, again, other = (
        maps_of(net, images, [1], "smoothgradcampp", options={"smoothgradcampp": {"seed": seed, "samples": 4}})
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6
