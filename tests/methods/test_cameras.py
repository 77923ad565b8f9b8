"""CAMERAS against a float64 twin on nets of any size, against HiResCAM, and refused for nets of one size."""

from __future__ import annotations

import numpy as np
import pytest
from flat_options import chosen
from perturbation_nets import enlarged
from small_nets import SmallNet

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

NET = SmallNet("gap", seed=2)
IMAGES = np.random.RandomState(3).rand(2, 8, 12, 3) * 255


def free_graph(**how):
    """SmallNet("gap") with an input of any size."""
    net = SmallNet("gap", seed=2)
    net.size = (None, None)
    net.channels = 3
    return net.graph(**how)


def opened(graph, **how):
    return GradCamGraph(graph.as_graph_def(), preset="raw", layer="features", logits="logits", **how)


def larger(values, size):
    """[H, W, K] upsampled channel by channel, float64."""
    return np.stack([enlarged(values[..., k].astype(np.float64), size) for k in range(values.shape[-1])], axis=-1)


def twin(image, class_id, factors):
    """Each size by the numpy net: features and gradients, upsampled, averaged, multiplied."""
    size = image.shape[:2]
    features, grads = np.zeros((*size, 5)), np.zeros((*size, 5))
    for factor in factors:
        resized = larger(image, [round(side * factor) for side in size]).astype(np.float32)[np.newaxis]
        features += larger(NET.forward(resized)["features"][0], size) / len(factors)
        grads += larger(NET.feature_grads(resized, class_id)[0], size) / len(factors)
    return np.maximum((features * grads).sum(-1), 0)


@pytest.mark.parametrize(
    ("options", "factors"),
    [({"sizes": 3, "largest": 2.0}, [1, 1.5, 2]), ({"sizes": 2, "largest": 3.0}, [1, 3]), ({"sizes": 1}, [1])],
    ids=str,
)
@pytest.mark.parametrize("channels_first", [False, True])
def test_it_equals_the_float64_twin(options, factors, channels_first):
    with opened(free_graph(channels_first=channels_first)) as net:
        found = net.explain(IMAGES, [1, 2], chosen("cameras", {"cameras": options}))
        assert found["cameras"].shape == (2, 2, 8, 12)
        for n, image in enumerate(IMAGES):
            for t, class_id in enumerate((1, 2)):
                expected = twin(image, class_id, factors)
                scale = expected.max()
                np.testing.assert_allclose(found["cameras"][n, t], expected, atol=2e-5 * max(scale, 1))
                placed = found.map("cameras", n, t).placed()
                np.testing.assert_allclose(placed, found["cameras"][n, t], atol=1e-6)
        assert found["cameras"].max(axis=(2, 3)).max() > 1


def test_sizes_are_rounded_to_pixels():
    with opened(free_graph()) as net:
        found = net.explain(IMAGES[:1], 1, chosen("cameras", {"cameras": {"sizes": 2, "largest": 1.2}}))
    sizes = [(8, 12), (10, 14)]
    features, grads = np.zeros((8, 12, 5)), np.zeros((8, 12, 5))
    for size in sizes:
        resized = larger(IMAGES[0], size).astype(np.float32)[np.newaxis]
        features += larger(NET.forward(resized)["features"][0], (8, 12)) / 2
        grads += larger(NET.feature_grads(resized, 1)[0], (8, 12)) / 2
    expected = np.maximum((features * grads).sum(-1), 0)
    np.testing.assert_allclose(found["cameras"][0, 0], expected, atol=1e-4 * expected.max())


def test_cells_that_do_not_share_the_input_evenly_are_placed():
    """VALID strides: cell i lies at 1.5 + 2 i at every size, so at 1.5 / s + 2 i / s on the image.

    The features are the image at their own cells and the gradients are 1 / cells, so the map follows a ramp.
    """
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        kernel = np.zeros((3, 3, 3, 1), np.float32)
        kernel[1, 1, 0] = 1
        a = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 2, 2, 1], "VALID"), name="features")
        tf.matmul(tf.reduce_sum(a, [1, 2]), tf.constant([[1.0, -1.0]]), name="logits")
    ramp = np.broadcast_to(np.arange(17.0)[np.newaxis, :, np.newaxis, np.newaxis] + 1, (1, 17, 17, 3))
    with opened(graph) as net:
        found = net.explain(ramp, 0, chosen("cameras", {"cameras": {"sizes": 3, "largest": 3.0}}))["cameras"][0, 0]
    np.testing.assert_allclose(found[3:-3, 5], np.arange(17.0)[3:-3] + 1, atol=1e-3)


def test_the_cost_is_told():
    from gradcam_tf1 import ExplainOptions

    told = []
    with opened(free_graph()) as net:
        options = ExplainOptions(progress=told.append)
        net.explain(IMAGES, [0, 1], chosen("cameras", {"cameras": {"sizes": 3}}), options=options)
    assert (told[0].runs, told[0].images, told[-1].done) == (6, 2, 12)
    assert told[0].unit == "forward and backward passes of the whole net"


@pytest.mark.parametrize("graph", [NET.graph(), NET.graph(channels_first=True)], ids=["last", "first"])
def test_nets_of_one_size_are_refused(graph):
    with opened(graph) as net:
        with pytest.raises(
            GradientError, match="cameras runs the net on the image at several sizes, and this net takes"
        ):
            net.explain(IMAGES, 0, "cameras")
        usable, reasons = net.usable_methods(["cameras", "gradcam"])
    assert usable == ["gradcam"]
    assert "use 'hirescam'" in reasons["cameras"]


def test_nets_that_resize_every_image_are_refused():
    weights = SmallNet("gap", seed=2).weights
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.uint8, [None, None, None, 3], name="input")
        x = tf.image.resize_bilinear(tf.cast(x, tf.float32), [8, 12])
        a = tf.nn.relu(tf.nn.conv2d(x, weights["w1"], [1, 1, 1, 1], "SAME"), name="features")
        tf.matmul(tf.reduce_mean(a, [1, 2]), np.ones((6, 2), np.float32), name="logits")
    with opened(graph) as net, pytest.raises(GradientError, match="or resizes every image itself"):
        net.explain(IMAGES.astype(np.uint8), 0, "cameras")


def test_a_dense_head_fixes_the_size():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        a = tf.nn.relu(tf.nn.conv2d(x, np.ones((3, 3, 3, 2), np.float32), [1, 1, 1, 1], "SAME"), name="features")
        flat = tf.reshape(a, [-1, 8 * 8 * 2])
        tf.matmul(flat, np.ones((128, 2), np.float32), name="logits")
    with opened(graph) as net, pytest.raises(GradientError, match="cameras runs the net on the image at several"):
        net.explain(np.full((1, 8, 8, 3), 9.0), 0, "cameras")
