"""Fitting and placing back: against cv2, float64 twins, and blobs painted at known places of the original image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.geometry import FIT_MODES, Placement, fit, upsample

SIZES = [(224, 224), (300, 500), (500, 300), (37, 211), (481, 640), (90, 60)]


def random_image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def input_size(mode):
    return (None, None) if mode == "short-side" else (224, 192)


def gaussian(size, centre, spread):
    rows, columns = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    blob = 250 * np.exp(-(((rows[:, None] - centre[0]) ** 2 + (columns - centre[1]) ** 2) / (2 * spread**2)))
    return np.repeat(blob[..., None], 3, axis=2)


def bilinear_at(values, rows, columns):
    """Float64 twin: a map read at (row, column) positions in cells, one position at a time, clamped at the edges."""
    result = np.empty((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            row_in = min(max(row, 0.0), values.shape[0] - 1.0)
            column_in = min(max(column, 0.0), values.shape[1] - 1.0)
            top, left = int(row_in), int(column_in)
            bottom, right = min(top + 1, values.shape[0] - 1), min(left + 1, values.shape[1] - 1)
            down, across = row_in - top, column_in - left
            upper = values[top, left] * (1 - across) + values[top, right] * across
            lower = values[bottom, left] * (1 - across) + values[bottom, right] * across
            result[i, j] = upper * (1 - down) + lower * down
    return result


def area_mean(image, size):
    """Float64 twin of shrinking: each new pixel is the mean of the area it covers, partial pixels by their share."""

    def shares(new, old):
        edges = np.arange(new + 1) * old / new
        pixels = np.arange(old)
        covered = np.minimum(edges[1:, None], pixels + 1.0) - np.maximum(edges[:-1, None], pixels)
        return np.clip(covered, 0, None) * new / old

    return np.einsum(
        "ih,hwc,jw->ijc", shares(size[0], image.shape[0]), image, shares(size[1], image.shape[1]), optimize=True
    )


# Fitting


@pytest.mark.parametrize(("old", "new"), [((300, 500), (224, 224)), ((640, 481), (64, 96)), ((225, 225), (224, 224))])
def test_shrinking_is_the_exact_area_mean(old, new):
    image = random_image(*old)
    np.testing.assert_allclose(fit(image, new).pixels, area_mean(image, new), atol=2e-3)


def test_enlarging_is_half_pixel_bilinear():
    image = random_image(20, 31)
    rows, columns = ((np.arange(new) + 0.5) * old / new - 0.5 for new, old in ((64, 20), (80, 31)))
    expected = bilinear_at(image[..., 1].astype(np.float64), rows, columns)
    np.testing.assert_allclose(fit(image, (64, 80)).pixels[..., 1], expected, atol=2e-3)


def test_one_side_shrinking_and_the_other_enlarging_keeps_the_area_mean():
    # A fine stripe pattern along the shrinking side must average out, not alias.
    image = np.zeros((400, 20, 3), np.uint8)
    image[::2] = 200
    np.testing.assert_allclose(fit(image, (50, 80)).pixels, 100, atol=1e-3)


def test_same_size_leaves_the_values_alone():
    image = random_image(224, 192)
    fitted = fit(image, (224, 192))
    assert fitted.pixels.dtype == np.float32
    np.testing.assert_array_equal(fitted.pixels, image)


@pytest.mark.parametrize(
    ("mode", "size", "shape"),
    [
        ("stretch", (224, 192), (224, 192)),
        ("stretch", (None, None), (300, 500)),
        ("stretch", (None, 64), (300, 64)),
        ("short-side", (None, None), (224, 373)),
        ("center-crop", (224, 192), (224, 192)),
        ("center-crop", (96, None), (96, 96)),
        ("letterbox", (224, 192), (224, 192)),
        ("letterbox", (None, None), (224, 224)),
    ],
)
def test_size_of_the_fitted_image(mode, size, shape):
    fitted = fit(random_image(300, 500), size, mode)
    assert fitted.pixels.shape == (*shape, 3)
    assert fitted.placement.fitted == shape
    assert fitted.placement.original == (300, 500)


def test_short_side_takes_another_length():
    assert fit(random_image(300, 500), (None, None), "short-side", short_side=96).pixels.shape == (96, 160, 3)


def test_center_crop_sees_seven_eighths_of_the_short_side_from_the_middle():
    placement = fit(random_image(320, 480), (224, 224), "center-crop").placement
    assert placement.seen == (20, 100, 300, 380)
    tall = fit(random_image(480, 320), (224, 224), "center-crop").placement
    assert tall.seen == (100, 20, 380, 300)


def test_letterbox_keeps_the_ratio_and_pads_with_gray():
    fitted = fit(np.full((100, 200, 3), 9, np.uint8), (224, 224), "letterbox")
    assert fitted.placement.inside == (56, 0, 168, 224)
    np.testing.assert_array_equal(fitted.pixels[56:168], 9)
    np.testing.assert_array_equal(fitted.pixels[:56], 127)
    np.testing.assert_array_equal(fitted.pixels[168:], 127)


# Placing maps back


def test_centre_of_a_hot_cell_of_7x7_in_224():
    cells = np.zeros((7, 7), np.float32)
    cells[3, 3] = 1
    placed = fit(random_image(224, 224), (224, 224)).placement.place(cells)
    rows = (placed.sum(axis=1) * np.arange(224)).sum() / placed.sum()
    columns = (placed.sum(axis=0) * np.arange(224)).sum() / placed.sum()
    assert (rows, columns) == pytest.approx((111.5, 111.5), abs=1e-3)
    np.testing.assert_allclose(placed, placed[::-1, ::-1], atol=1e-6)
    # The cell centre lies between pixels 111 and 112, each half a pixel of 32 away from it.
    assert placed.max() == pytest.approx((1 - 0.5 / 32) ** 2)
    assert placed[111, 111] == placed[112, 112] == placed.max()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cells", [(7, 7), (14, 9), (1, 1), (1, 5), (36, 33)])
def test_stretch_equals_cv2_when_enlarging(size, cells):
    values = np.random.default_rng(1).normal(size=cells).astype(np.float32)
    placed = fit(random_image(*size), (224, 224)).placement.place(values)
    np.testing.assert_allclose(placed, cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR), atol=1e-5)
    assert placed.dtype == np.float32


@pytest.mark.parametrize("mode", FIT_MODES)
@pytest.mark.parametrize("size", [(30, 50), (50, 30), (224, 300)])
def test_every_mode_equals_the_float64_twin(mode, size):
    placement = fit(random_image(*size), input_size(mode), mode).placement
    values = np.random.default_rng(2).normal(size=(7, 5))
    top, left, bottom, right = placement.seen
    start, first, stop, last = placement.inside
    in_net_rows = start + (np.arange(bottom - top) + 0.5) * (stop - start) / (bottom - top)
    in_net_columns = first + (np.arange(right - left) + 0.5) * (last - first) / (right - left)
    expected = np.zeros(size)
    expected[top:bottom, left:right] = bilinear_at(
        values, in_net_rows * 7 / placement.fitted[0] - 0.5, in_net_columns * 5 / placement.fitted[1] - 0.5
    )
    np.testing.assert_allclose(placement.place(values), expected, atol=1e-5)


@pytest.mark.parametrize("mode", FIT_MODES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [1, 8, 16, 32])
@pytest.mark.parametrize("where", [(0.5, 0.5), (0.3, 0.6), (0.62, 0.35)])
def test_a_blob_of_the_image_comes_back_to_its_place(mode, size, stride, where):
    """Paint a blob, fit, take block means of the fitted image as the map, place it: the blob is where it was."""
    top, left, bottom, right = fit(random_image(*size), input_size(mode), mode).placement.seen
    centre = np.array([top + where[0] * (bottom - top), left + where[1] * (right - left)])
    fitted = fit(gaussian(size, centre, 0.06 * min(size)), input_size(mode), mode)
    luminance = fitted.pixels.mean(axis=2)
    start, first, stop, last = fitted.placement.inside
    bars = np.ones_like(luminance, bool)
    bars[start:stop, first:last] = False
    luminance[bars] = 0  # the gray of letterbox bars is no heat
    grid = [max(1, length // stride) for length in luminance.shape]
    values = area_mean(luminance[..., None].astype(np.float64), grid)[..., 0]
    placed = fitted.placement.place(values)
    cell = [
        length / count * (high - low) / (inner_high - inner_low)
        for length, count, low, high, inner_low, inner_high in zip(
            luminance.shape, grid, (top, left), (bottom, right), (start, first), (stop, last)
        )
    ]
    tolerance = np.maximum(1.0, 0.5 * np.array(cell)) + 0.5
    peak = np.array(np.unravel_index(placed.argmax(), placed.shape)) + 0.5
    assert np.all(np.abs(peak - centre) <= tolerance), (peak, centre, tolerance)


@pytest.mark.parametrize("mode", ["stretch", "short-side", "letterbox", "center-crop"])
@pytest.mark.parametrize("size", [(300, 500), (500, 300), (211, 111)])
def test_the_centroid_comes_back_to_a_tenth_of_a_pixel(mode, size):
    """Averaging over cells and linear interpolation keep a centroid away from the edges, so any shift would show."""
    centre = np.array([0.45 * size[0], 0.53 * size[1]])
    fitted = fit(gaussian(size, centre, 0.05 * min(size)), input_size(mode), mode)
    luminance = fitted.pixels.mean(axis=2)
    luminance[luminance == 127] = 0
    values = area_mean(luminance[..., None].astype(np.float64), [length // 8 for length in luminance.shape])[..., 0]
    placed = fitted.placement.place(values)
    centroid = [(placed.sum(axis=1 - axis) * (np.arange(size[axis]) + 0.5)).sum() / placed.sum() for axis in (0, 1)]
    np.testing.assert_allclose(centroid, centre, atol=0.1)


def test_center_crop_is_zero_outside_of_what_the_net_saw():
    placement = fit(random_image(320, 480), (224, 224), "center-crop").placement
    placed = placement.place(np.ones((7, 7)))
    top, left, bottom, right = placement.seen
    np.testing.assert_array_equal(placed[top:bottom, left:right], 1)
    assert placed.sum() == (bottom - top) * (right - left)


def test_letterbox_bars_are_cut_away_exactly():
    placement = fit(random_image(100, 200), (224, 224), "letterbox").placement
    pixels = np.zeros((224, 224), np.float32)
    pixels[:56] = pixels[168:] = 1000  # heat on the bars alone
    assert placement.place(pixels).max() < 1000 * 0.5 / 1.12 * 0.5 + 1e-3  # half a bar pixel at most, at the very edge
    assert placement.place(pixels)[1:-1].max() == 0
    ramp = np.repeat(np.arange(224, dtype=np.float32)[:, None], 224, axis=1)
    placed = placement.place(ramp)
    np.testing.assert_allclose(placed[:, 0], 56 + (np.arange(100) + 0.5) * 1.12 - 0.5, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 9, 200])
def test_channels_are_placed_one_by_one(channels):
    placement = fit(random_image(90, 130), (64, 64), "letterbox").placement
    values = np.random.default_rng(3).normal(size=(64, 64, channels)).astype(np.float32)
    placed = placement.place(values)
    assert placed.shape == (90, 130, channels)
    for channel in range(channels):
        np.testing.assert_array_equal(placed[..., channel], placement.place(values[..., channel]))


@pytest.mark.parametrize("mode", FIT_MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (1, 1000), (1000, 1), (2, 2000), (3, 5)])
@pytest.mark.parametrize("cells", [(1, 1), (7, 7), (1, 9)])
def test_extreme_images(mode, size, cells):
    fitted = fit(np.full((*size, 3), 80, np.uint8), input_size(mode), mode, 8)
    start, first, stop, last = fitted.placement.inside
    np.testing.assert_allclose(fitted.pixels[start:stop, first:last], 80, atol=1e-4)
    placed = fitted.placement.place(np.full(cells, 2.5))
    top, left, bottom, right = fitted.placement.seen
    assert 0 <= top < bottom <= size[0]
    assert 0 <= left < right <= size[1]
    assert placed.shape == size
    np.testing.assert_allclose(placed[top:bottom, left:right], 2.5, rtol=1e-6)


def test_very_wide_images_beyond_the_16_bit_limits_of_cv2():
    image = np.zeros((3, 70_000, 3), np.uint8)
    image[:, 35_000:] = 200
    fitted = fit(image, (64, 64))
    np.testing.assert_allclose(fitted.pixels[:, :32], 0)
    np.testing.assert_allclose(fitted.pixels[:, 32:], 200, rtol=1e-5)
    wide = fit(image, (None, None), "short-side", 6).pixels
    assert wide.shape == (6, 140_000, 3)
    assert wide[3, 69_990].max() == 0
    assert wide[3, 70_010].min() == pytest.approx(200)


def test_a_map_keeps_its_constant_and_its_range():
    placement = fit(random_image(333, 217), (224, 224), "letterbox").placement
    values = np.random.default_rng(4).uniform(-3, 5, (14, 14)).astype(np.float32)
    placed = placement.place(values)
    assert values.min() - 1e-6 <= placed.min()
    assert placed.max() <= values.max() + 1e-6


def test_upsample_equals_cv2_and_takes_leading_axes():
    values = np.random.default_rng(5).normal(size=(2, 3, 7, 9)).astype(np.float32)
    large = upsample(values, (64, 100))
    assert large.shape == (2, 3, 64, 100)
    for n in range(2):
        for t in range(3):
            expected = cv2.resize(values[n, t], (100, 64), interpolation=cv2.INTER_LINEAR)
            np.testing.assert_allclose(large[n, t], expected, atol=1e-5)
    np.testing.assert_array_equal(upsample(values[0, 0], (7, 9)), values[0, 0])


# Refusals


def test_unknown_mode_lists_the_possible_ones():
    with pytest.raises(
        OptionError, match="unknown fit 'squash'; possible: stretch, short-side, center-crop, letterbox"
    ):
        fit(random_image(4, 4), (2, 2), "squash")


def test_short_side_refuses_an_input_of_fixed_size():
    with pytest.raises(OptionError, match="free size, this one is 224x224; possible: stretch, center-crop, letterbox"):
        fit(random_image(4, 4), (224, 224), "short-side")


def test_short_side_refuses_to_blow_a_thread_up():
    with pytest.raises(ImageFileError, match=r"2x2000 \(height x width\) becomes 224x224000"):
        fit(random_image(2, 2000), (None, None), "short-side")


@pytest.mark.parametrize("shape", [(4, 4), (4, 0, 4), (0, 4, 3), (1, 4, 4, 3)])
def test_fit_refuses_what_is_no_image(shape):
    with pytest.raises(OptionError, match=r"an image is \[H, W, channels\]"):
        fit(np.zeros(shape, np.uint8), (2, 2))


@pytest.mark.parametrize("shape", [(4,), (0, 4), (1, 2, 4, 4)])
def test_place_refuses_what_is_no_map(shape):
    placement = Placement((4, 4), (4, 4), (0, 0, 4, 4), (0, 0, 4, 4))
    with pytest.raises(OptionError, match=r"a map is \[h, w\] or \[h, w, C\]"):
        placement.place(np.zeros(shape))
