"""What each op does with relevance: against shares worked out in float64, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from relevance_nets import conditional, imported, norm, relevance_in

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.relevance import RelevanceComposite
from gradcam_tf1.gradients.relevance_path import RelevancePath
from gradcam_tf1.gradients.relevance_rules import Settings
from gradcam_tf1.tf_runtime import tf

EXACT = RelevanceComposite("epsilon", "epsilon", "same", Settings(epsilon=0))
X = np.random.RandomState(0).uniform(0.2, 1.5, (2, 4, 4, 3)).astype(np.float32) * np.float32([1, -1, 1])
EYE = np.eye(3, dtype=np.float32)[None, None]
HEAD = np.random.RandomState(1).randn(3, 3).astype(np.float32)


def behind_a_layer(middle):
    """x - convolution that changes nothing - middle - sum over the positions, scaled - dense."""

    def build(x):
        a = tf.nn.conv2d(x, EYE, [1, 1, 1, 1], "SAME")
        return tf.matmul(tf.reduce_sum(middle(a), [1, 2]), HEAD)

    return build


def shares(middle_of_x):
    """Relevance of the output of `middle` in float64: its values times the head, class 2."""
    return middle_of_x * HEAD[:, 2].astype(np.float64)


x64 = X.astype(np.float64)
SHIFT = np.float32([0.5, -0.25, 1.0])
GAMMA, BETA, MEAN, VARIANCE = (np.float32(row) for row in ([2, 1, -1], [0.1, 0.2, 0.3], [1, 0, -1], [1, 4, 0.25]))
FACTOR = (GAMMA / np.sqrt(VARIANCE + 1e-3)).astype(np.float64)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def soft(values):
    powers = np.exp(values)
    return powers / powers.sum(-1, keepdims=True)


def half_each():
    return shares(np.maximum(x64, 0) * x64[:, ::-1])


def through_softmax(products):
    """Of a softmax whose output has the relevance `shares(products)`."""
    relevance = shares(products)
    return x64 * (relevance - soft(x64) * relevance.sum(-1, keepdims=True))


def rows(a):
    return tf.reshape(a, [-1, 16, 3])


def grid(tokens):
    return tf.reshape(tokens, [-1, 4, 4, 3])


MIX = np.random.RandomState(2).rand(16, 16).astype(np.float32)

# name: (the op, relevance of x)
KNOWN = {
    "relu6 hands it down": (lambda a: tf.nn.relu6(4 * a), lambda: shares(np.clip(4 * x64, 0, 6))),
    "leaky relu": (lambda a: tf.nn.leaky_relu(a, 0.3), lambda: shares(np.where(x64 > 0, x64, 0.3 * x64))),
    "leaky relu spelt out": (lambda a: tf.maximum(a, 0.3 * a), lambda: shares(np.where(x64 > 0, x64, 0.3 * x64))),
    "leaky relu by a choice": (
        lambda a: tf.where_v2(a > 0, a, 0.3 * a),
        lambda: shares(np.where(x64 > 0, x64, 0.3 * x64)),
    ),
    "the values of the largest": (
        lambda a: grid(tf.batch_gather(rows(a), tf.argsort(rows(a)[..., 0]))),
        lambda: shares(x64),
    ),
    "a conditional by the image": (
        lambda a: conditional(a, functional=False),
        lambda: shares(2 * x64 if x64.sum() > 0 else -x64),
    ),
    "elu": (tf.nn.elu, lambda: shares(np.where(x64 > 0, x64, np.exp(x64) - 1))),
    "swish: the sigmoid is a gate": (lambda a: a * tf.sigmoid(a), lambda: shares(x64 * sigmoid(x64))),
    "hard swish": (
        lambda a: a * tf.nn.relu6(a + 3.0) / 6.0,
        lambda: shares(x64 * np.clip(x64 + 3, 0, 6) / 6),
    ),
    "squeeze and excite": (
        lambda a: a * tf.sigmoid(tf.reduce_mean(a, [1, 2], keepdims=True)),
        lambda: shares(x64 * sigmoid(x64.mean((1, 2), keepdims=True))),
    ),
    "a constant behind an activation keeps its share": (
        lambda a: tf.nn.relu(a) + SHIFT,
        lambda: shares(np.maximum(x64, 0)),
    ),
    "a batch norm of its own": (
        lambda a: norm(tf.nn.elu(a), GAMMA, BETA, MEAN, VARIANCE),
        lambda: shares(np.where(x64 > 0, x64, np.exp(x64) - 1) * FACTOR),
    ),
    "folded batch norm": (lambda a: norm(a, GAMMA, BETA, MEAN, VARIANCE), lambda: shares(x64 * FACTOR)),
    "shortcut": (lambda a: tf.nn.elu(a) + a, lambda: shares(np.where(x64 > 0, x64, np.exp(x64) - 1) + x64)),
    "difference": (lambda a: tf.nn.elu(a) - 2 * a, lambda: shares(np.where(x64 > 0, x64, np.exp(x64) - 1) - 2 * x64)),
    "three summands": (lambda a: tf.add_n([a, tf.nn.relu(a), a]), lambda: shares(2 * x64 + np.maximum(x64, 0))),
    "moved there and back": (
        lambda a: tf.transpose(tf.reverse(tf.transpose(a, [0, 3, 1, 2]), [2]), [0, 2, 3, 1]),
        lambda: shares(x64),
    ),
    "depth to space": (
        lambda a: tf.space_to_depth(tf.depth_to_space(tf.concat([a, a, a, a], 3), 2), 2)[..., :3],
        lambda: shares(x64),
    ),
    "layer norm: 1 / deviation is a gate": (
        lambda a: (
            (a - tf.reduce_mean(a, -1, keepdims=True))
            * tf.math.rsqrt(
                tf.reduce_mean(tf.math.squared_difference(a, tf.reduce_mean(a, -1, keepdims=True)), -1, keepdims=True)
            )
        ),
        None,
    ),
    "dilated convolution": (
        lambda a: tf.nn.atrous_conv2d(a, np.tile(EYE, (3, 3, 1, 1)) * np.float32(0.1), 2, "SAME") + SHIFT,
        None,
    ),
    "resized": (lambda a: tf.image.resize_bilinear(a, [7, 9]), None),
    "maximum of two": (lambda a: tf.maximum(a, a[:, ::-1]), None),
    "max pool": (lambda a: tf.nn.max_pool(a, [1, 3, 3, 1], [1, 2, 2, 1], "SAME"), None),
    "a product of two features gives each half": (
        lambda a: tf.nn.relu(a) * (a[:, ::-1] + 0.0),
        lambda: (half_each() + half_each()[:, ::-1]) / 2,
    ),
    "a softmax that weighs is no gate": (
        lambda a: tf.nn.softmax(a) * a[:, ::-1],
        lambda: (through_softmax(soft(x64) * x64[:, ::-1]) + shares(soft(x64) * x64[:, ::-1])[:, ::-1]) / 2,
    ),
    "a softmax between layers": (lambda a: tf.nn.relu(tf.nn.softmax(a)), lambda: through_softmax(soft(x64))),
    "tokens by each other, as matrices": (
        lambda a: grid(tf.matmul(tf.matmul(rows(a), rows(a), transpose_b=True), rows(a))),
        None,
    ),
    "tokens mixed by weights before them": (
        lambda a: grid(tf.matmul(tf.tile(MIX[None], [2, 1, 1]), rows(a))),
        lambda: x64 * (MIX.sum(0).reshape(1, 4, 4, 1) * HEAD[:, 2]),
    ),
    "a kernel made of the image": (
        lambda a: tf.nn.conv2d(a, tf.reshape(tf.reduce_sum(a, [0, 1, 2]), [1, 1, 3, 1]) * EYE, [1] * 4, "SAME"),
        None,
    ),
    "prelu": (lambda a: tf.nn.relu(a) - 0.2 * tf.nn.relu(-a), lambda: shares(np.where(x64 > 0, x64, 0.2 * x64))),
    "zeros of its size are constants": (lambda a: tf.concat([tf.zeros_like(a), a], 3)[..., 3:], lambda: shares(x64)),
    "prelu by a choice": (
        lambda a: tf.where(a > 0, a, 0.2 * a),
        lambda: shares(np.where(x64 > 0, x64, 0.2 * x64)),
    ),
    "relu by a mask": (lambda a: a * tf.cast(a > 0, tf.float32), lambda: shares(np.maximum(x64, 0))),
    "max pool with positions": (
        lambda a: tf.nn.max_pool_with_argmax(a, [1, 3, 3, 1], [1, 2, 2, 1], "SAME")[0],
        None,
    ),
    "a gate behind dropout of a rate that is fed": (
        lambda a: a * tf.nn.dropout(tf.sigmoid(a), rate=tf.placeholder_with_default(0.0, [])),
        lambda: shares(x64 * sigmoid(x64)),
    ),
    "patches": (
        lambda a: tf.image.extract_image_patches(a, [1, 2, 2, 1], [1, 2, 2, 1], [1] * 4, "VALID")[..., 3:6],
        None,
    ),
    "clipped": (lambda a: tf.minimum(tf.maximum(a, 0.0), 0.7), lambda: shares(np.clip(x64, 0, 0.7))),
}
# what a constant adds stays with it: here the sum is smaller than the score
KEEP = {
    "a constant behind an activation keeps its share",
    "a batch norm of its own",
    "folded batch norm",
    "dilated convolution",
    "a softmax that weighs is no gate",
    "a softmax between layers",
}


@pytest.mark.parametrize("name", KNOWN)
def test_an_op_hands_relevance_down_as_it_is_worked_out(name):
    middle, expected = KNOWN[name]
    found, score, _ = relevance_in(imported(behind_a_layer(middle), (None, 4, 4, 3)), X, EXACT)
    if expected is not None:
        np.testing.assert_allclose(found, expected(), atol=1e-4)
    if name not in KEEP:
        np.testing.assert_allclose(found.sum((1, 2, 3)), score, rtol=1e-4)
    else:
        assert np.abs(found.sum((1, 2, 3)) - score).min() > 1e-2


CONVOLUTIONS = {
    "strided": lambda x: tf.nn.conv2d(x, KERNEL, [1, 2, 2, 1], "VALID"),
    "depthwise": lambda x: tf.nn.depthwise_conv2d_native(x, KERNEL[..., :2], [1] * 4, "SAME"),
    "transposed": lambda x: tf.nn.conv2d_transpose(x, KERNEL, [2, 12, 12, 4], [1, 2, 2, 1]),
    "dense": lambda x: tf.tensordot(x, KERNEL[0, 0], 1),
}
UNITS = 16
KERNEL = np.random.RandomState(5).randn(3, 3, 4, 4).astype(np.float32) * np.float32(0.5)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("rule", ["zplus", "gamma", "alpha_beta"])
def test_rules_with_signs_fold_a_batch_norm_into_every_kind_of_layer(name, rule):
    """The sum u in relevance: with its folded weights in float64, by differences of a linear function."""

    def build(x):
        a = CONVOLUTIONS[name](x)
        channels = a.shape.as_list()[-1]
        factor = np.linspace(-1.5, 1, channels).astype(np.float32)
        ones = np.ones(channels, np.float32)
        a = norm(a, factor, 0 * ones, 0 * ones, ones - np.float32(1e-3))
        return tf.reshape(tf.reduce_sum(a * a, [1, 2, 3]), [-1, 1])

    graph = imported(build, (2, 6, 6, 4))
    images = np.random.RandomState(6).randn(2, 6, 6, 4).astype(np.float32)
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, u = graph.get_tensor_by_name("input:0"), _last_norm(graph)
        jacobian = [sess.run(tf.gradients(tf.reshape(u[0], [-1])[j], x)[0][0], {x: images}) for j in range(UNITS)]
        values = sess.run(u, {x: images})[0].ravel().astype(np.float64)[:UNITS]
    w = np.stack(jacobian).astype(np.float64).reshape(UNITS, -1)
    c = w * images[0].ravel()
    np.testing.assert_allclose(c.sum(1), values, atol=1e-4)
    plus, minus = np.maximum(c, 0), np.minimum(c, 0)
    pieces = {
        "zplus": shared(plus),
        "alpha_beta": 2 * shared(plus) - shared(minus),
        "gamma": np.where(values[:, None] > 0, c + 0.25 * plus, c + 0.25 * minus),
    }
    pieces["gamma"] = shared(pieces["gamma"])
    expected = (pieces[rule] * values[:, None] ** 2).sum(0)
    found = _of_first_outputs(graph, u, images, rule, UNITS)
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


def shared(parts):
    """Each part by the sum of its row; none where there is none."""
    total = parts.sum(1, keepdims=True)
    return np.divide(parts, total, out=np.zeros_like(parts), where=total != 0)


def _last_norm(graph):
    norms = [op for op in graph.get_operations() if op.type.startswith("FusedBatchNorm")]
    return norms[-1].outputs[0]


def _of_first_outputs(graph, u, images, rule, count):
    """Relevance of the first image where the first units of u have u^2 as theirs."""
    from gradcam_tf1.gradients.relevance import relevances

    with graph.as_default(), tf.Session(graph=graph) as sess:
        x = graph.get_tensor_by_name("input:0")
        flat = tf.reshape(u, [2, -1])
        some = tf.concat([tf.ones([1, count]), tf.zeros([1, tf.shape(flat)[1] - count])], 1)
        start = tf.reshape(flat * flat * tf.concat([some, 0 * some], 0), tf.shape(u))
        found = relevances(RelevancePath([u], x), [u], [start], [x], RelevanceComposite(rule, rule))[0]
        return sess.run(found, {x: images})[0].ravel()


def test_channels_first_is_the_same_map():
    """Not run, because the CPU has no such convolutions: the channel axis of the bias is what could be wrong."""
    net = tf.Graph()
    with net.as_default():
        x = tf.placeholder(tf.float32, [None, 4, 6, 6])
        y = tf.nn.conv2d(x, KERNEL, [1, 1, 1, 1], "SAME", data_format="NCHW")
        y = tf.nn.bias_add(y, np.ones(4, np.float32), data_format="NCHW")
        y = norm(y, *[np.ones(4, np.float32)] * 4, data_format="NCHW") * np.ones([4, 1, 1], np.float32)
        layer = RelevancePath([tf.nn.relu(y)], x).layers[0]
        assert [op.type.rstrip("V23") for op in layer.chain] == ["BiasAdd", "FusedBatchNorm", "Mul"]
        assert layer.per_channel(layer.folded()[1]).shape.as_list() == [4, 1, 1]


REFUSED = {
    "StatelessIf": lambda a: conditional(a, functional=True),
    "FusedBatchNormV3": lambda a: tf.nn.fused_batch_norm(tf.nn.relu(a), SHIFT, SHIFT)[0],
    "Cumsum": lambda a: tf.cumsum(a, 1),
    "Prod": lambda a: tf.reduce_prod(a, -1, keepdims=True) * SHIFT,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_op_without_a_rule_is_refused_by_name(kind):
    graph = imported(behind_a_layer(REFUSED[kind]), (None, 4, 4, 3))
    with pytest.raises(GradientError, match=rf"relevance stops at '.*' \({kind}.*no rule; use 'gradient_x_input'"):
        relevance_in(graph, X, EXACT)
