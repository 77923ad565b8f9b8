"""Token layers: a small net of patches with a class token against its float64 twin."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import class_asks, request

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.engine.feature_maps import tokens_as_map
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import GradientError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo


class PatchNet:
    """Patches of 4x4 -> tokens [N, 1 + h w, 5], mixed by a matrix M over the tokens -> the class token -> logits."""

    def __init__(self, size=(12, 12), class_token=True):
        random = np.random.RandomState(3)
        self.grid = (size[0] // 4, size[1] // 4)
        self.extra = int(class_token)
        count = self.grid[0] * self.grid[1] + self.extra
        self.patch = random.randn(4, 4, 3, 5).astype(np.float32) * 0.01
        self.mix = random.randn(count, count).astype(np.float32)
        self.head = random.randn(5, 4).astype(np.float32)
        self.images = random.uniform(0, 255, (2, *size, 3)).astype(np.float32)
        self.graph = tf.Graph()
        with self.graph.as_default():
            x = tf.placeholder(tf.float32, [None, *size, 3], name="input")
            patches = tf.reshape(tf.nn.conv2d(x, self.patch, [1, 4, 4, 1], "VALID"), [-1, count - self.extra, 5])
            first = tf.zeros_like(patches[:, : self.extra]) + 0.5
            tokens = tf.nn.relu(tf.concat([first, patches], axis=1), name="tokens")
            mixed = tf.tanh(tf.einsum("ts,nsk->ntk", tf.constant(self.mix), tokens) * 0.1)
            tf.nn.softmax(tf.matmul(mixed[:, 0], self.head, name="logits"))

    def features_and_grads(self, class_id):
        """A and dy/dA of all tokens: two [N, tokens, 5]."""
        blocks = self.images.reshape(2, self.grid[0], 4, self.grid[1], 4, 3).transpose(0, 1, 3, 2, 4, 5).astype(float)
        patches = np.einsum("nhwijc,ijck->nhwk", blocks, self.patch.astype(float)).reshape(2, -1, 5)
        tokens = np.maximum(np.concatenate([np.full((2, self.extra, 5), 0.5), patches], axis=1), 0)
        inner = 0.1 * np.einsum("s,nsk->nk", self.mix[0].astype(float), tokens)
        slope = self.head[:, class_id] * (1 - np.tanh(inner) ** 2)
        return tokens, 0.1 * self.mix[0].astype(float)[None, :, None] * slope[:, None]


def twin(net, class_id):
    features, grads = (a[:, net.extra :].reshape(2, *net.grid, 5) for a in net.features_and_grads(class_id))
    return np.maximum((features * grads.mean((1, 2), keepdims=True)).sum(-1), 0), (features * grads).sum(-1)


@pytest.mark.parametrize("class_token", [True, False])
def test_tokens_of_a_square_image_are_a_map(class_token):
    net = PatchNet(class_token=class_token)
    with GradCamGraph(net.graph.as_graph_def(), preset="raw", layer="tokens", logits="logits") as graph:
        found = graph.explain(net.images, [2, 0], ["gradcam", "hirescam", "guided_gradcam"])
        smooth = graph.explain(net.images, 2, "hirescam", options=ExplainOptions(eigen_smooth=True))
    for t, class_id in enumerate((2, 0)):
        cam, hires = twin(net, class_id)
        np.testing.assert_allclose(found["gradcam"][:, t], cam, atol=1e-5)
        np.testing.assert_allclose(found["hirescam"][:, t], hires, atol=1e-5)
    assert found["guided_gradcam"].shape == (2, 2, 12, 12, 3)
    assert smooth["hirescam"].shape == (2, 1, 3, 3)


class Wide(GradCamGraph):
    """Has its tokens column by column."""

    def reshape(self, features):
        return tf.transpose(tf.reshape(features[:, 1:], [-1, 4, 2, 5]), [0, 2, 1, 3])


def test_a_wide_image_has_a_wide_grid():
    net = PatchNet(size=(8, 16))  # 1 + 2 * 4 tokens are as many as 3 * 3
    with GradCamGraph(net.graph.as_graph_def(), preset="raw", layer="tokens", logits="logits") as graph:
        found = graph.explain(net.images, 1, ["gradcam", "hirescam"])
    cam, hires = twin(net, 1)
    np.testing.assert_allclose(found["gradcam"][:, 0], cam, atol=1e-5)
    np.testing.assert_allclose(found["hirescam"][:, 0], hires, atol=1e-5)


def test_a_net_may_know_its_own_grid():
    net = PatchNet(size=(8, 16))
    with Wide(net.graph.as_graph_def(), preset="raw", layer="tokens", logits="logits") as graph:
        found = graph.explain(net.images, 1, "hirescam")
    hires = twin(net, 1)[1].reshape(2, 4, 2).transpose(0, 2, 1)
    np.testing.assert_allclose(found["hirescam"][:, 0], hires, atol=1e-5)


@pytest.mark.parametrize(
    ("tokens", "size", "grid"),
    [(196, (None, None), (14, 14)), (197, (224, 224), (14, 14)), (8, (8, 16), (2, 4)), (9, (16, 8), (4, 2))],
)
def test_the_grid_has_the_shape_of_the_image(tokens, size, grid):
    values = np.arange(tokens, dtype=np.float32).reshape(1, tokens, 1)
    with tf.Graph().as_default(), tf.Session() as sess:
        found = sess.run(tokens_as_map(tf.constant(values), size))
    assert found.tolist() == values[:, tokens - grid[0] * grid[1] :].reshape(1, *grid, 1).tolist()


@pytest.mark.parametrize(
    ("tokens", "size"), [(3, (None, None)), (7, (8, 8)), (9, (8, 24)), (None, (8, 8)), (1, (1, 1000))]
)
def test_what_is_no_grid_is_refused(tokens, size):
    with tf.Graph().as_default():
        features = tf.placeholder(tf.float32, [None, tokens, 5])
        with pytest.raises(GradientError, match="with or without a class token; override `reshape` of GradCamGraph"):
            tokens_as_map(features, size)


@pytest.mark.parametrize("method", ["ablationcam", "reciprocam"])
def test_methods_that_put_a_map_back_say_that_tokens_are_none(method):
    net = PatchNet()
    graph = GradCamGraph(net.graph.as_graph_def(), preset="raw", layer="tokens", logits="logits")
    with graph, pytest.raises(GradientError, match="'tokens:0' holds tokens: a map of them cannot be put back"):
        graph.explain(net.images, 1, method)


@pytest.mark.parametrize("sides", [(9,), (3, 4, 5)])
def test_signals_and_volumes_keep_their_own_axes(sides):
    """Layers of rank 3 and 5 in the maths: input [N, ..., 2] - dense over the channels, ReLU - flatten, dense."""
    random = np.random.RandomState(1)
    inner, outer = random.randn(2, 6), random.randn(int(np.prod(sides)) * 6, 3)
    batch = random.randn(2, *sides, 2).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, *sides, 2], name="input")
        flat = tf.matmul(tf.reshape(x, [-1, 2]), inner.astype(np.float32))
        layer = tf.nn.relu(tf.reshape(flat, [-1, *sides, 6]), name="features")
        tf.matmul(tf.reshape(layer, [-1, outer.shape[0]]), outer.astype(np.float32), name="logits")
    info = LayerInfo("features:0", "Relu", (None, *sides, 6))
    shape = (None, *sides, 2)
    binding = Binding("input:0", "logits:0", "features:0", layers=(info,), classes=3, array_shape=shape)
    names = ["gradcam", "hirescam", "gradcampp", "eigencam"]
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, binding, 8)
        maps = engine.run(request(batch, class_asks([1, 0], 2), names, (info,))).maps
        smooth = engine.run(request(batch, class_asks([1], 2), ["hirescam"], (info,), eigen_smooth=True)).maps
    features = np.maximum(batch.astype(np.float64) @ inner, 0)
    for t, class_id in enumerate((1, 0)):
        grads = outer[:, class_id].reshape(1, *sides, 6)
        weights = grads.mean(tuple(range(1, grads.ndim - 1)), keepdims=True)
        cam = np.maximum((weights * features).sum(-1), 0)
        np.testing.assert_allclose(maps["gradcam", "features:0"][:, t], cam, atol=1e-5)
        np.testing.assert_allclose(maps["hirescam", "features:0"][:, t], (grads * features).sum(-1), atol=1e-5)
    for found in (*maps.values(), *smooth.values()):
        assert found.shape[2:] == sides
        assert found.any()
