"""Drawing done by cv2 in single passes, against numpy twins that take one plain step after the other."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.drawing import png_files
from gradcam_tf1.drawing.map_range import high_percentile
from gradcam_tf1.drawing.overlay import (
    COLORMAPS,
    colorize,
    guided_image,
    normalize,
    write_png,
)
from gradcam_tf1.drawing.png_files import DRAWN, PHOTOGRAPH, SMOOTH
from gradcam_tf1.drawing.style import peak
from gradcam_tf1.errors import GradCamError, OptionError
from gradcam_tf1.images.geometry import Placement

BUILT_IN = {"jet": 2, "inferno": 14, "viridis": 16, "cividis": 17, "turbo": 20}  # cv2's numbers of the colour maps


def random(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def signed(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# normalize


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [None, 0.3, 4.0])
@pytest.mark.parametrize("both_signs", [False, True])
def test_normalize_equals_its_float64_twin(dtype, scale, both_signs):
    map = signed(37, 53).astype(dtype)
    before = map.copy()
    exact = map.astype(np.float64)
    full = scale or (np.abs(exact).max() if both_signs else exact.max())
    share = np.clip(exact / full, -1 if both_signs else 0, 1)
    found = normalize(map, both_signs, scale)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 0.5 + 0.5 * share if both_signs else share, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(map, before)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (6, 7), (12, 10)])
def test_one_value_that_is_no_number_is_found_wherever_it_is(bad, at):
    map = signed(13, 11, 3)
    map[at] = bad
    for refuse in (lambda: normalize(map[..., 0]), lambda: normalize(map, True, 1.0), lambda: guided_image(map)):
        with pytest.raises(GradCamError, match="the map holds NaN or infinity"):
            refuse()


# colorize


def built_in_table(colormap):
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, np.newaxis], BUILT_IN[colormap])[:, 0, ::-1]


def colours_twin(map, colormap):
    """float64 all the way: the product, its nearest float32, its nearest level with halves to the even one."""
    levels = np.rint((np.asarray(map, np.float32).astype(np.float64) * 255).astype(np.float32)).clip(0, 255).astype(int)
    if colormap == "diverging":
        stops = [[0, 30, 220], [110, 160, 255], [250, 250, 250], [255, 140, 100], [220, 0, 0]]
        table = [np.interp(np.arange(256), np.linspace(0, 255, 5), [stop[c] for stop in stops]) for c in range(3)]
        return np.rint(np.transpose(table)).astype(np.uint8)[levels]
    return built_in_table(colormap)[levels]


@pytest.mark.parametrize("colormap", COLORMAPS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_colours_equal_their_float64_twin(colormap, dtype):
    map = random(31, 67).astype(dtype)
    map[0, :4] = 0, 1, 0.5, 1 / 255
    for part in (map, map[3:, 5:60], map.T, map[::-1, ::-2]):
        np.testing.assert_array_equal(colorize(part, colormap), colours_twin(part, colormap))


def test_halves_go_to_the_even_level():
    halves = np.arange(255, dtype=np.float32) + np.float32(0.5)
    map = halves / np.float32(255)
    exact = map * np.float32(255) == halves
    assert exact[::2].sum() > 50
    assert exact[1::2].sum() > 50
    levels = np.arange(255)
    even = np.where(levels % 2 == 0, levels, levels + 1)[exact]
    np.testing.assert_array_equal(colorize(map[np.newaxis, exact], "viridis")[0], built_in_table("viridis")[even])


def test_a_hair_outside_of_0_to_1_is_the_end_and_more_is_refused():
    ends = colorize(np.array([[-9e-7, 0, 1, 1 + 9e-7]]))[0]
    np.testing.assert_array_equal(ends, ends[[1, 1, 2, 2]])
    for beyond in (-1e-4, 1 + 1e-4, np.nan, np.inf, -np.inf):
        with pytest.raises(OptionError, match=r"lies in 0\.\.1, got .*; call normalize first"):
            colorize(np.array([[0.2, beyond, 0.4]]))


def test_an_image_of_one_colour_map_does_not_change_the_next_one():
    first = colorize(random(4, 5))
    expected = first.copy()
    first[:] = 7
    np.testing.assert_array_equal(colorize(random(4, 5)), expected)


# guided_image


def values_for_percentiles():
    yield "one value", np.float32([3])
    yield "two values", np.float32([5, 3])
    yield "noise", np.abs(signed(300_000))
    yield "a few", np.abs(signed(37))
    yield "all alike", np.full(25_000, 2, np.float32)
    yield "many alike", np.float32(np.random.default_rng(0).integers(1, 4, 50_000))
    yield "in order", np.arange(60_000, dtype=np.float32)
    yield "in falling order", np.arange(60_000, 0, -1, dtype=np.float32)
    misleading = np.abs(signed(60_000))
    misleading[::6] += 1000  # just those that the first guess looks at
    yield "misleading", misleading
    zeros = np.abs(signed(60_000))
    zeros[::6] = 0
    yield "zeros that the first guess looks at", zeros


@pytest.mark.parametrize("share", [0, 0.5, 50, 99, 99.5, 100])
@pytest.mark.parametrize("values", [pytest.param(values, id=name) for name, values in values_for_percentiles()])
def test_a_percentile_is_numpys_of_the_values_above_zero_in_float64(values, share):
    positive = values[values > 0].astype(np.float64)
    expected = np.percentile(positive, share)
    assert high_percentile(values, positive.size, share) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("silent", [0, 0.7])
def test_a_guided_image_is_that_of_the_plain_steps(channels, silent):
    saliency = signed(83, 61, channels) ** 3
    saliency[random(83, 61, seed=1) < silent] = 0
    magnitudes = np.abs(saliency[saliency != 0]).astype(np.float64)
    scale = np.float32(np.percentile(magnitudes, 99.5))
    share = np.clip(saliency, -scale, scale) / scale
    gray = np.rint(np.float32(255) * (np.float32(0.5) + np.float32(0.5) * share)).astype(np.uint8)
    found = guided_image(saliency)
    np.testing.assert_array_equal(found, np.broadcast_to(gray, found.shape))
    exact = 255 * (0.5 + 0.5 * np.clip(saliency.astype(np.float64) / float(scale), -1, 1))
    assert np.abs(found - exact).max() < 0.5 + 1e-4


# peak


@pytest.mark.parametrize("shape", [(9, 14), (14, 9, 1), (9, 14, 3), (30, 7, 4)])
@pytest.mark.parametrize("levels", [2, 1000])
def test_the_peak_is_the_highest_pixel_nearest_to_the_middle(shape, levels):
    for seed in range(20):
        map = np.random.default_rng(seed).integers(-levels, levels + 1, shape).astype(np.float32)
        box = (1, 2, shape[0] - 1, shape[1])
        placement = Placement(shape[:2], (7, 7), box, (0, 0, 7, 7))
        strength = {
            (row, column): float(np.abs(map[row, column]).sum() if map.ndim == 3 else map[row, column])
            for row in range(box[0], box[2])
            for column in range(box[1], box[3])
        }
        middle = ((box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2)

        def rank(at, strength=strength, middle=middle):
            return -strength[at], abs(at[0] - middle[0]) + abs(at[1] - middle[1]), at

        assert peak(map, placement) == min(strength, key=rank)


# write_png


def png_rows(path):
    """The filter of each row, and the size of the packed pixels, as the PNG specification lays them out."""
    data, at, packed = path.read_bytes(), 8, b""
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IHDR":
            width = int.from_bytes(data[at + 8 : at + 12], "big")
        packed += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    return SimpleNamespace(filters=set(zlib.decompress(packed)[:: 1 + 3 * width]), size=len(packed))


@pytest.fixture
def without_isal(monkeypatch):
    monkeypatch.setattr(png_files, "isal_zlib", None)


@pytest.mark.usefixtures("without_isal")
@pytest.mark.parametrize("strategy", [PHOTOGRAPH, SMOOTH, DRAWN])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (61, 83)])
def test_every_way_of_packing_keeps_the_pixels_and_the_fast_filter(tmp_path, strategy, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    write_png(str(tmp_path / "x.png"), image, strategy)
    with Image.open(str(tmp_path / "x.png")) as read:
        np.testing.assert_array_equal(np.array(read), image)
    difference_to_the_left = 1 if size[1] > 1 else 0
    assert png_rows(tmp_path / "x.png").filters == {difference_to_the_left}


@pytest.mark.usefixtures("without_isal")
def test_smooth_colours_are_packed_tightly_and_photographs_as_tightly_as_by_looking_for_repeats(tmp_path):
    places = np.linspace(-3, 3, 300)
    heat = colorize(np.exp(-(places[:, np.newaxis] ** 2) - (places - 0.4) ** 2))
    grain = np.random.default_rng(0).normal(0, 12, (300, 300, 3))
    photo = np.clip(heat[::-1] * 0.5 + 60 + grain, 0, 255).astype(np.uint8)
    sizes = {}
    for name, image in (("heat", heat), ("photo", photo)):
        for strategy in (PHOTOGRAPH, SMOOTH, DRAWN):
            write_png(str(tmp_path / "x.png"), image, strategy)
            sizes[name, strategy] = png_rows(tmp_path / "x.png").size
    assert sizes["heat", SMOOTH] < 0.75 * min(sizes["heat", DRAWN], sizes["heat", PHOTOGRAPH])
    assert sizes["photo", PHOTOGRAPH] < 1.02 * min(sizes["photo", DRAWN], sizes["photo", SMOOTH])
