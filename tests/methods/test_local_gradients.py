"""ODAM and Seg-XRes-CAM: their identities with HiResCAM and Grad-CAM, and twins from the filters of other libraries."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from small_nets import SmallNet, run

from gradcam_tf1 import OptionError, method
from gradcam_tf1.methods.choices import choose_methods
from gradcam_tf1.methods.local_gradients import odam, segxrescam
from gradcam_tf1.tf_runtime import tf

RANDOM = np.random.RandomState(0)
FEATURES = RANDOM.randn(2, 7, 10, 3).astype(np.float32)
GRADS = RANDOM.randn(2, 7, 10, 3).astype(np.float32)


def computed(function, features=FEATURES, grads=GRADS, fixed=True, **options):
    with tf.Graph().as_default(), tf.Session() as sess:
        shape = features.shape if fixed else [None] * features.ndim
        a, g = (tf.placeholder(tf.float32, shape) for _ in range(2))
        return sess.run(function(a, g, **options), {a: features, g: grads})


def hirescam_twin(grads):
    return (grads.astype(np.float64) * FEATURES).sum(-1)


# ODAM


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5, 9.0])
@pytest.mark.parametrize("fixed", [True, False])
def test_odam_is_a_gaussian_filter_of_the_gradient(sigma, fixed):
    smooth = GRADS.astype(np.float64)
    for axis in (1, 2):
        smooth = gaussian_filter1d(smooth, sigma, axis=axis, mode="constant", truncate=4.0)
    found = computed(odam, fixed=fixed, sigma=sigma)
    np.testing.assert_allclose(found, hirescam_twin(smooth), rtol=1e-4, atol=1e-5)
    assert np.abs(found - hirescam_twin(GRADS)).max() > 0.1


def test_odam_without_a_gaussian_is_hirescam():
    np.testing.assert_allclose(computed(odam, sigma=0), hirescam_twin(GRADS), rtol=1e-4, atol=1e-5)


def test_odam_spreads_one_gradient_around_it():
    """A single gradient in the middle, features of 1: the map is the Gaussian itself."""
    grads = np.zeros((1, 9, 9, 1), np.float32)
    grads[0, 4, 4] = 1
    found = computed(odam, np.ones_like(grads), grads, sigma=1.0)[0]
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert found[4, 5] / found[4, 4] == pytest.approx(np.exp(-0.5), rel=1e-5)
    np.testing.assert_allclose(found, found.T, atol=1e-7)


# Seg-XRes-CAM


def pooled_twin(grads, window, pool):
    """Blocks by slicing, then OpenCV's interpolation, cut to the map."""
    n, h, w, k = grads.shape
    rows, columns = -(-h // window), -(-w // window)
    out = np.empty(grads.shape)
    for i in range(n):
        for j in range(k):
            blocks = np.empty((rows, columns))
            for r, c in np.ndindex(rows, columns):
                blocks[r, c] = pool(grads[i, r * window : (r + 1) * window, c * window : (c + 1) * window, j])
            large = cv2.resize(blocks, (columns * window, rows * window), interpolation=cv2.INTER_LINEAR)
            out[i, :, :, j] = large[:h, :w]
    return out


@pytest.mark.parametrize("window", [2, 3, 4, 7])
@pytest.mark.parametrize(("name", "pool"), [("mean", np.mean), ("max", np.max)])
def test_segxrescam_pools_and_interpolates(window, name, pool):
    expected = hirescam_twin(pooled_twin(GRADS, window, pool))
    for fixed in (True, False):
        found = computed(segxrescam, fixed=fixed, window=window, pool=name)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_segxrescam_of_a_window_of_one_is_hirescam():
    for pool in ("mean", "max"):
        found = computed(segxrescam, window=1, pool=pool)
        np.testing.assert_allclose(found, hirescam_twin(GRADS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", [10, 500])
def test_segxrescam_of_one_window_is_gradcam(window):
    found = computed(segxrescam, window=window, pool="mean")
    expected = (GRADS.astype(np.float64).mean((1, 2), keepdims=True) * FEATURES).sum(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


# both, through a net


def test_identities_through_a_net():
    net = SmallNet("flat")
    images = net.images(2)
    maps = run(net, images, [0, 1], ["gradcam", "hirescam"]).maps
    grad, hires = maps["gradcam", "features:0"], np.maximum(maps["hirescam", "features:0"], 0)
    assert np.abs(grad - hires).max() > 1e-3
    for name, options, expected in (
        ("odam", {"sigma": 0}, hires),
        ("odam", {"sigma": 1e-300}, hires),
        ("segxrescam", {"window": 1}, hires),
        ("segxrescam", {"window": 99}, grad),
    ):
        found = run(net, images, [0, 1], [name], options={name: options}).maps[name, "features:0"]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_signals_and_volumes_have_them_too():
    signal = np.zeros((1, 9, 1), np.float32)
    signal[0, 4] = 1
    ones = np.ones_like(signal)
    assert computed(odam, ones, signal, sigma=1.0)[0, 5] == pytest.approx(0.2420, abs=1e-3)
    assert computed(segxrescam, ones, signal, window=9, pool="mean")[0] == pytest.approx(1 / 9)
    volume = np.zeros((1, 5, 5, 5, 1), np.float32)
    volume[0, 2, 2, 2] = 1
    found = computed(odam, np.ones_like(volume), volume, sigma=0.5)[0]
    assert found.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(found, found.transpose(2, 0, 1), atol=1e-7)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("odam", {"sigma": -1}, r"odam.sigma is .*at least 0"),
        ("segxrescam", {"window": 0}, r"segxrescam.window is .*at least 1"),
        ("odam", {"sigma": 1e12}, r"odam.sigma is .*at most 10000"),
        ("segxrescam", {"window": 10**12}, r"segxrescam.window is .*at most 10000"),  # wraps around in 32 bits
        ("segxrescam", {"pool": "sum"}, r"segxrescam.pool is one of mean, max"),
    ],
)
def test_options_out_of_bounds(name, options, message):
    with pytest.raises(OptionError, match=message):
        choose_methods(method(name, **options))
