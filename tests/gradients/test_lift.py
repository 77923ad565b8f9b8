"""Multipliers add up at every kind of op, and equal a twin, hand-worked nets and the paper's own examples."""

from __future__ import annotations

import numpy as np
import pytest
from attention_nets import fused_norm
from attention_nets import norm as norm_written_out
from lift_twins import as_matrix, dense_rescale, dense_revealcancel
from relevance_nets import conditional

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.lift import lift
from gradcam_tf1.tf_runtime import tf

SIDES = (6, 5)


def multipliers(build, x, x0, rule="rescale"):
    """M, y - y0 and what the rule reached, for arrays [N, ...]."""
    with tf.Graph().as_default():
        start = tf.placeholder(tf.float32, [None, *x.shape[1:]], name="x")
        reference = tf.placeholder(tf.float32, [None, *x.shape[1:]], name="x0")
        found = lift(rule, build(start), start, reference)
        with tf.Session() as sess:
            return (*sess.run([found.multipliers, found.rise], {start: x, reference: x0}), found.about)


def drawn(count=3, channels=3, seed=0):
    random = np.random.RandomState(seed)
    return random.randn(count, *SIDES, channels).astype(np.float32), random.randn(count, *SIDES, channels)


def weights(*shape, seed=1):
    return (np.random.RandomState(seed).randn(*shape) * 0.4).astype(np.float32)


def conv(x):
    return tf.nn.bias_add(tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, "SAME"), weights(4, seed=2))


def head(features):
    return tf.reduce_sum(tf.tanh(tf.matmul(tf.reduce_mean(features, [1, 2]), weights(4, 5, seed=3))), axis=1)


def layer_norm(x):
    mean, variance = tf.nn.moments(x, [3], keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-3)


def erfc_gelu(x):
    return 0.5 * x * tf.math.erfc(-x / 2**0.5)


def attention(x):
    tokens = tf.reshape(x, [-1, 30, 4])
    shares = tf.nn.softmax(tf.matmul(tokens, tokens, transpose_b=True))
    return tf.reshape(tf.matmul(shares, tokens), [-1, *SIDES, 4])


def two_experts(x):
    return tf.where_v2(x[..., :2] > 0, x[..., 2:], tf.square(x[..., 2:]) - 1)


def batch_norm(x):
    values = ([1.0, -2.0, 3.0, 0.5], [0.0, 1, 0, 2], [0.1, 0.2, 0.3, 0], [1.0, 2, 3, 4])
    return tf.nn.fused_batch_norm(x, *values, is_training=False)[0]


PARTS = {
    "relu": lambda x: tf.nn.relu(x),
    "relu6": lambda x: tf.nn.relu6(2 * x + 3),
    "leaky_relu": lambda x: tf.nn.leaky_relu(x),
    "elu": lambda x: tf.nn.elu(x),
    "selu": lambda x: tf.nn.selu(x),
    "softplus": lambda x: tf.nn.softplus(x),
    "sigmoid": lambda x: tf.sigmoid(x),
    "exp": lambda x: tf.exp(x / 2),
    "square": lambda x: tf.square(x),
    "batch norm": batch_norm,
    "swish": lambda x: x * tf.sigmoid(x),
    "gelu": lambda x: x * (1 + tf.math.erf(x / 2**0.5)) / 2,
    "gelu of Keras": erfc_gelu,
    "hard swish": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "mish": lambda x: x * tf.tanh(tf.nn.softplus(x)),
    "leaky maximum": lambda x: tf.maximum(x, 0.2 * x),
    "minimum of two": lambda x: tf.minimum(x, tf.square(x)),
    "choice": lambda x: tf.where_v2(x > 0, x, tf.exp(x) - 1),
    "choice by others": two_experts,
    "gate of the whole": lambda x: x * tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True)),
    "quotient": lambda x: x / (2 + tf.square(x[..., :1])),
    "power": lambda x: tf.pow(tf.abs(x) + 1, 1.5),
    "squared difference": lambda x: tf.math.squared_difference(x, tf.reduce_mean(x, [3], keepdims=True)),
    "layer norm": layer_norm,
    "unit length": lambda x: tf.math.l2_normalize(x, 3),
    "attention": attention,
    "softmax": lambda x: tf.nn.softmax(5 * x),
    "log softmax": lambda x: tf.nn.log_softmax(5 * x),
    "zeros and ones of its size": lambda x: tf.square(x) * tf.ones_like(x) + tf.zeros_like(x),
    "einsum": lambda x: tf.einsum("nhwc,nhwd->nhwd", x, x),
    "max pool": lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"),
    "mean pool": lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"),
    "maximum": lambda x: tf.reduce_max(x, [1, 2], keepdims=True),
    "minimum": lambda x: tf.reduce_min(x, [1, 2], keepdims=True),
    "pieces": lambda x: tf.concat([a * b for a, b in zip(tf.split(x, 2, 3), tf.split(x[..., ::-1], 2, 3))], 3),
    "rows": lambda x: tf.stack(tf.unstack(tf.square(tf.pad(x, [[0, 0], [1, 1], [0, 0], [0, 0]])), axis=1), axis=1),
}


@pytest.mark.parametrize("part", PARTS)
def test_contributions_add_up_at_every_op(part):
    x, x0 = drawn()

    def build(start):
        inner = PARTS[part](conv(start))
        return head(tf.concat([inner] * (4 // inner.shape[-1]), axis=3))

    m, rise, _ = multipliers(build, x, x0)
    np.testing.assert_allclose((m * (x - x0)).sum((1, 2, 3)), rise, rtol=1e-4, atol=2e-5)
    assert np.abs(rise).min() > 1e-3


@pytest.mark.skipif(tf.__version__.startswith("1."), reason="TensorFlow 1.15 has no such norm on CPUs")
def test_a_layer_norm_in_one_op_is_the_same_as_written_out():
    x, x0 = drawn()
    weights_of_norm = weights(4, seed=8), weights(4, seed=9)
    found = [
        multipliers(lambda start, norm=norm: head(grid(norm(rows(conv(start)), weights_of_norm))), x, x0)
        for norm in (norm_written_out, fused_norm)
    ]
    (plain, rise, _), (fused, _, _) = found
    assert np.abs(plain - fused).max() < 1e-3 * np.abs(plain).max()
    np.testing.assert_allclose((fused * (x - x0)).sum((1, 2, 3)), rise, rtol=1e-4, atol=2e-5)


def rows(a):
    return tf.reshape(a, [-1, 30, 4])


def grid(tokens):
    return tf.reshape(tokens, [-1, *SIDES, 4])


@pytest.mark.parametrize("part", ["relu", "relu6", "leaky_relu", "elu", "selu", "softplus", "sigmoid", "batch norm"])
def test_contributions_of_revealcancel_add_up_too(part):
    x, x0 = drawn()
    after = (lambda z: tf.nn.relu(batch_norm(z))) if part == "batch norm" else PARTS[part]
    m, rise, about = multipliers(lambda start: head(after(conv(start))), x, x0, "revealcancel")
    np.testing.assert_allclose((m * (x - x0)).sum((1, 2, 3)), rise, rtol=1e-4, atol=2e-5)
    plain = multipliers(lambda start: head(after(conv(start))), x, x0)[0]
    # 2 x + 3 is a product of the image with a constant: it counts as a step between, too
    assert about.startswith("RevealCancel at 1 ")
    assert np.abs(m - plain).max() > 0.01 * np.abs(plain).max()


def relu(z):
    return np.maximum(z, 0)


@pytest.mark.parametrize(("rule", "twin"), [("rescale", dense_rescale), ("revealcancel", dense_revealcancel)])
@pytest.mark.parametrize("flip", [1, -1])
def test_the_rules_equal_a_twin(rule, twin, flip):
    """A convolution, a batch norm of either sign, ReLU, dense, tanh, dense."""
    x, x0 = drawn(1)
    kernel, bias = weights(3, 3, 3, 4), weights(4, seed=2)
    scale = flip * np.array([0.5, 1, 2, 3], np.float32)
    first, second, third = weights(120, 6, seed=4), weights(6, seed=5), weights(6, 1, seed=6)

    def build(start):
        z = tf.nn.bias_add(tf.nn.conv2d(start, kernel, 1, "SAME"), bias)
        zeros, ones = np.zeros(4, np.float32), np.ones(4, np.float32)
        z = tf.nn.fused_batch_norm(z, scale, zeros, zeros, ones, epsilon=0, is_training=False)[0]
        hidden = tf.tanh(tf.matmul(tf.reshape(tf.nn.relu(z), [-1, 120]), first) + second)
        return tf.matmul(hidden, third)[:, 0]

    matrix = as_matrix((kernel * scale).astype(np.float64), SIDES)
    layers = [
        (matrix, np.tile(bias * scale, 30).astype(np.float64), relu),
        (first.astype(np.float64), second.astype(np.float64), np.tanh),
        (third.astype(np.float64), np.zeros(1), lambda z: z),
    ]
    expected = twin(layers, x[0].ravel().astype(np.float64), x0[0].ravel()).reshape(x[0].shape)
    found = multipliers(build, x, x0, rule)[0][0]
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("pair", [(3.0, 1.0), (1.0, 3.0), (2.0, 5.0)])
def test_the_papers_minimum_of_two_inputs(pair):
    """Section 3.4: o = i1 - relu(i1 - i2). Rescale gives all to the smaller one; RevealCancel halves it."""

    def build(start):
        difference = tf.matmul(start, np.array([[1.0], [-1.0]], np.float32))
        return start[:, 0] - tf.nn.relu(difference)[:, 0]

    x, x0 = np.array([pair], np.float32), np.zeros((1, 2))
    rescale, revealed = (multipliers(build, x, x0, rule)[0] * x for rule in ("rescale", "revealcancel"))
    smaller = min(pair)
    np.testing.assert_allclose(rescale[0], [smaller * (pair[0] == smaller), smaller * (pair[1] == smaller)], atol=1e-6)
    np.testing.assert_allclose(revealed[0], [smaller / 2, smaller / 2], rtol=1e-5)


def test_a_product_is_halved_between_its_factors():
    """Shapley's value of u v: (u - u0) (v + v0) / 2."""
    x, x0 = np.array([[3.0, 5.0]], np.float32), np.array([[1.0, 2.0]])
    m, rise, _ = multipliers(lambda start: start[:, 0] * start[:, 1], x, x0)
    np.testing.assert_allclose(m * (x - x0), [[2 * 3.5, 3 * 2.0]], rtol=1e-6)
    np.testing.assert_allclose(rise, [13.0], rtol=1e-6)


def test_a_rise_of_a_maximum_goes_to_the_new_winner_and_a_fall_to_the_old_one():
    x, x0 = np.array([[4.0, 1, 0], [1.0, 2, 0]], np.float32), np.array([[1.0, 3, 0], [5.0, 3, 0]])
    m, _, _ = multipliers(lambda start: tf.reduce_max(start, axis=1), x, x0)
    np.testing.assert_allclose(m * (x - x0), [[1, 0, 0], [-3, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("rule", ["rescale", "revealcancel"])
def test_where_nothing_differs_the_multiplier_is_the_derivative(rule):
    x = drawn(2)[0]
    m, rise, _ = multipliers(lambda start: head(tf.nn.elu(conv(start))), x, x, rule)
    with tf.Graph().as_default(), tf.Session() as sess:
        start = tf.placeholder(tf.float32, x.shape)
        expected = sess.run(tf.gradients(head(tf.nn.elu(conv(start))), start)[0], {start: x})
    np.testing.assert_array_equal(rise, 0)
    np.testing.assert_allclose(m, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("far", [20.0, 300.0])
def test_a_softmax_adds_up_where_image_and_reference_are_far_apart(far):
    """The exponentials of one are 0 beside those of the other: attention over features that the reference lacks."""
    x, x0 = np.float32([[far, far - 1, 0.5]]), np.float32([[0, -0.5, 0.25]])
    for image, reference in ((x, x0), (x0, x)):
        for build in (lambda z: tf.nn.softmax(z)[:, 1], lambda z: tf.nn.log_softmax(z)[:, 2]):
            found, rise, _ = multipliers(build, image, reference)
            np.testing.assert_allclose((found * (image - reference)).sum(1), rise, rtol=1e-3)


def test_scores_far_apart_are_no_trouble_for_softmax():
    x, x0 = np.array([[90.0, -90, 3]], np.float32), np.array([[-90.0, 90, 3]])
    for build in (lambda z: tf.nn.softmax(z)[:, 0], lambda z: tf.nn.log_softmax(z)[:, 0]):
        m, rise, _ = multipliers(build, x, x0)
        np.testing.assert_allclose((m * (x - x0)).sum(), rise[0], rtol=1e-5)


def in_training(x):
    return tf.nn.fused_batch_norm(x, [1.0, 1, 1], [0.0, 0, 0])[0]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda x: tf.nn.lrn(x, name="norm"), r"no multiplier passes 'norm' \(LRN\) between 'x:0' and the score: Deep"),
        (in_training, r"\(FusedBatchNorm\w*\) .*: its statistics are those of its own batch. Use 'integ"),
        (lambda x: conditional(x, functional=True), r"\(StatelessIf\) .*: DeepLIFT has no rule for it"),
        (lambda x: tf.reduce_prod(x, [3]), r"\(Prod\) .*: DeepLIFT has no rule for it"),
        (lambda x: tf.while_loop(lambda _: True, lambda z: z / 2, [x], maximum_iterations=2), "no multiplier passes"),
    ],
)  # fmt: skip
def test_ops_without_a_rule_are_refused_by_name(part, message):
    x, x0 = drawn(1)
    with pytest.raises(GradientError, match=message):
        multipliers(lambda start: tf.reduce_sum(tf.reshape(part(start), [-1, 30]), axis=1), x, x0)


def test_a_score_that_does_not_depend_on_the_image_is_refused():
    with pytest.raises(GradientError, match="does not depend on 'x:0'"):
        multipliers(lambda _: tf.ones([1]) * 2, *drawn(1))


def test_revealcancel_is_refused_where_it_is_defined_nowhere():
    with pytest.raises(GradientError, match="defined at no activation between 'x:0' and the score: it needs one that"):
        multipliers(lambda start: tf.reduce_sum(tf.nn.relu(start), [1, 2, 3]), *drawn(1), "revealcancel")


def test_activations_without_a_sum_before_them_have_the_rescale_rule_and_are_told():
    def build(start):
        return head(tf.nn.relu(conv(start) + conv(tf.tanh(start))))

    x, x0 = drawn()
    m, rise, about = multipliers(build, x, x0, "revealcancel")
    assert about == "RevealCancel at 1 Tanh, Rescale at 1 Relu, 1 Tanh"
    np.testing.assert_allclose((m * (x - x0)).sum((1, 2, 3)), rise, rtol=1e-4, atol=2e-5)
