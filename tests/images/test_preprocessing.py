"""Values for nets: every preset against a float64 twin written out by hand."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.preprocessing import PRESETS, Preprocessing, find_preset, list_presets

IMAGENET_MEAN, IMAGENET_STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CAFFE_MEAN = np.array([103.939, 116.779, 123.68])


def luminance(x):
    return (0.299 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2])[..., None]


def mean(x):
    return x.mean(axis=-1, keepdims=True)


TWINS = {
    "inception": lambda x: x / 127.5 - 1,
    "torch": lambda x: (x / 255 - IMAGENET_MEAN) / IMAGENET_STD,
    "caffe": lambda x: x[..., [2, 1, 0]] - CAFFE_MEAN,
    "zero-one": lambda x: x / 255,
    "raw": lambda x: x,
    "zero-one-bgr": lambda x: x[..., [2, 1, 0]] / 255,
    "raw-bgr": lambda x: x[..., [2, 1, 0]],
    "gray-inception": lambda x: luminance(x) / 127.5 - 1,
    "gray-zero-one": lambda x: luminance(x) / 255,
    "gray-raw": luminance,
    "gray-mean-zero-one": lambda x: mean(x) / 255,
    "gray-mean-raw": mean,
}


@pytest.fixture
def images():
    values = np.random.default_rng(0).uniform(0, 255, (2, 5, 7, 3)).astype(np.float32)
    values[0, 0, 0], values[0, 0, 1] = 0, 255
    return values


@pytest.mark.parametrize("name", PRESETS)
def test_preset_equals_its_float64_twin(name, images):
    before = images.copy()
    values = find_preset(name)(images)
    expected = TWINS[name](images.astype(np.float64))
    np.testing.assert_allclose(values, expected, rtol=2e-6, atol=2e-6 * np.abs(expected).max())
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    assert values.shape[-1] == find_preset(name).channels
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("name", PRESETS)
def test_the_order_in_memory_changes_nothing(name, images):
    values = find_preset(name)(images)
    for same in (np.asfortranarray(images), np.repeat(images, 2, axis=2)[:, :, ::2]):
        again = find_preset(name)(same)
        assert again.flags.c_contiguous
        np.testing.assert_allclose(again, values, rtol=1e-6, atol=1e-5)  # mixing to gray rounds differently
    assert find_preset(name)(images[:0]).shape == (0, *values.shape[1:])


def test_inception_ends_exactly_at_minus_one_and_one():
    values = find_preset("inception")(np.array([[[[0, 127.5, 255]]]], np.float32))
    np.testing.assert_array_equal(values, [[[[-1, 0, 1]]]])


@pytest.mark.parametrize(("name", "order"), [("raw", [0, 1, 2]), ("raw-bgr", [2, 1, 0])])
def test_raw_changes_no_value(name, order, images):
    np.testing.assert_array_equal(PRESETS[name](images), images[..., order])


def test_gray_agrees_with_cv2(images):
    gray = PRESETS["gray-raw"](images[:1])
    np.testing.assert_allclose(gray[0, ..., 0], cv2.cvtColor(images[0], cv2.COLOR_RGB2GRAY), atol=1e-3)


def test_gray_of_gray_is_the_same_gray():
    gray = np.full((1, 2, 2, 3), 100, np.float32)
    for name in ("gray-raw", "gray-mean-raw"):
        np.testing.assert_allclose(PRESETS[name](gray), 100, rtol=1e-6)


def test_integers_are_taken_as_they_are():
    np.testing.assert_array_equal(PRESETS["zero-one"](np.full((1, 2, 2, 3), 255, np.uint8)), 1)


def test_custom_values_are_in_the_nets_own_channel_order(images):
    custom = find_preset("custom", mean=(104, 117, 123), bgr=True)
    np.testing.assert_allclose(custom(images), images[..., ::-1] - np.float32([104, 117, 123]), atol=1e-4)
    assert "mean (104.0, 117.0, 123.0)" in custom.description
    scaled = find_preset("custom", mean=[0.5], std=[0.25, 0.5, 1], scale=1 / 255)
    np.testing.assert_allclose(scaled(images), (images / 255.0 - 0.5) / [0.25, 0.5, 1], atol=1e-5)


def test_a_preset_takes_what_it_does_not_set_itself(images):
    gray = find_preset("gray-mean-raw", mean=(128,), std=(128,))
    np.testing.assert_allclose(gray(images), images.mean(axis=-1, keepdims=True) / 128 - 1, atol=1e-5)
    blue_first = find_preset("zero-one", bgr=True)
    np.testing.assert_array_equal(blue_first(images), PRESETS["zero-one-bgr"](images))
    assert find_preset("caffe", bgr=True).order == "bgr"


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("torch", {"mean": (1, 2, 3)}, "mean"),
        ("torch", {"std": (1, 2, 3)}, "std"),
        ("inception", {"scale": 2.0}, "scale"),
        ("caffe", {"mean": (104, 117, 123)}, "mean"),
    ],
)
def test_a_preset_refuses_what_it_sets_itself(name, values, what):
    with pytest.raises(OptionError, match=f"preset '{name}' already sets {what}; use 'custom'"):
        find_preset(name, **values)


def test_unknown_preset_lists_all_with_their_meaning():
    with pytest.raises(OptionError, match="unknown preprocessing 'vgg'; possible:") as caught:
        find_preset("vgg")
    for name, preset in PRESETS.items():
        assert re.search(rf"^  {name} +{re.escape(preset.description)}$", str(caught.value), re.MULTILINE)
    assert len(list_presets().splitlines()) == len(PRESETS) + 1


def test_custom_needs_a_value():
    with pytest.raises(OptionError, match="'custom' needs at least one of mean, std, scale, bgr"):
        find_preset("custom")


def test_bgr_of_gray():
    with pytest.raises(OptionError, match="one gray channel, BGR has no meaning"):
        find_preset("gray-raw", bgr=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mean": (1.0, 2.0), "order": "bgr"}, r"mean needs 1 or 3 values, got 2: \(1\.0, 2\.0\)"),
        ({"mean": (1.0, 2.0), "std": (1.0, 2.0, 3.0)}, "mean needs 1 or 3 values, got 2"),
        ({"std": ()}, "std needs 1 or 3 values, got 0"),
        ({"std": (1.0, 0.0, 1.0)}, "std must be finite and not 0"),
        ({"scale": 0.0}, "scale must be finite and not 0"),
        ({"mean": (float("nan"),)}, "mean must be finite, got"),
        ({"order": "rbg"}, "unknown channel order 'rbg'; possible: rgb, bgr"),
        ({"gray": "lightness"}, "unknown gray 'lightness'; possible: luminance, mean"),
        ({"gray": "mean", "mean": (1.0, 2.0, 3.0)}, "mean needs 1 values, got 3"),
    ],
)
def test_impossible_values(values, message):
    with pytest.raises(OptionError, match=message):
        Preprocessing("test", **values)


@pytest.mark.parametrize("shape", [(4, 4, 3), (1, 4, 4, 1), (1, 4, 4, 4)])
def test_images_of_another_shape(shape):
    with pytest.raises(OptionError, match=r"takes RGB images \[N, H, W, 3\]"):
        PRESETS["torch"](np.zeros(shape, np.float32))
    with pytest.raises(OptionError, match=r"takes images \[N, H, W, 5\], got shape"):
        find_preset("custom", mean=range(5))(np.zeros(shape, np.float32))


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_bands_against_their_twin(channels):
    bands = np.random.default_rng(0).uniform(0, 255, (2, 5, 7, channels))
    mean, std = np.arange(1.0, channels + 1), np.arange(3.0, channels + 3)
    for preset, expected in (
        (find_preset("custom", mean=mean, std=std), (bands - mean) / std),
        (find_preset("custom", std=std, scale=0.5), bands * 0.5 / std),
        (PRESETS["zero-one"], bands / 255),
        (PRESETS["inception"], bands / 127.5 - 1),
        (PRESETS["raw"], bands),
    ):
        preset.check_channels(channels)
        np.testing.assert_allclose(preset(bands.astype(np.float32)), expected, rtol=1e-5, atol=1e-5)


def test_channels_of_the_net():
    PRESETS["torch"].check_channels(3)
    PRESETS["gray-raw"].check_channels(1)
    with pytest.raises(
        OptionError, match=r"has 1 channels, .* makes 3 .*presets for it: gray-inception, gray-zero-one"
    ):
        PRESETS["torch"].check_channels(1)
    with pytest.raises(OptionError, match=r"has 1 channels, .* makes 3 .*presets for it: gray-inception"):
        PRESETS["raw"].check_channels(1)
    with pytest.raises(OptionError, match=r"makes 1 .*presets for it: inception, torch"):
        PRESETS["gray-raw"].check_channels(3)
    for name in ("torch", "caffe", "raw-bgr", "gray-raw"):
        with pytest.raises(OptionError, match=r"has 4 channels, .*give own values of as many .* zero-one, raw, incep"):
            PRESETS[name].check_channels(4)
    with pytest.raises(
        OptionError, match=r"has 3 channels, but this preprocessing makes 5 .*presets for it: inception"
    ):
        find_preset("custom", mean=range(5)).check_channels(3)
