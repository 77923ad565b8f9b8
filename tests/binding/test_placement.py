"""Maps on the original image: a net that copies a bright square shows it in place, whatever the fit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from cell_nets import conv, ones

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.images.geometry import centres, resample, stretched, upsample
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells, LoadedModel


def pooled(x, padding):
    return tf.nn.avg_pool(conv(x, 3, 1), [1, 3, 3, 1], [1, 2, 2, 1], padding)


def padded(x):
    return conv(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 2, "VALID")


def decoder(x):
    return tf.nn.conv2d_transpose(x, ones(4, 4, 1, 1), [1, *(2 * tf.shape(x)[1:3])], [1, 2, 2, 1])


# each has a stride of 8 and kernels of ones: a map is a blurred image of the bright pixels
BODIES = {
    "same": lambda x: conv(conv(conv(x))),
    "valid": lambda x: conv(conv(conv(x, 3, 2, "VALID"), 3, 2, "VALID"), 5, 2, "VALID"),
    "padded": lambda x: padded(padded(padded(x))),
    "pools": lambda x: pooled(pooled(pooled(x, "SAME"), "VALID"), "SAME"),
    "dilated": lambda x: tf.nn.atrous_conv2d(conv(conv(conv(x))), ones(3, 3, 1, 1), 2, "SAME"),
}
FITS = {  # the fit, the size of the input, the size of the image, where its square of 30 x 30 begins
    "stretch": ("stretch", (101, 93), (150, 120), (70, 40)),
    "stretch, multiples": ("stretch", (96, 80), (130, 110), (60, 45)),
    "stretch, any size": ("stretch", (None, None), (131, 110), (60, 45)),
    "short side": ("short-side", (None, None), (517, 203), (300, 90)),
    "center-crop": ("center-crop", (103, 96), (150, 190), (70, 90)),
    "letterbox": ("letterbox", (120, 121), (170, 110), (80, 50)),
}


def net_of(body, size, **more):
    """Threshold at 200, then the body; brightness is evidence for class 0 and against class 1."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, *size, 3], name="x")
        bright = tf.reduce_mean(tf.nn.relu(x - 200.0), axis=3, keepdims=True)
        features = tf.nn.relu(body(bright) * 0.01, name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), np.array([[1.0, -1.0]], np.float32), name="logits")
        definition = graph.as_graph_def()
    model = LoadedModel(definition, "square", "live graph", ("x:0",), ("logits:0",))
    return GradCamGraph(model, preset="raw", layer="features:0", **more)


def photo(size, corner, side=30):
    image = np.zeros((*size, 3), np.uint8)
    image[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = 255
    return image


def centroid(map):
    """[row, column] in pixels; the centre of pixel p is p + 0.5."""
    rows, columns = (np.arange(side) + 0.5 for side in map.shape)
    return np.array([map.sum(1) @ rows, map.sum(0) @ columns]) / map.sum()


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("fit", FITS)
def test_the_map_lies_where_the_square_is(kind, fit):
    mode, size, original, corner = FITS[fit]
    with net_of(BODIES[kind], size, fit=mode) as net:
        found = net.explain([photo(original, corner)], 0)
    off = centroid(found.map("gradcam", 0).placed()) - (np.array(corner) + 15)
    assert np.abs(off).max() < 1


def test_without_the_places_the_same_maps_are_pixels_off():
    """Stretching would fail the test above: the fit, the stride and the padding leave a remainder."""
    mode, size, original, corner = FITS["short side"]
    with net_of(BODIES["valid"], size, fit=mode) as net:
        found = net.explain([photo(original, corner)], 0)
    off = centroid(found.placements[0].place(found["gradcam"][0, 0])) - (np.array(corner) + 15)
    assert np.abs(off).max() > 2


# all steps that bring a map to the input's size; 64 x 80 with 8 x 10 cells, the first at 7.5

ORIGINAL, CORNER = (64, 80), (20, 30)


@pytest.fixture(scope="module")
def net():
    with net_of(lambda x: conv(tf.identity(conv(conv(x)), name="earlier")), (64, 80)) as opened:
        yield opened


def enlarged(map, first=7.5, stride=8.0, size=ORIGINAL):
    """Float64 twin: linear between the cells' centres, constant beyond the outer ones."""
    lines = np.array([np.interp(np.arange(size[1]) + 0.5, first + stride * np.arange(map.shape[1]), r) for r in map])
    at = first + stride * np.arange(map.shape[0])
    return np.array([np.interp(np.arange(size[0]) + 0.5, at, column) for column in lines.T]).T


def test_a_map_is_linear_between_the_centres_of_its_cells(net):
    found = net.explain([photo(ORIGINAL, CORNER)], 0)
    key = found.key("gradcam")
    assert found.cells[key] == Cells((7.5, 7.5), (8.0, 8.0))
    np.testing.assert_allclose(found.map("gradcam", 0).placed(), enlarged(found["gradcam"][0, 0]), rtol=1e-5)
    assert found.statuses[key][0][0].notes == ()


def test_a_product_is_made_where_the_map_lies(net):
    found = net.explain([photo(ORIGINAL, CORNER)], 0, ["guided_gradcam", "guided_backprop", "gradcam"])
    large = enlarged(found["gradcam"][0, 0])[..., np.newaxis]
    np.testing.assert_allclose(found["guided_gradcam"][0, 0], found["guided_backprop"][0, 0] * large, rtol=1e-4)
    assert found.key("guided_gradcam") not in found.cells


def test_the_masks_of_score_cam_lie_where_the_map_does(net):
    image = photo(ORIGINAL, CORNER)
    found = net.explain([image], 0, ["scorecam", "gradcam"])
    mask = enlarged(found["gradcam"][0, 0])
    masked = image * ((mask - mask.min()) / (mask.max() - mask.min()))[..., np.newaxis]
    weight = net.explain([masked.astype(np.float32)], 0).scores[0, 0]  # of black the score is 0
    features = found["scorecam"][0, 0] / weight
    whole = net.explain([image], 0)
    # the features average to the score of class 0
    np.testing.assert_allclose(features.mean(), whole.scores[0, 0], rtol=1e-4)


def test_the_biases_of_fullgrad_lie_where_their_cells_do():
    """The only bias acts where the map is positive; outside the square the pixels contribute nothing."""

    def net(x):
        return tf.nn.bias_add(conv(conv(x)), [-200.0])

    image = photo(ORIGINAL, CORNER)
    with net_of(net, ORIGINAL) as opened:
        found = opened.explain([image], 0, ["fullgrad", "gradcam"])
    felt = (found["gradcam"][0, 0] > 0).astype(float)
    beside = image[..., 0] == 0
    expected = enlarged(felt, 3.5, 4.0)
    np.testing.assert_allclose(found["fullgrad"][0, 0][beside], expected[beside], atol=1e-5)


def test_mirrored_views_come_back_to_where_their_cells_were(net):
    for column in (20, 35):
        corner = (20, column)
        found = net.explain([photo(ORIGINAL, corner)], 0, options=ExplainOptions(aug_smooth=True))
        assert found.cells[found.key("gradcam")] == Cells((7.5, 7.5), (8.0, 8.0))
        off = centroid(found.map("gradcam", 0).placed()) - (np.array(corner) + 15)
        assert np.abs(off).max() < 1


def test_layers_are_fused_where_the_finest_of_them_has_its_cells(net):
    found = net.explain(
        [photo(ORIGINAL, CORNER)], 0, layers=["features:0", "earlier:0"], options=ExplainOptions(fuse="mean")
    )
    assert found.cells["gradcam", "fused"] == found.cells["gradcam", "earlier:0"] == Cells((3.5, 3.5), (4.0, 4.0))
    coarse, fine = (found.maps["gradcam", name][0, 0] for name in ("features:0", "earlier:0"))
    at = 3.5 + 4 * np.arange(20)
    rows = np.array([np.interp(at, 7.5 + 8 * np.arange(10), row) for row in coarse])
    onto = np.array([np.interp(at[:16], 7.5 + 8 * np.arange(8), column) for column in rows.T]).T
    expected = (onto / onto.max() + fine / fine.max()) / 2
    np.testing.assert_allclose(found.maps["gradcam", "fused"][0, 0], expected, rtol=1e-4, atol=1e-6)
    off = centroid(found.map("gradcam", 0, layer="fused").placed()) - (np.array(CORNER) + 15)
    assert np.abs(off).max() < 1


def test_the_raw_numbers_say_where_the_cells_lie(net, tmp_path):
    cv2.imwrite(str(tmp_path / "square.png"), photo(ORIGINAL, CORNER))
    net.visualize_imgs(
        str(tmp_path / "square.png"), str(tmp_path / "out"), targets=0, methods="gradcam", style=Style(raw=True)
    )
    with np.load(next((tmp_path / "out").glob("**/*.npz"))) as raw:
        assert (raw["offset"].tolist(), raw["stride"].tolist()) == ([7.5, 7.5], [8.0, 8.0])
        map = raw["map"]
    found = net.explain([photo(ORIGINAL, CORNER)], 0)
    np.testing.assert_allclose(enlarged(map), found.map("gradcam", 0).placed(), rtol=1e-5)


def test_maps_of_noisy_copies_keep_their_place(net):
    found = net.explain([photo(ORIGINAL, CORNER)], 0, options=ExplainOptions(noise=Noise("smoothgrad", 2, 0.01)))
    assert found.cells[found.key("gradcam")] == Cells((7.5, 7.5), (8.0, 8.0))


def test_a_stretched_map_says_why():
    body = lambda x: conv(tf.roll(conv(x), 1, 1, name="rolled"))  # noqa: E731
    with net_of(body, (64, 80)) as net:
        assert net.binding.reasons["placement"] == "stretched over the input: 'rolled' (Roll) moves cells"
        found = net.explain([photo(ORIGINAL, CORNER)], 0, ["gradcam", "guided_gradcam", "gradient"])
    said = {method: found.statuses[found.key(method)][0][0].notes for method in ("gradcam", "guided_gradcam")}
    assert said["gradcam"] == ("stretched over the input: 'rolled' (Roll) moves cells",)
    assert said["gradcam"][0] in said["guided_gradcam"]
    assert found.cells == {}


def test_the_binding_says_how_maps_are_placed(net):
    told = "by strides and paddings: the first cell lies at 7.5, the next 8 pixels on"
    assert net.binding.reasons["placement"] == told
    with net_of(BODIES["same"], (None, None)) as free:
        assert free.binding.reasons["placement"] == "by strides and paddings, for each image size"
    with net_of(lambda x: conv(x, 4, 4), (64, 80)) as even:
        assert even.binding.reasons["placement"] == "its cells share the input evenly"


# the arithmetic


def test_cells_that_share_the_input_evenly_are_placed_as_stretching_does():
    map = np.random.RandomState(0).rand(7, 5).astype(np.float32)
    even = stretched((224, 160), (7, 5))
    assert even == Cells((16.0, 16.0), (32.0, 32.0))
    np.testing.assert_array_equal(upsample(map, (224, 160), even), upsample(map, (224, 160)))


def test_a_mirrored_row_of_cells_is_read_from_the_other_end():
    map = np.array([[1.0, 2.0, 4.0]], np.float32)
    turned = upsample(map, (1, 6), Cells((0.5, 5.0), (1.0, -2.0)))
    np.testing.assert_allclose(turned, upsample(map[:, ::-1], (1, 6)))


def test_maps_are_read_at_any_points_of_the_input():
    map = np.array([[[0.0, 8.0]]], np.float32)
    cells = Cells((0.5, 2.0), (1.0, 4.0))
    read = resample(map, (1, 9), cells, [np.array([0.5]), np.array([0.0, 2.0, 3.0, 6.0, 8.5])])
    np.testing.assert_allclose(read, [[[0, 0, 2, 8, 8]]])
    np.testing.assert_array_equal(centres(cells, (1, 2))[1], [2, 6])
