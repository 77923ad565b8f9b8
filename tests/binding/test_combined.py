"""Scores that combine or pool softmaxes and sigmoids: the last tensor is explained, not a part of it."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import bound, conv, conv_relu, dense, images, pooled, two_layers, weights

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

IMAGES = np.random.RandomState(3).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)


def member(x, seed, name):
    """The softmax of a small net with clearly different classes."""
    x = pooled(conv_relu(x, 6, name=f"conv{name}"), name=f"gap{name}")
    return tf.nn.softmax(tf.matmul(x, 50 * weights(6, 4, seed=seed)), name=f"p{name}")


def members(x):
    return member(x, 1, "a"), member(x, 2, "b")


def instances(x, classes=4):
    """Scores at every position."""
    return 5 * conv(two_layers(x), classes, 1, 8, name="instances")


def renormalised(q):
    return tf.divide(q, tf.reduce_sum(q, 1, keepdims=True), name="out")


def product(x):
    first, second = members(x)
    return renormalised(first * second)


def weighted(x):
    first, second = members(x)
    return renormalised(0.3 * first + 0.7 * second)


def geometric_mean(x):
    first, second = members(x)
    return renormalised(tf.sqrt(first * second))


def stacked(x):
    return tf.reduce_max(tf.stack(members(x), 1), 1, name="out")


def chosen(x):
    """For each image, the more confident member."""
    first, second = members(x)
    surer = tf.reduce_max(first, 1, keepdims=True) > tf.reduce_max(second, 1, keepdims=True)
    return tf.where(tf.tile(surer, [1, 4]), first, second, name="out")


def larger_of_two(x):
    """For each class, the larger probability."""
    return tf.maximum(*members(x), name="out")


def smaller_of_two(x):
    return tf.minimum(*members(x), name="out")


def as_tensordot(x):
    """A product with the shares of the members; TensorFlow makes rows of images and classes for it."""
    return tf.ensure_shape(
        tf.tensordot(tf.stack(members(x), 1), tf.constant([0.4, 0.6]), [[1], [0]]), [None, 4], name="out"
    )


def as_many_members_as_classes(x):
    several = tf.stack([member(x, seed, f"n{seed}") for seed in range(4)], 2)
    return tf.ensure_shape(tf.tensordot(several, tf.constant([0.1, 0.2, 0.3, 0.4]), 1), [None, 4], name="out")


def as_einsum(x):
    return tf.ensure_shape(
        tf.einsum("nkc,k->nc", tf.stack(members(x), 1), tf.constant([0.4, 0.6])), [None, 4], name="out"
    )


def as_batches(x):
    shares = tf.tile([[[0.4], [0.6]]], [tf.shape(x)[0], 1, 1])
    return tf.squeeze(tf.matmul(tf.stack(members(x), 2), shares), 2, name="out")


def with_entropy(x):
    """The decision uses the mean, from which an uncertainty is computed too."""
    first, second = members(x)
    out = tf.add(first / 2, second / 2, name="out")
    tf.argmax(out, 1, name="class")
    tf.negative(tf.reduce_sum(out * tf.log(out + 1e-7), 1), name="entropy")
    return out


def with_written_loss(x, build=weighted):
    out = build(x)
    marks = tf.placeholder(tf.float32, [None, 4], name="marks")
    log, log_of_rest = tf.log(tf.clip_by_value(out, 1e-7, 1.0)), tf.log(1.0 - out + 1e-7)
    return out, tf.reduce_mean(marks * log + (1 - marks) * log_of_rest, name="loss")


def flipped_too(x):
    """One net, run on each image and on its mirror image."""
    half, other = tf.split(member(tf.concat([x, x[:, :, ::-1]], 0), 1, "a"), 2, 0)
    return tf.multiply(half + other, 0.5, name="out")


def coarse_times_fine(x):
    coarse, fine = members(x)
    return tf.multiply(tf.gather(coarse[:, :2], [0, 0, 1, 1], axis=1), fine, name="out")


def attention(x, columns=4):
    rows = two_layers(x)
    values = tf.reshape(conv(rows, 4, 1, 8, name="values"), [-1, 256, 4])
    share = tf.nn.softmax(tf.reshape(20 * conv(rows, columns, 1, 8, name="share"), [-1, 256, columns]), axis=1)
    return tf.reduce_sum(share * values, 1, name="out")


def one_share(x):
    return attention(x, 1)


def attention_before_softmax(x):
    out = attention(x)
    tf.nn.softmax(out, name="prob")
    return out


def strongest_instance(x):
    return tf.reduce_max(tf.sigmoid(instances(x)), [1, 2], name="out")


def strongest_of_rows(x):
    return tf.reduce_max(tf.sigmoid(tf.reshape(instances(x), [-1, 256, 4])), 1, name="out")


def noisy_or(x):
    return tf.subtract(1.0, tf.reduce_prod(1 - 0.01 * tf.sigmoid(instances(x)), [1, 2]), name="out")


def mean_of_softmax(x):
    return tf.reduce_mean(tf.nn.softmax(instances(x)), [1, 2], name="out")


def mean_of_the_strongest(x):
    rows = tf.transpose(tf.reshape(tf.sigmoid(instances(x)), [-1, 256, 4]), [0, 2, 1])
    return tf.reduce_mean(tf.nn.top_k(rows, 5)[0], 2, name="out")


def share_of_squares(x):
    p = tf.sigmoid(instances(x))
    return tf.divide(tf.reduce_sum(p * p, [1, 2]), tf.reduce_sum(p, [1, 2]), name="out")


def pooled_map(x):
    return tf.squeeze(
        tf.nn.avg_pool(tf.sigmoid(instances(x)), [1, 16, 16, 1], [1, 1, 1, 1], "VALID"), [1, 2], name="out"
    )


NETS = [product, weighted, geometric_mean, stacked, chosen, with_entropy, coarse_times_fine, attention, one_share]
NETS += [attention_before_softmax, strongest_instance, strongest_of_rows, noisy_or, mean_of_softmax, share_of_squares]
NETS += [mean_of_the_strongest, pooled_map, larger_of_two, smaller_of_two]
NETS += [as_tensordot, as_many_members_as_classes, as_einsum, as_batches]


@pytest.mark.filterwarnings("ignore:the image has")  # prepared values
@pytest.mark.parametrize("build", NETS)
def test_the_scores_and_their_gradients_are_those_of_the_last_tensor(graph, build):
    x = images()
    out = build(x)
    definition, binding = graph.as_graph_def(), bind(graph)
    assert (binding.logits, binding.classes, binding.score_axes) == ("out:0", 4, "nc")
    with tf.Session(graph=graph) as session:
        wanted = session.run([out] + [tf.gradients(out[:, code], x)[0] for code in (0, 3)], {x: IMAGES})
    assert bind(graph).logits == "out:0"  # also where the graph has gradients
    with GradCamGraph(definition, input="input", preset="raw") as net:
        found = net.explain(IMAGES, targets=[0, 3], methods=["gradient"])
    np.testing.assert_allclose(found.scores, wanted[0][:, [0, 3]], rtol=1e-4, atol=1e-6)
    for place in (0, 1):
        own = found["gradient"][:, place]
        np.testing.assert_allclose(own, wanted[1 + place], rtol=1e-3, atol=1e-5 * np.abs(wanted[1 + place]).max())


@pytest.mark.parametrize("build", [product, attention, strongest_instance])
def test_the_last_tensor_can_be_declared_and_named(graph, build):
    build(images())
    assert bind(graph, declared_outputs=["out:0"]).logits == "out:0"
    with GradCamGraph(graph.as_graph_def(), logits="out") as net:
        assert (net.binding.logits, net.binding.warnings) == ("out:0", ())


@pytest.mark.parametrize("build", [product, strongest_instance, mean_of_softmax])
@pytest.mark.parametrize("trained", [False, True])
def test_a_loss_that_is_written_out_is_taken_of_the_last_tensor(graph, build, trained):
    x = images()
    _, loss = with_written_loss(x, build)
    tf.summary.scalar("loss", loss)
    if trained:
        tf.gradients(loss, x)
    assert bind(graph).logits == "out:0"


def test_instances_of_a_single_class(graph):
    tf.reduce_max(tf.sigmoid(instances(images(), 1)), [1, 2, 3], name="out")
    assert (bind(graph).logits, bind(graph).score_axes) == ("out:0", "n")


def test_a_mixture_of_values(graph):
    """A softmax weighs values computed separately, and their sum is the output."""
    x = pooled(two_layers(images()))
    tf.reduce_sum(tf.nn.softmax(dense(x, 3, 8, "shares")) * dense(x, 3, 8, "values"), 1, name="out")
    assert (bind(graph).logits, bind(graph).score_axes) == ("out:0", "n")


# no combinations: the scores before the softmax or sigmoid are explained


def scaled(p):
    return 100.0 * p + 1.0


def entropy(p):
    return tf.reduce_sum(p * tf.log(p), 1)


def surest(p):
    return tf.reduce_max(p, 1)


def expected(p):
    return tf.reduce_sum(p * tf.constant([[0.0, 10.0, 20.0, 30.0, 40.0]]), 1)


def thresholded(p):
    return tf.where(p > 0.5, p, tf.zeros_like(p)) * tf.cast(p > 0.1, tf.float32)


def normalised(p):
    return p / tf.reduce_sum(p, 1, keepdims=True)


def beside(p):
    """A separate output besides the combined one."""
    tf.identity(p, name="prob")
    return p * tf.expand_dims(tf.reduce_mean(graph_input(), [1, 2, 3]), 1)


def graph_input():
    return tf.get_default_graph().get_tensor_by_name("input:0")


@pytest.mark.parametrize("after", [scaled, entropy, surest, expected, thresholded, normalised, beside])
@pytest.mark.parametrize("activation", [tf.nn.softmax, tf.nn.sigmoid])
def test_what_is_computed_of_one_softmax_alone_leaves_its_scores(graph, activation, after):
    tf.identity(after(activation(dense(pooled(two_layers(images())), 5, 8))), name="out")
    assert bound(graph)[0] == "dense/BiasAdd:0"


def test_frames_that_go_in_one_by_one_keep_their_own_scores(graph):
    p = tf.nn.softmax(dense(pooled(two_layers(images())), 4, 8))
    tf.reduce_mean(tf.reshape(p, [-1, 2, 4]), 1, name="clips")
    assert bound(graph)[0] == "dense/BiasAdd:0"


def test_a_gated_map_beside_scores_that_decide_is_no_score(graph):
    x = two_layers(images())
    tf.argmax(dense(pooled(x), 5, 8), 1, name="class")
    tf.multiply(x, tf.sigmoid(conv(x, 8, 1, 8, name="gate")), name="gated")
    assert bound(graph)[0] == "dense/BiasAdd:0"


def area(p):
    tf.argmax(p, 3, name="classes")
    tf.reduce_mean(p, [1, 2], name="areas")


def mask(p):
    tf.greater(p, 0.5, name="mask")
    tf.reduce_mean(p, [1, 2], name="areas")


def peaks(p):
    highest = tf.nn.max_pool(p, [1, 3, 3, 1], [1, 1, 1, 1], "SAME")
    tf.multiply(p, tf.cast(tf.equal(highest, p), tf.float32), name="peaks")


@pytest.mark.parametrize("after", [area, mask, peaks])
def test_a_map_that_is_decided_by_or_put_out_stays_the_scores(graph, after):
    after(tf.sigmoid(conv(two_layers(images()), 4, 1, 8, name="scores")))
    assert bound(graph)[0] == "scores/BiasAdd:0"
