"""ShapleyCAM's second derivatives: by hand, by finite differences, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest
from layer_twins import maps_of, twin
from small_nets import SmallNet, gradcam_twin, request

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.derivatives import hessian_product
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import ScoreRequest


def test_the_hessian_product_of_a_cubic_and_of_a_plane():
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.constant([[1.0, -2.0, 3.0]])
        cubic, plane = tf.reduce_sum(a * a * a), tf.reduce_sum(4 * a)
        both = tf.reduce_sum(a) ** 2  # H is all twos
        products = [hessian_product(tf.gradients(y, a), [a])[0] for y in (cubic, plane, both)]
        cubed, flat, mixed = sess.run(products)
    np.testing.assert_allclose(cubed, [[6, 24, 54]])
    np.testing.assert_array_equal(flat, [[0, 0, 0]])
    np.testing.assert_allclose(mixed, [[4, 4, 4]])


def test_an_op_without_a_second_derivative_is_named():
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [1, 4, 4, 3], name="a")
        grad = tf.gradients(tf.reduce_sum(tf.nn.lrn(a)), a)[0]
        with pytest.raises(GradientError, match=r"no second derivative by 'a:0'.*LRNGrad.*Use gradcam"):
            hessian_product([grad], [a])


def test_shapleycam_by_finite_differences():
    """(H A)_i is the change of g_i along A."""
    net = SmallNet("flat", size=(4, 6))
    images = net.images(1)
    graph = net.graph(dtype=np.float64)
    with graph.as_default():
        logits = graph.get_tensor_by_name("logits:0")
        utility = logits[0, 2] + tf.nn.log_softmax(logits)[0, 2]
        features = graph.get_tensor_by_name("features:0")
        grads = tf.gradients(utility, features)[0]
        with tf.Session(graph=graph) as sess:
            a = sess.run(features, {"input:0": images})
            g, up, down = (sess.run(grads, {features: a * step}) for step in (1, 1 + 1e-6, 1 - 1e-6))
    product = (up - down) / 2e-6
    assert np.abs(product).max() > 1e-3
    expected = np.maximum(gradcam_twin(a, g - product / 2), 0)
    np.testing.assert_allclose(maps_of(net, images, [2], "shapleycam")[:, 0], expected, atol=1e-5)


def test_several_layers_in_one_call_have_their_own_curvature():
    net = SmallNet("flat")
    images = net.images(1)
    graph = net.graph()
    first = next(op.outputs[0].name for op in graph.get_operations() if op.type == "Relu")
    inner = net.layer().__class__(first, "Relu", (None, 8, 12, 6))
    binding = net.binding(layers=(inner, net.layer()))
    requests = [ScoreRequest(("logit",), {"code": np.array([1], np.int32)})]
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, binding, 8)
        both = engine.run(request(images, requests, ["shapleycam"], binding.layers)).maps
        alone = engine.run(request(images, requests, ["shapleycam"], (inner,))).maps
    np.testing.assert_allclose(both["shapleycam", first], alone["shapleycam", first], atol=1e-6)
    expected = np.maximum(twin("shapleycam", net, images, [1]), 0)
    np.testing.assert_allclose(both["shapleycam", "features:0"], expected, atol=1e-5)
