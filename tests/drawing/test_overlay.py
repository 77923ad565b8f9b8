"""Drawing: exact colours, exact blends, and files that are whole or absent."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.drawing.overlay import COLORMAPS, blend, colorize, guided_image, normalize, overlay, write_png
from gradcam_tf1.errors import GradCamError, OptionError


def random_image(height=6, width=9, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# normalize


def test_normalize_divides_by_the_maximum_and_cuts_negatives():
    np.testing.assert_array_equal(normalize(np.array([[-3.0, 0, 1, 4]])), np.array([[0, 0, 0.25, 1]], np.float32))


def test_normalize_on_a_shared_scale():
    positive, negative = np.array([[8.0, 2]]), np.array([[0.0, 4]])
    scale = max(positive.max(), negative.max())
    np.testing.assert_array_equal(normalize(positive, scale=scale), [[1, 0.25]])
    np.testing.assert_array_equal(normalize(negative, scale=scale), [[0, 0.5]])
    np.testing.assert_array_equal(normalize(positive, scale=4.0), [[1, 0.5]])  # above the scale is cut


def test_normalize_signed_puts_zero_in_the_middle():
    np.testing.assert_array_equal(normalize(np.array([[-4.0, -1, 0, 2]]), signed=True), [[0, 0.375, 0.5, 0.75]])
    np.testing.assert_array_equal(normalize(np.array([[-1.0, 2]]), signed=True, scale=2.0), [[0.25, 1]])


@pytest.mark.parametrize("values", [np.zeros((3, 4)), np.full((3, 4), -2.0)])
@pytest.mark.filterwarnings("error")
def test_a_map_without_heat_stays_zero(values):
    np.testing.assert_array_equal(normalize(values), np.zeros((3, 4)))


@pytest.mark.filterwarnings("error")
def test_zero_and_tiny_maps_never_become_nan():
    np.testing.assert_array_equal(normalize(np.zeros((2, 2)), signed=True), np.full((2, 2), 0.5))
    np.testing.assert_array_equal(normalize(np.ones((2, 2)), scale=0.0), np.zeros((2, 2)))
    np.testing.assert_array_equal(normalize(np.array([[0, 1e-44]], np.float32)), [[0, 1]])
    np.testing.assert_array_equal(normalize(np.array([[1e38, 2e38]])), [[0.5, 1]])
    np.testing.assert_array_equal(normalize(np.array([[1e30, 0]]), scale=1e-40), [[1, 0]])
    assert normalize(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_normalize_refuses_numbers_that_are_none(bad):
    with pytest.raises(GradCamError, match="the map holds NaN or infinity"):
        normalize(np.array([[1.0, bad]]))


# colorize


def test_red_is_high_in_jet():
    low, middle, high = colorize(np.array([[0, 0.5, 1.0]]))[0]
    np.testing.assert_array_equal(high, [128, 0, 0])
    np.testing.assert_array_equal(low, [0, 0, 128])
    assert middle[1] == 255
    ramp = colorize(np.linspace(0, 1, 256)[None])[0].astype(int)
    assert ramp[:, 0].argmax() > 128 > ramp[:, 2].argmax()


@pytest.mark.parametrize(
    ("colormap", "low", "high"),
    [
        ("viridis", (68, 1, 84), (253, 231, 37)),
        ("inferno", (0, 0, 4), (252, 255, 164)),
        ("turbo", (48, 18, 59), (122, 4, 3)),
        ("diverging", (0, 30, 220), (220, 0, 0)),
    ],
)
def test_ends_of_the_other_colour_maps_are_the_published_rgb(colormap, low, high):
    np.testing.assert_allclose(colorize(np.array([[0.0, 1]]), colormap)[0].astype(int), [low, high], atol=1)


def test_zero_is_near_white_in_the_diverging_map():
    centre = colorize(normalize(np.zeros((1, 1)), signed=True), "diverging")[0, 0]
    assert centre.min() > 245


def test_levels_are_rounded_to_the_nearest():
    table = cv2.cvtColor(cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(colorize(np.array([[99.6 / 255, 99.4 / 255]])), table[:, [100, 99]])


def test_unknown_colour_map_lists_the_known():
    with pytest.raises(
        OptionError, match="unknown colour map 'rainbow'; possible: jet, turbo, viridis, inferno, cividis, diverg"
    ):
        colorize(np.zeros((2, 2)), "rainbow")
    assert len(COLORMAPS) == 6


@pytest.mark.parametrize("values", [[[0, 1.5]], [[-0.5, 1]], [[0, np.nan]]])
def test_colorize_refuses_raw_maps(values):
    with pytest.raises(OptionError, match=r"lies in 0\.\.1, got .*; call normalize first"):
        colorize(np.array(values))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 1), (0, 3)])
def test_colorize_refuses_other_shapes(shape):
    with pytest.raises(OptionError, match=r"a map to draw is \[H, W\] and not empty"):
        colorize(np.zeros(shape))


# overlay


@pytest.mark.parametrize("colormap", COLORMAPS)
@pytest.mark.parametrize("alpha", [0, 0.3, 0.5, 1])
def test_overlay_covers_as_much_as_the_map_is_hot(colormap, alpha):
    image, values = random_image(), np.random.default_rng(1).random((6, 9))
    before = image.copy()
    levels = np.rint(255 * values.astype(np.float32)) / 255
    share = alpha * (np.abs(2 * levels - 1) if colormap == "diverging" else levels)[..., np.newaxis]
    expected = (1 - share) * image.astype(float) + share * colorize(values, colormap)
    drawn = overlay(image, values, colormap, alpha)
    np.testing.assert_allclose(
        drawn.astype(float), expected, atol=2
    )  # three roundings, and of a sign the level beside zero
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(("colormap", "zero"), [("jet", 0.0), ("viridis", 0.0), ("diverging", 0.5)])
def test_where_the_map_says_nothing_the_photograph_is_the_same_to_the_bit(colormap, zero):
    image = random_image()
    drawn = overlay(image, np.full((6, 9), zero), colormap, 1.0)
    np.testing.assert_array_equal(drawn, image)


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_a_blend_is_the_weighted_sum(alpha):
    image, colours = random_image(), random_image()[::-1].copy()
    drawn = blend(image, colours, alpha, (0, 0, 6, 9))
    np.testing.assert_allclose(drawn, (1 - alpha) * image.astype(float) + alpha * colours, atol=0.5 + 1e-6)


def test_outside_of_what_the_net_saw_the_photograph_stays():
    image, values = random_image(), np.random.default_rng(1).random((6, 9))
    drawn = overlay(image, values, seen=(1, 2, 5, 7))
    inside = np.zeros((6, 9), bool)
    inside[1:5, 2:7] = True
    np.testing.assert_array_equal(drawn[~inside], image[~inside])
    np.testing.assert_array_equal(drawn[inside], overlay(image, values)[inside])


def test_an_image_in_another_memory_order():
    image, values = random_image(9, 6).transpose(1, 0, 2), np.random.default_rng(1).random((6, 9))
    np.testing.assert_array_equal(overlay(image, values), overlay(np.ascontiguousarray(image), values))


def test_overlay_refuses_a_map_of_another_size():
    with pytest.raises(OptionError, match=r"map \[7, 7\] and image \[6, 9, 3\] differ in size; place the map first"):
        overlay(random_image(), np.zeros((7, 7)))


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_overlay_refuses_alpha_out_of_range(alpha):
    with pytest.raises(OptionError, match="alpha is a number between 0"):
        overlay(random_image(), np.zeros((6, 9)), alpha=alpha)


@pytest.mark.parametrize(
    "image", [random_image().astype(np.float32), random_image()[..., 0], random_image()[..., :2], [[1]]]
)
def test_overlay_refuses_what_is_no_uint8_rgb(image):
    with pytest.raises(OptionError, match=r"an image is uint8 \[H, W, 3\] RGB, got"):
        overlay(image, np.zeros((6, 9)))


def test_an_image_without_pixels():
    with pytest.raises(OptionError, match=r"\[0, 9, 3\] has no pixels"):
        overlay(random_image()[:0], np.zeros((0, 9)))


# guided_image


def test_zero_saliency_is_mid_gray():
    np.testing.assert_array_equal(guided_image(np.zeros((4, 5, 3))), np.full((4, 5, 3), 128))


def test_saliency_keeps_sign_and_channel():
    saliency = np.zeros((1, 3, 3))
    saliency[0, 0], saliency[0, 1] = [2, 0, -2], [1, -1, 0]
    drawn = guided_image(saliency, np.abs(saliency).max())
    np.testing.assert_array_equal(drawn[0], [[255, 128, 0], [191, 64, 128], [128, 128, 128]])


def test_one_extreme_pixel_does_not_gray_out_the_rest():
    saliency = np.random.default_rng(0).normal(size=(50, 50, 3))
    plain = guided_image(saliency)
    saliency[3, 3] = 1e6
    drawn = guided_image(saliency)
    np.testing.assert_array_equal(drawn[3, 3], [255, 255, 255])
    saliency[3, 3] = 0
    assert drawn.astype(int).std() > 0.9 * plain.astype(int).std()


def test_contrast_does_not_depend_on_how_much_of_the_image_is_silent():
    saliency = np.random.default_rng(0).normal(size=(10, 10, 3))
    wide = np.zeros((200, 200, 3))
    wide[50:60, 50:60] = saliency
    np.testing.assert_array_equal(guided_image(wide)[50:60, 50:60], guided_image(saliency))


def test_large_saliency_is_sampled_to_nearly_the_same_scale():
    saliency = np.random.default_rng(0).normal(size=(1200, 1200, 3)).astype(np.float32)
    scale = np.percentile(np.abs(saliency), 99.5)
    expected = np.rint(255 * (0.5 + 0.5 * np.clip(saliency / scale, -1, 1)))
    assert np.abs(guided_image(saliency) - expected).max() <= 2


def test_gray_saliency_gives_three_equal_channels():
    drawn = guided_image(np.array([[[1.0], [-1.0]]]), 1.0)
    np.testing.assert_array_equal(drawn, [[[255] * 3, [0] * 3]])


def test_guided_image_refusals():
    for shape in ((4, 4), (4, 4, 2), (0, 4, 3)):
        with pytest.raises(OptionError, match=r"saliency to draw is \[H, W, 3\] or \[H, W, 1\]"):
            guided_image(np.zeros(shape))
    with pytest.raises(GradCamError, match="NaN or infinity"):
        guided_image(np.full((2, 2, 3), np.nan))


# write_png


def test_a_png_holds_exactly_the_pixels_in_rgb(tmp_path):
    image = random_image(33, 17)
    path = str(tmp_path / "out.png")
    write_png(path, image)
    with Image.open(path) as read:
        assert (read.format, read.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.array(read), image)
    assert os.listdir(str(tmp_path)) == ["out.png"]


def test_a_file_is_replaced_whole_and_has_ordinary_rights(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    write_png(str(path), random_image(seed=1))
    with Image.open(path) as read:
        np.testing.assert_array_equal(np.array(read), random_image(seed=1))
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_relative_path_and_a_name_of_the_longest_length(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "x" * 251 + ".png"
    write_png(name, random_image())
    assert os.listdir(".") == [name]


def test_failure_names_the_path_and_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def refusing(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refusing)
    with pytest.raises(OSError, match="cannot write the image: No space left on device.*out.png") as caught:
        write_png(str(path), random_image())
    assert caught.value.filename == str(path)
    assert os.listdir(str(tmp_path)) == ["out.png"]
    assert path.read_bytes() == b"old"


def test_missing_folder_names_the_path(tmp_path):
    with pytest.raises(OSError, match=r"cannot write the image: its folder does not exist.*nowhere/out.png"):
        write_png(str(tmp_path / "nowhere" / "out.png"), random_image())


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "out.png").mkdir()
    with pytest.raises(OSError, match=r"cannot write the image: .*out.png"):
        write_png(str(tmp_path / "out.png"), random_image())
    assert os.listdir(str(tmp_path)) == ["out.png"]


@pytest.mark.parametrize("image", [np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8), None])
def test_write_png_refuses_what_is_no_uint8_rgb(tmp_path, image):
    with pytest.raises(OptionError, match=r"an image is uint8 \[H, W, 3\] RGB"):
        write_png(str(tmp_path / "out.png"), image)


def test_write_png_refuses_no_pixels(tmp_path):
    with pytest.raises(OptionError, match="has no pixels"):
        write_png(str(tmp_path / "out.png"), np.zeros((0, 4, 3), np.uint8))
