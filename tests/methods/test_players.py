"""The parts of an input: grids and labels worked by hand, superpixels of drawn squares, and what is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from perturbation_nets import IMAGE, NET, linear_net, maps_of, run_on
from small_nets import SmallNet

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.masking import masked_images
from gradcam_tf1.methods.players import most_players, players_of


class Picture:
    """What `players_of` asks of a probe."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.image = pixels / 255


def squares():
    """A gray image with a red square and a blue one."""
    pixels = np.full((64, 80, 3), 120, np.float32)
    pixels[10:34, 10:34] = (230, 20, 20)
    pixels[30:60, 44:76] = (20, 20, 230)
    return Picture(pixels)


def test_a_grid_has_as_many_cells_along_each_axis():
    found = players_of(Picture(np.zeros((4, 7, 3), np.float32)), "grid", 9)
    rows = [[0, 0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2, 2], [3, 3, 3, 4, 4, 5, 5], [6, 6, 6, 7, 7, 8, 8]]
    np.testing.assert_array_equal(found.labels, rows)
    assert found.count == 9
    flat = players_of(Picture(np.zeros((2, 100, 3), np.float32)), "grid", 100)
    assert flat.count == 20  # 10 cells of 10 pixels, but 2 rows
    assert [players_of(Picture(np.zeros((6,) * axes + (1,), np.float32)), "grid", 64).count for axes in (1, 3)] == [
        6,
        64,
    ]


def test_labels_are_numbered_in_their_order_and_painted_back():
    labels = np.array([[7, 7, -2], [7, 100, -2]])
    found = players_of(Picture(np.zeros((2, 3, 3), np.float32)), labels, 50)
    np.testing.assert_array_equal(found.labels, [[1, 1, 0], [1, 2, 0]])
    np.testing.assert_array_equal(found.painted(np.array([[5, 6, 7]])), [[[6, 6, 5], [6, 7, 5]]])
    masks = list(found.masks(np.array([[True, False, False], [False, True, True]])))
    np.testing.assert_array_equal(masks, [[[0, 0, 1], [0, 0, 1]], [[1, 1, 0], [1, 1, 0]]])


def test_superpixels_follow_the_edges_of_the_image():
    found = players_of(squares(), "slic", 40)
    assert 15 < found.count <= 40
    red, blue = np.zeros((64, 80), bool), np.zeros((64, 80), bool)
    red[10:34, 10:34], blue[30:60, 44:76] = True, True
    for region in (red, blue):
        inside = np.bincount(found.labels[region], minlength=found.count)
        sizes = np.bincount(found.labels.ravel())
        assert np.minimum(inside, sizes - inside).sum() < 0.05 * region.sum()  # hardly any part holds both


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20, 33, 90])
def test_there_are_never_more_superpixels_than_announced(count):
    noisy = Picture(np.random.RandomState(count).uniform(0, 255, (50, 70, 3)).astype(np.float32))
    for picture in (squares(), noisy, Picture(np.zeros((9, 9, 3), np.float32))):
        most = most_players(picture, "slic", count)
        assert 1 <= players_of(picture, "slic", count).count <= most == min(count, picture.pixels[..., 0].size)


def test_more_superpixels_than_pixels_are_at_most_as_many_as_pixels():
    """However many are asked for: what takes long is a linear model of so many parts, which has a bound."""
    picture = Picture(np.random.RandomState(0).uniform(0, 255, (9, 12, 3)).astype(np.float32))
    assert players_of(picture, "slic", 10**12).count <= most_players(picture, "slic", 10**12) == 108
    labels = np.arange(64 * 64).reshape(64, 64)
    for name in ("lime", "kernelshap"):
        with pytest.raises(OptionError, match="a linear model of 4096 parts takes too long; give at most 4000"):
            maps_of(
                SmallNet("gap", size=(64, 64)),
                np.zeros((1, 64, 64, 3), np.float32),
                name,
                segments=labels,
            )


@pytest.mark.parametrize("size", [(28, 28), (32, 48), (64, 64)])
def test_noise_is_divided_too(size):
    """Plain SLIC makes one or a few parts of noise, and the map would be the same everywhere."""
    for seed in range(3):
        noisy = np.random.RandomState(seed).uniform(0, 255, (*size, 3)).astype(np.float32)
        assert players_of(Picture(noisy), "slic", 50).count >= 25


def test_bands_are_segmented_as_they_are():
    pixels = np.zeros((40, 40, 5), np.float32)
    pixels[:, 20:, 3] = 200
    found = players_of(Picture(pixels), "slic", 8)
    assert not set(found.labels[:, :20].ravel()) & set(found.labels[:, 20:].ravel())


def test_copying_whole_pixels_is_the_formula():
    random = np.random.RandomState(0)
    image, fill = random.randn(2, 6, 5, 3).astype(np.float32)
    masks = random.random_sample((4, 6, 5)) < 0.5
    np.testing.assert_array_equal(
        masked_images(image, masks, fill), masked_images(image, masks.astype(np.float32), fill)
    )
    np.testing.assert_array_equal(
        masked_images(image[:, ::2], masks[:, :, ::2], fill[:, ::2]), masked_images(image, masks, fill)[:, :, ::2]
    )


@pytest.mark.parametrize(
    "wrong", [np.zeros((8, 11), int), np.zeros((8, 12)), np.zeros((8, 12, 1), int), 3, [[0, 1]], np.ones((8, 12), bool)]
)
def test_labels_that_do_not_fit_the_input_are_an_error(wrong):
    message = r"segments are \w+ \[.*\]; they must be whole numbers of the input's size, \[8, 12\], one value for each"
    with pytest.raises(OptionError, match=message):
        maps_of(NET, IMAGE, "lime", segments=wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"segments": "circles"}, "lime.segments is one of slic, grid, or an array of labels, not 'circles'"),
        ({"count": 0}, "lime.count is a whole number at least 1 and at most 10000, not 0"),
    ],
)
def test_unknown_segments_are_an_error(wrong, message):
    with pytest.raises(OptionError, match=message):
        maps_of(NET, IMAGE, "lime", **wrong)


@pytest.mark.parametrize("name", ["lime", "kernelshap", "shapley_sampling", "sobol", "hsic"])
def test_every_pixel_of_a_part_has_its_value(name):
    graph, image, _ = linear_net()
    labels = np.random.RandomState(1).randint(0, 5, (7, 9))
    maps = run_on(graph, image, [0], [name], {name: {"segments": labels}}, channels=2)[name, ""][0, 0]
    assert maps.shape == (7, 9)
    assert all(len(np.unique(maps[labels == label])) == 1 for label in range(5))
    assert len(np.unique(maps)) == 5
