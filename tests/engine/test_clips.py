"""Nets of clips: what is bound, and that each frame is explained as an image of its own, against a numpy twin."""

from __future__ import annotations

import clip_nets
import numpy as np
import pytest
from clip_nets import CHANNELS, FRAMES, SIDES, clip_graph, clips, twin
from flat_options import grouped

from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf


@pytest.fixture(scope="module", params=["clips", "frames"])
def net(request):
    with GradCamGraph(clip_graph(request.param).as_graph_def(), preset="zero-one") as ours:
        assert ours.binding.frame_order == request.param
        yield ours


def test_clips_are_bound_by_themselves(net):
    binding = net.binding
    assert (binding.input, binding.logits, binding.layer) == ("clip:0", "logits:0", "features:0")
    assert binding.array_shape == (None, FRAMES, *SIDES, 3)
    assert binding.image_size == SIDES
    assert binding.batch_size is None


def test_gradcam_weighs_each_frame_by_its_own_positions(net):
    x = clips()
    found = net.explain(x * 255, targets=[1, 2])
    for t, class_id in enumerate((1, 2)):
        wanted = twin(x, class_id)
        weights = wanted["grads"].mean((2, 3), keepdims=True)
        raw = np.maximum((weights * wanted["features"]).sum(-1), 0)
        np.testing.assert_allclose(found["gradcam"][:, t], raw, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(found.scores[:, t], wanted["scores"], rtol=1e-4)
    assert found["gradcam"].shape == (2, 2, FRAMES, *SIDES)


def test_gradcampp_is_of_each_frame_too(net):
    x = clips()
    found = net.explain(x * 255, targets=[1], methods="gradcampp")["gradcampp"][:, 0]
    wanted = twin(x, 1)
    a, g = wanted["features"], wanted["grads"]
    below = 2 * g**2 + a.sum((2, 3), keepdims=True) * g**3
    alpha = np.divide(g**2, below, out=np.zeros_like(below), where=g != 0)
    weights = (alpha * np.maximum(g, 0)).sum((2, 3), keepdims=True)
    raw = np.maximum((weights * a).sum(-1), 0)
    np.testing.assert_allclose(found, raw, rtol=1e-3, atol=1e-6 * raw.max())


def test_ablation_puts_a_channel_out_in_all_frames(net):
    """The features go back into the layer in the order that it has them."""
    x = clips(1)
    wanted = twin(x, 1)
    a, score = wanted["features"][0], wanted["scores"][0]
    pooled = a.mean((1, 2))
    drops = (np.square(pooled) * clip_nets.WHEN[:, np.newaxis]).sum(0) * clip_nets.HEAD[:, 1]
    raw = np.maximum(a @ (drops / abs(score)), 0)
    found = net.explain(x * 255, targets=[1], methods="ablationcam")["ablationcam"][0, 0]
    np.testing.assert_allclose(found, raw, rtol=1e-3, atol=1e-5 * raw.max())


def test_clips_of_images_are_preprocessed_and_placed_frame_by_frame(net):
    x = np.rint(clips() * 255).astype(np.uint8)
    arrays = net.explain(x.astype(np.float32), targets=[1], methods=["gradcam", "gradient"])
    images = net.explain(x, targets=[1], methods=["gradcam", "gradient"])
    for method in ("gradcam", "gradient"):
        np.testing.assert_allclose(images[method], arrays[method], rtol=1e-4, atol=1e-7)
    larger = [np.repeat(np.repeat(frame, 3, 0), 3, 1) for frame in x[0]]
    placed = net.explain([larger], targets=[1]).map("gradcam", 0).placed()
    assert placed.shape == (FRAMES, 3 * SIDES[0], 3 * SIDES[1])
    # the middle of three pixels is a cell's centre
    np.testing.assert_allclose(placed[:, 1::3, 1::3], images["gradcam"][0, 0], rtol=1e-3, atol=1e-6)


def test_a_batch_is_what_each_clip_is_alone(net):
    x = clips(3)
    methods = ["gradcam", "guided_gradcam", "eigencam", "scorecam"]
    whole = net.explain(x * 255, targets=[1], methods=methods)
    for n in range(3):
        alone = net.explain(x[n : n + 1] * 255, targets=[1], methods=methods)
        for method in methods:
            np.testing.assert_allclose(whole[method][n], alone[method][0], rtol=1e-4, atol=1e-7)


def test_any_number_of_frames_where_the_net_takes_any():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None, *SIDES, 3], name="clip")
        batch = tf.reshape(x, [-1, *SIDES, 3])
        features = tf.nn.relu(tf.nn.conv2d(batch, clip_nets.KERNEL, [1, 1, 1, 1], "SAME"), name="features")
        pooled = tf.reshape(tf.reduce_mean(features, [1, 2]), tf.stack([-1, tf.shape(x)[1], CHANNELS]))
        tf.nn.softmax(tf.matmul(tf.reduce_mean(pooled, 1), clip_nets.HEAD, name="logits"))
    with GradCamGraph(graph.as_graph_def(), preset="zero-one") as ours:
        assert ours.explain(clips()[:, :3] * 255)["gradcam"].shape == (2, 1, 3, *SIDES)


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (clips()[:, :3] * 255, r"has 3 frames, the net takes 4; .*np.linspace\(0, 2, 4\)"),
        (clips()[0, 0] * 255, r"takes clips"),
        (None, r"takes clips"),
        ([[np.full((6, 8, 3), 9.0)] * 3 + [np.full((6, 9, 3), 9.0)]], r"frames of a clip have different sizes"),
    ],
)
def test_what_is_no_clip_is_refused(net, clip, message):
    with pytest.raises(OptionError, match=message):
        net.explain(clip)


@pytest.mark.parametrize("how", [{"aug_smooth": True}, {"methods": "xrai"}, {"methods": "fullgrad"}])
def test_what_is_for_images_alone_is_refused(net, how):
    with pytest.raises(OptionError, match="clips"):
        net.explain(clips() * 255, **grouped(**how))


def test_frames_as_channels_are_no_frames():
    """Early fusion: the net sees one image with all frames in its channels."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, FRAMES, *SIDES, 3], name="clip")
        mixed = tf.reshape(tf.transpose(x, [0, 2, 3, 1, 4]), [-1, *SIDES, 3 * FRAMES])
        a = tf.nn.relu(tf.nn.conv2d(mixed, np.ones((3, 3, 3 * FRAMES, 4), np.float32), [1, 1, 1, 1], "SAME"))
        tf.nn.softmax(tf.matmul(tf.reduce_mean(a, [1, 2]), np.ones((4, 3), np.float32), name="logits"))
    with pytest.raises(BindingError), GradCamGraph(graph.as_graph_def(), preset="zero-one") as ours:
        ours.binding  # noqa: B018 - bound at first use


def strided(of_clips):
    """A convolution of stride 2 with SAME padding, of a clip's frames or of images."""
    graph = tf.Graph()
    with graph.as_default():
        shape = [None, FRAMES, 9, 14, 3] if of_clips else [None, 9, 14, 3]
        x = tf.placeholder(tf.float32, shape, name="x")
        batch = tf.reshape(x, [-1, 9, 14, 3]) if of_clips else x
        features = tf.nn.relu(tf.nn.conv2d(batch, clip_nets.KERNEL, [1, 2, 2, 1], "SAME"), name="features")
        pooled = tf.reduce_mean(features, [1, 2])
        pooled = tf.reduce_mean(tf.reshape(pooled, [-1, FRAMES, CHANNELS]), 1) if of_clips else pooled
        tf.nn.softmax(tf.matmul(pooled, clip_nets.HEAD, name="logits"))
    return graph.as_graph_def()


def test_frames_are_placed_by_strides_and_paddings_as_images_are():
    frames = np.rint(np.random.RandomState(5).uniform(0, 255, (FRAMES, 9, 14, 3))).astype(np.uint8)
    larger = np.repeat(np.repeat(frames, 2, 1), 2, 2)
    with GradCamGraph(strided(True), preset="zero-one") as ours, GradCamGraph(
        strided(False), preset="zero-one"
    ) as single:
        clip, images = ours.explain([larger], targets=[1]), single.explain(larger, targets=[1])
    assert images.cells
    for number in range(FRAMES):  # the clip's score is the mean over its frames
        wanted = images.map("gradcam", number).placed() / FRAMES
        np.testing.assert_allclose(clip.map("gradcam", 0).placed()[number], wanted, rtol=1e-4, atol=1e-7)
