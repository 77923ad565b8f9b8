"""Positions of cells for each kind of padding and op, against the centres of gravity of impulse responses."""

from __future__ import annotations

import numpy as np
import pytest
from cell_nets import built, centroids, conv, forward_responses, mean_off, ones, placed, responses

from gradcam_tf1.images.geometry import centres, stretched
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells

EVEN, ODD = (1, 24, 32, 1), (1, 25, 31, 1)


def pooled(x, extent, stride, padding):
    return tf.nn.avg_pool(x, [1, extent, extent, 1], [1, stride, stride, 1], padding)


def depthwise(x, padding):
    return tf.nn.depthwise_conv2d(x, ones(3, 3, 1, 2), [1, 2, 2, 1], padding)


def batched(x, before, after, crops=(0, 0)):
    """A dilated convolution in TensorFlow 1: space to batch, a plain convolution, batch to space."""
    x = tf.space_to_batch_nd(x, [2, 2], [[before, after]] * 2)
    return tf.batch_to_space_nd(conv(x, 3, 1, "VALID"), [2, 2], [list(crops)] * 2)


def transposed(x, extent, padding):
    height, width = x.shape.as_list()[1:3]
    more = max(extent - 2, 0) if padding == "VALID" else 0
    shape = [1, 2 * height + more, 2 * width + more, 1]
    return tf.nn.conv2d_transpose(x, ones(extent, extent, 1, 1), shape, [1, 2, 2, 1], padding)


def gated(x):
    """Squeeze and excitation: the pooled values have no position."""
    x = conv(x)
    return x * tf.nn.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True) * 0)


def shuffled(x):
    x = tf.concat([conv(x), conv(x)], 3)
    height, width = x.shape.as_list()[1:3]
    x = tf.transpose(tf.reshape(x, [-1, height, width, 2, 1]), [0, 1, 2, 4, 3])
    return tf.reshape(x, [-1, height, width, 2])


# the response of a cell is a box or a pyramid, with its centre of gravity in the middle
EXACT = {
    "same": (lambda x: conv(x), EVEN),
    "same, odd sides": (lambda x: conv(x), ODD),
    "same, three deep": (lambda x: conv(conv(conv(x))), (1, 48, 53, 1)),
    "same, 5 by 3": (lambda x: conv(x, 5, 3), ODD),
    "same, 2 by 2": (lambda x: conv(x, 2, 2), ODD),
    "same, 1 by 2": (lambda x: conv(x, 1, 2), EVEN),
    "valid": (lambda x: conv(x, 3, 2, "VALID"), EVEN),
    "valid, remainder": (lambda x: conv(conv(x, 5, 3, "VALID"), 3, 2, "VALID"), (1, 36, 40, 1)),
    "explicit": (lambda x: conv(x, 3, 2, [[0, 0], [1, 2], [2, 0], [0, 0]]), EVEN),
    "pad in front": (lambda x: conv(tf.pad(x, [[0, 0], [1, 1], [3, 0], [0, 0]]), 3, 2, "VALID"), EVEN),
    "pad with a value": (lambda x: conv(tf.pad(x, [[0, 0], [2, 1], [0, 3], [0, 0]], constant_values=1.0), 3, 2), EVEN),
    "space to batch": (lambda x: conv(batched(x, 2, 2)), EVEN),
    "space to batch, uneven": (lambda x: batched(x, 3, 1, (1, 0)), EVEN),
    "atrous": (lambda x: tf.nn.atrous_conv2d(conv(x), ones(3, 3, 1, 1), 2, "SAME"), EVEN),
    "atrous, valid": (lambda x: tf.nn.atrous_conv2d(conv(x), ones(3, 3, 1, 1), 2, "VALID"), EVEN),
    "pool, same": (lambda x: pooled(conv(x, 3, 1), 3, 2, "SAME"), EVEN),
    "pool, same, odd sides": (lambda x: pooled(conv(x, 3, 1), 3, 2, "SAME"), ODD),
    "pool, valid": (lambda x: pooled(conv(x, 3, 1), 2, 2, "VALID"), ODD),
    "depthwise": (lambda x: depthwise(x, "SAME"), EVEN),
    "depthwise, valid": (lambda x: depthwise(x, "VALID"), EVEN),
    "space to depth": (lambda x: tf.space_to_depth(conv(x, 3, 1), 4), EVEN),
    "crop": (lambda x: conv(x[:, 3:-2, 1:], 3, 2), EVEN),
    "every other": (lambda x: conv(x, 3, 1)[:, 1::2, ::3], EVEN),
    "slice": (lambda x: conv(tf.slice(x, [0, 4, 1, 0], [-1, 17, -1, 1])), EVEN),
    "one of a split": (lambda x: tf.split(conv(x, 3, 1), [5, 9, 10], axis=1)[1], EVEN),
    "gather": (lambda x: tf.gather(conv(x, 3, 1), list(range(20, 3, -3)), axis=1), EVEN),
    "reverse": (lambda x: conv(tf.reverse(conv(x), [2])), EVEN),
    "concat": (lambda x: tf.concat([conv(x), pooled(x, 3, 2, "SAME")], 3), EVEN),
    "padding by concat": (lambda x: conv(tf.concat([np.zeros((1, 2, 32, 1), np.float32), x], 1), 3, 2, "VALID"), EVEN),
    "residual sum": (lambda x: conv(x) + conv(conv(x), 3, 1), EVEN),
    "gate": (gated, EVEN),
    "layouts": (lambda x: tf.transpose(tf.transpose(conv(x), [0, 3, 1, 2]) * 2, [0, 2, 3, 1]), EVEN),
    "channel shuffle": (shuffled, EVEN),
    "stack": (lambda x: tf.reduce_sum(tf.stack([conv(x), conv(x)], 1), 1), EVEN),
    "squeeze": (lambda x: tf.expand_dims(tf.squeeze(conv(x), [3]), 3), EVEN),
}


def check(net, shape, tolerance=1e-4, inner=0, respond=responses):
    """Check the computed centres against the responses, and return the mean deviation."""
    graph, x, y = built(net, shape)
    places = placed(graph, shape)
    grid = y.shape.as_list()[1:3]
    cells, said = places.cells("y:0", shape[1:3], grid)
    assert said == ""
    where, found = centroids(respond(graph, x, y, shape), inner)
    assert len(found) >= 4
    expected = cells or stretched(shape[1:3], grid)
    off = found - (np.array(expected.offset) + np.array(expected.stride) * where)
    np.testing.assert_allclose(off, 0, atol=tolerance)
    return mean_off(off, where)


@pytest.mark.parametrize("kind", EXACT)
def test_cells_lie_where_their_responses_have_their_centre(kind):
    check(*EXACT[kind])


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_dilated_convolution(padding):
    """TensorFlow 1 has no gradient for it on a CPU."""
    check(lambda x: conv(x, 3, 1, padding, dilations=[1, 2, 3, 1]), (1, 14, 17, 1), respond=forward_responses)


def test_mirrored_padding_moves_the_cells():
    for mode in ("REFLECT", "SYMMETRIC"):
        pad = [[0, 0], [2, 1], [1, 2], [0, 0]]
        check(lambda x, mode=mode, pad=pad: conv(tf.pad(x, pad, mode=mode), 3, 2, "VALID"), EVEN, inner=3)


# each cell depends on one or two cells before it: exact on average, and never off by a whole cell


@pytest.mark.parametrize("extent", [2, 3, 4, 5])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_transposed_convolution(extent, padding):
    with_blur = lambda x: conv(transposed(conv(x), extent, padding), 2, 1, "VALID")  # noqa: E731 - both phases in one
    assert check(with_blur, (1, 24, 32, 1), tolerance=0.35) < 0.03


RESIZES = {
    "plain": {},
    "align_corners": {"align_corners": True},
    "half_pixel": {"half_pixel_centers": True},
}


@pytest.mark.parametrize("how", RESIZES)
@pytest.mark.parametrize("size", [(24, 32), (18, 40), (7, 9)])
def test_a_bilinear_resize(how, size):
    net = lambda x: tf.raw_ops.ResizeBilinear(images=conv(x), size=size, **RESIZES[how])  # noqa: E731
    check(net, EVEN, tolerance=1e-3, inner=1)


@pytest.mark.parametrize("how", RESIZES)
@pytest.mark.parametrize("size", [(24, 32), (36, 48), (6, 8)])
def test_a_nearest_resize(how, size):
    net = lambda x: tf.raw_ops.ResizeNearestNeighbor(images=conv(x), size=size, **RESIZES[how])  # noqa: E731
    assert check(net, EVEN, tolerance=2.01) < 0.15


def test_depth_to_space_is_right_on_average():
    assert check(lambda x: tf.depth_to_space(tf.tile(conv(x), [1, 1, 1, 4]), 2), EVEN, tolerance=0.51) < 0.05


def test_a_pyramid_takes_the_size_of_its_other_map():
    """The size of a resize is the shape of another tensor, or twice its own, for an input of free size."""

    def net(x):
        small, large = conv(conv(x)), conv(x)
        return large + tf.image.resize_nearest_neighbor(small, tf.shape(large)[1:3])

    def doubled(x):
        small = conv(x)
        return tf.image.resize_bilinear(small, tf.shape(small)[1:3] * np.array([2, 2], np.int32))

    graph, _, _ = built(net, [None, None, None, 1])
    cells, said = placed(graph, [None] * 4).cells("y:0", (40, 28), (20, 14))
    # the large map lies at 1.5 + 2 i, the small one, enlarged, at 2.5 + 2 i
    assert cells == Cells((2.0, 2.0), (2.0, 2.0))
    assert said.startswith("branches that merge before it lie up to 1 px apart")
    graph, _, _ = built(doubled, [None, None, None, 1])
    assert placed(graph, [None] * 4).cells("y:0", (40, 28), (40, 28))[0].offset == (1.5, 1.5)


def test_max_pools_lie_where_average_pools_do():
    for padding in ("SAME", "VALID"):
        found = []
        for pool in (tf.nn.avg_pool, tf.nn.max_pool):
            graph, _, y = built(lambda x: pool(x, [1, 3, 3, 1], [1, 2, 2, 1], padding), EVEN)  # noqa: B023
            found.append(placed(graph, EVEN).cells("y:0", EVEN[1:3], y.shape.as_list()[1:3]))
        assert found[0] == found[1]
        assert found[0][0] is not None


def test_channels_first_lie_where_channels_last_do():
    """TensorFlow 1 cannot run these on a CPU; the expected numbers follow from the graph alone."""

    def first(x):
        x = tf.nn.conv2d(x, ones(3, 3, 1, 1), strides=[1, 1, 2, 2], padding="SAME", data_format="NCHW")
        x = tf.pad(tf.nn.relu(tf.nn.bias_add(x, [0.0], data_format="NCHW")), [[0, 0], [0, 0], [2, 1], [0, 3]])
        return tf.nn.max_pool(x, ksize=[1, 1, 3, 3], strides=[1, 1, 2, 2], padding="VALID", data_format="NCHW")

    def last(x):
        return tf.nn.max_pool(tf.pad(conv(x), [[0, 0], [2, 1], [0, 3], [0, 0]]), 3, 2, "VALID")

    graph, _, y = built(first, (1, 1, 24, 33))
    facts = {"has_batch_axis": True, "input_channels_last": False, "image_size": (24, 33)}
    found = placed(graph, (), **facts).cells("y:0", (24, 33), y.shape.as_list()[2:])
    graph, _, y = built(last, (1, 24, 33, 1))
    assert found == placed(graph, (1, 24, 33, 1)).cells("y:0", (24, 33), y.shape.as_list()[1:3])
    assert found[0].offset == (-2.5 + 2.0, 2.5 + 0.0)


def test_the_centres_of_cells_are_listed_for_each_axis():
    rows, columns = centres(stretched((8, 12), (2, 3)), (2, 3))
    np.testing.assert_array_equal(rows, [2, 6])
    np.testing.assert_array_equal(columns, [2, 6, 10])
