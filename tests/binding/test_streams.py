"""Nets that cut one placeholder into several images: the whole placeholder is the input."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import conv_relu, dense, images, pooled, weights

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.errors import BindingError, FeedError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

PAIRS = np.random.RandomState(4).rand(2, 16, 16, 6).astype(np.float32) * 2 - 1

CUTS = {
    "split": lambda x: tf.split(x, 2, 3),
    "sizes": lambda x: tf.split(x, [3, 3], -1),
    "strided": lambda x: (x[..., :3], x[..., 3:]),
    "slice": lambda x: (tf.slice(x, [0] * 4, [-1, -1, -1, 3]), tf.slice(x, [0, 0, 0, 3], [-1, -1, -1, 3])),
    "scaled": lambda x: tf.split(x * 0.5, 2, 3),
    "resized": lambda x: tf.split(tf.image.resize_bilinear(x, [24, 24]), 2, 3),
    "gathered": lambda x: (tf.gather(x, [0, 1, 2], axis=3), tf.gather(x, [3, 4, 5], axis=3)),
}


def streams(one, other, inputs=3):
    first, second = conv_relu(one, 4, inputs=inputs, name="one"), conv_relu(other, 4, inputs=inputs, name="other")
    return dense(tf.concat([pooled(first), pooled(second)], 1), 3, 8, name="logits")


def gradients(x, logits, values, wanted):
    with tf.Session() as session:
        return session.run([logits, tf.gradients(logits[:, wanted], x)[0]], {x: values})


@pytest.mark.filterwarnings("ignore:the image has")  # prepared values
@pytest.mark.parametrize("cut", CUTS)
def test_two_streams_of_bands_have_the_whole_as_their_input(graph, cut):
    """Oracles: scores and gradients in the original graph."""
    x = images(None, 16, 16, 6, name="x")
    logits = streams(*CUTS[cut](x))
    saved = graph.as_graph_def()
    scores, wanted = gradients(x, logits, PAIRS, 2)
    with GradCamGraph(saved, preset="raw") as net:
        assert (net.binding.input, net.binding.channels, net.binding.feeds) == ("x:0", 6, {})
        found = net.explain(PAIRS, targets=[2], methods=["gradient"])
    np.testing.assert_allclose(found.scores[:, 0], scores[:, 2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["gradient"][:, 0], wanted, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("axis", [1, 3])
def test_a_pair_of_gray_images_is_unstacked(graph, axis):
    shape = [None, 20, 20, 20]
    shape[axis] = 2
    x = images(*shape, name="x")
    one, other = tf.unstack(x, axis=axis)
    streams(one[..., None], other[..., None], inputs=1)
    if axis == 3:
        assert (bind(graph).input, bind(graph).channels) == ("x:0", 2)
        return
    with pytest.raises(BindingError, match="only a part of 'x:0'.*the whole is not an image"):
        bind(graph)


def test_channels_first_streams_have_the_whole_as_their_input(graph):
    x = images(None, 6, 16, 12, name="x")
    maps = [
        tf.nn.conv2d(part, weights(3, 3, 3, 4), [1, 1, 1, 1], "SAME", data_format="NCHW", name=f"stream{n}")
        for n, part in enumerate(tf.split(x, 2, 1))
    ]
    dense(tf.concat([tf.reduce_mean(tf.nn.relu(each), [2, 3]) for each in maps], 1), 3, 8)
    binding = bind(graph)
    assert (binding.input, binding.channels, binding.input_channels_last) == ("x:0", 6, False)
    assert binding.image_size == (16, 12)


def test_a_part_that_alone_reaches_the_scores_is_the_input(graph):
    x = images(None, 16, 16, 6, name="x")
    dense(pooled(conv_relu(tf.identity(x[..., :3], name="colours"), 4)), 3, 4, name="logits")
    tf.reduce_sum(x[..., 3:], name="of_no_score")
    binding = bind(graph)
    assert binding.channels == 3
    assert binding.input != "x:0"
    with tf.Session() as session:  # nothing else has to be fed
        assert session.run(binding.logits, {binding.input: PAIRS[..., :3]}).shape == (2, 3)


def test_a_named_part_is_refused_with_the_whole_to_name(graph):
    x = images(None, 16, 16, 6, name="x")
    one, other = tf.split(x, 2, 3, name="cut")
    streams(one, other)
    with pytest.raises(BindingError, match="'cut:0' is only a part of 'x:0'.*name the whole, 'x:0', as the input"):
        bind(graph, requested=KeyTensors(input="cut:0"))
    assert bind(graph, requested=KeyTensors(input="x:0")).channels == 6
    with pytest.raises(FeedError, match="'x:0' takes the images"):
        bind(graph, requested=KeyTensors(feed={"x:0": 1}))


@pytest.mark.parametrize("named", [None, "clip:0"])
@pytest.mark.parametrize("fed", [{}, {"clip:0": 1}])
def test_a_clip_that_is_unstacked_is_refused_without_a_hint_that_fails(graph, named, fed):
    clip = images(None, 4, 16, 16, 3, name="clip")
    frames = [pooled(conv_relu(each, 4, name=f"frame{n}")) for n, each in enumerate(tf.unstack(clip, axis=1))]
    dense(tf.add_n(frames), 3, 4)
    with pytest.raises(BindingError, match="only a part of 'clip:0'.*reshapes its frames into one batch") as refused:
        bind(graph, requested=KeyTensors(input=named, feed=fed))
    assert "--feed" not in str(refused.value)
