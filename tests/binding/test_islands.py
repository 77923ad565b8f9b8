"""A net with islands of another layout has the layer, the maps and the places of the same net without them."""

from __future__ import annotations

import island_nets as nets
import numpy as np
import pytest

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

METHODS = ["gradcam", "hirescam"]
MORE = ["ablationcam", "guided_gradcam", "fullgrad"]  # these put features back, or look at every bias
SQUARE = (24, 24)  # six rows, columns and channels at the last layer: only the Transposes tell them apart
_known = {}


def explained(build, turn=None, size=(16, 24), methods=METHODS, **options):
    """Maps by method, the counted layers, the description of the places, and the layer."""
    key = (build, turn, size, tuple(methods), *options.items())
    if key not in _known:
        images = np.random.RandomState(3).randint(0, 256, [2, *size, 3]).astype(np.uint8)
        with GradCamGraph(nets.island_net(build, turn, size, **options), preset="inception") as net:
            result = net.explain(images, targets=[0, 1], methods=list(methods))
            binding = net.binding
            layer = next(layer for layer in binding.layers if layer.name == binding.layer)
            counted = sum(layer.counted for layer in binding.layers)
            _known[key] = {name: result[name] for name in methods}, counted, binding.reasons["placement"], layer
    return _known[key]


def check_same(build, turn, size=(16, 24), methods=METHODS, **options):
    plain, counted, places, _ = explained(build, None, size, methods)
    maps, other_counted, other_places, layer = explained(build, turn, size, methods, **options)
    assert (other_counted, other_places) == (counted, places)
    for name in methods:
        scale = np.abs(plain[name]).max()
        assert scale > 1e-6, name
        np.testing.assert_allclose(maps[name], plain[name], atol=1e-5 * scale, err_msg=name)
    return layer


FORMS = (
    nets.pooled,
    nets.left_before_pooling,
    nets.kept_sides,
    nets.residual,
    nets.joined,
    nets.padded,
    nets.gated,
    nets.leaky,
    nets.separable,
    nets.shuffled,
    nets.tokens,
)


@pytest.mark.parametrize("build", [*FORMS, nets.flattened], ids=lambda build: build.__name__)
def test_an_island_with_channels_first(build):
    layer = check_same(build, nets.FIRST)
    if build not in (nets.tokens, nets.separable):
        assert (layer.channels_last, layer.order) == (False, ())


@pytest.mark.parametrize("build", [nets.pooled, nets.shuffled], ids=lambda build: build.__name__)
def test_sides_that_say_nothing(build):
    check_same(build, nets.FIRST, SQUARE)


@pytest.mark.parametrize(
    "turn",
    [(0, 2, 1, 3), (0, 1, 3, 2), (0, 3, 2, 1)],
    ids=["rows and columns swapped", "channels between", "first and swapped"],
)
def test_any_other_order(turn):
    layer = check_same(nets.pooled, turn)
    assert layer.order == tuple(turn.index(axis) for axis in range(4))
    check_same(nets.flattened, turn)


def test_images_last():
    assert check_same(nets.left_before_pooling, (3, 1, 2, 0)).order == (3, 1, 2, 0)


def test_methods_that_put_features_back():
    check_same(nets.residual, nets.FIRST, methods=MORE)
    check_same(nets.left_before_pooling, (0, 3, 2, 1), methods=MORE)


def test_an_input_with_channels_first():
    check_same(nets.residual, nets.FIRST, channels_first=True)


def test_a_turn_in_two_steps():
    """[N, h, w, C] -> [N, h, C, w] -> [N, C, h, w]."""

    def in_two_steps(x, turn):
        a = nets.conv(x, 6, 4)
        a = a if turn is None else tf.transpose(tf.transpose(a, [0, 1, 3, 2]), [0, 2, 1, 3])
        return nets.dense(tf.reduce_mean(nets.Island(turn).norm(tf.nn.relu(a)), nets.Island(turn).at("h", "w")))

    check_same(in_two_steps, nets.FIRST)


def test_scores_of_positions_inside_an_island():
    """[N, C, h, w] with C = h = w: the axis of the classes is that of the last convolution."""

    def segmentation(x, turn):
        scores = nets.conv(tf.nn.relu(nets.conv(x, 6, 2)), 12, seed=2, size=1)
        return tf.identity(nets.Island(turn).into(scores), name="logits")

    for turn, axes in ((None, "nppc"), (nets.FIRST, "ncpp")):
        with GradCamGraph(nets.island_net(segmentation, turn, SQUARE)) as net:
            assert net.binding.score_axes == axes
    plain, _, _, _ = explained(segmentation, None, SQUARE, ["gradcam"])
    turned, _, _, _ = explained(segmentation, nets.FIRST, SQUARE, ["gradcam"])
    np.testing.assert_allclose(turned["gradcam"], plain["gradcam"], atol=1e-6)


def test_cam_through_an_island():
    for build in (nets.pooled, nets.kept_sides):
        plain, turned = (explained(build, turn, methods=["cam"])[0]["cam"] for turn in (None, nets.FIRST))
        np.testing.assert_allclose(turned, plain, atol=1e-5)


def test_the_size_of_a_free_input_follows_through_an_island():
    def free(x, turn):
        a = nets.Island(turn).into(tf.nn.relu(nets.conv(x, 6, 4)))
        return tf.matmul(tf.reshape(a, [-1, 8 * 8 * 6]), nets.weights(9, 384, 4), name="logits")

    for turn in (None, nets.FIRST):
        with GradCamGraph(nets.island_net(free, turn, (None, None))) as net:
            assert net.binding.image_size == (32, 32)
