"""Positions of cells in tokens, signals, volumes and trained nets, and the reasons for unknown positions."""

from __future__ import annotations

import numpy as np
import pytest
from cell_nets import built, centroids, conv, ones, placed, responses, trained
from counted_calls import calls

from gradcam_tf1.binding.cell_steps import MIXED
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells


def cells_of(net, shape, size=None, grid=None, **facts):
    graph, _, y = built(net, shape)
    return placed(graph, shape, **facts).cells("y:0", size or shape[1:3], grid or y.shape.as_list()[1:3])


# trained nets


def stack(x, kernel, padding="SAME"):
    return conv(conv(conv(x, padding=padding, kernel=kernel), padding=padding, kernel=kernel), 3, 2, padding, kernel)


def test_kernels_that_are_their_own_mirror_image_have_their_centre_in_the_middle():
    assert cells_of(lambda x: stack(x, ones), (1, 64, 48, 1)) == (Cells((4.0 + 3.5,) * 2, (8.0,) * 2), "")


def test_trained_kernels_lean_against_the_padding_at_multiples_of_the_stride():
    """As measured on real nets, see `cells`: the cells share the input evenly, and maps are stretched."""
    assert cells_of(lambda x: stack(x, trained), (1, 64, 48, 1)) == (None, "")


def test_they_lean_by_as_much_at_other_sizes_where_the_net_takes_any():
    free = [1, None, None, 1]
    # on odd sides the padding is even: the first cell lies at 0.5, minus the lean of 3.5
    found, said = cells_of(lambda x: stack(x, trained), free, (65, 65), (9, 9))
    assert (found, said) == (Cells((-3.0, -3.0), (8.0, 8.0)), "")
    assert cells_of(lambda x: stack(x, ones), free, (65, 65), (9, 9))[0].offset == (0.5, 0.5)
    assert cells_of(lambda x: stack(x, trained), free, (64, 80), (8, 10)) == (None, "")


def test_a_fixed_size_is_that_they_were_trained_at():
    assert cells_of(lambda x: stack(x, trained), (1, 65, 65, 1)) == (Cells((0.5, 0.5), (8.0, 8.0)), "")


def test_without_padding_there_is_nothing_to_lean_against():
    found = cells_of(lambda x: stack(x, trained, "VALID"), [1, None, None, 1], (64, 64), (7, 7))
    assert found == (Cells((7.5, 7.5), (8.0, 8.0)), "")


def test_one_axis_may_be_trained_and_the_other_not():
    kernel = lambda *sides: trained(*sides) + trained(*sides)[::-1]  # noqa: E731 - rows mirrored, columns not
    assert cells_of(lambda x: conv(x, 3, 2, kernel=kernel), (1, 8, 8, 1)) == (Cells((1.5, 1.0), (2.0, 2.0)), "")


# tokens, signals, volumes


def patches(x):
    """The start of a ViT: patches, a class token, an encoder block."""
    x = tf.nn.conv2d(x, ones(4, 4, 1, 6), strides=[1, 4, 4, 1], padding="VALID")
    x = tf.reshape(x, [-1, x.shape[1] * x.shape[2], 6])
    x = tf.concat([np.zeros((1, 1, 6), np.float32), x], axis=1)
    scores = tf.nn.softmax(tf.matmul(x, x, transpose_b=True))
    x = x + tf.matmul(scores, x)
    dense = tf.reshape(tf.matmul(tf.reshape(x, [-1, 6]), ones(6, 6)), tf.shape(x))
    return x + tf.reshape(dense, [-1, *x.shape.as_list()[1:]])


def test_tokens_lie_where_their_patches_do():
    shape = (1, 18, 27, 1)  # 4 x 6 patches of 4; two rows and three columns are left over
    assert cells_of(patches, shape, grid=(4, 6)) == (Cells((2.0, 2.0), (4.0, 4.0)), "")
    assert cells_of(patches, (1, 16, 24, 1), grid=(4, 6)) == (None, "")  # nothing left over: stretched is right
    found, said = cells_of(patches, shape, grid=(6, 4))
    assert found is None
    assert said == "stretched over the input: the map has 6 x 4 cells where strides and paddings make 4 x 6"


def test_tokens_made_a_map_again():
    def net(x):
        x = tf.reshape(patches(x)[:, 1:], [-1, 4, 6, 6])
        return conv(x, 3, 1)

    assert cells_of(net, (1, 18, 27, 1))[0] == Cells((2.0, 2.0), (4.0, 4.0))


def test_attention_alone_has_no_places():
    def net(x):
        x = patches(x)
        return tf.matmul(tf.nn.softmax(tf.matmul(x, x, transpose_b=True)), x)

    assert cells_of(net, (1, 18, 27, 1), grid=(4, 6)) == (None, f"stretched over the input: {MIXED}")


def test_a_signal():
    def net(x):
        x = tf.expand_dims(x, 1)
        x = tf.nn.conv2d(x, ones(1, 5, 2, 3), strides=[1, 1, 3, 1], padding="VALID")
        return tf.squeeze(x, [1])

    shape = (1, 33, 2)
    graph, x, y = built(net, shape)
    cells, _ = placed(graph, shape, array_shape=(None, 33, 2)).cells("y:0", (33,), (10,))
    where, found = centroids(responses(graph, x, y, shape))
    assert cells == Cells((2.5,), (3.0,))
    np.testing.assert_allclose(found, 2.5 + 3 * where, atol=1e-5)


def test_a_volume():
    def net(x):
        x = tf.nn.conv3d(x, ones(3, 3, 3, 1, 2), strides=[1, 2, 2, 2, 1], padding="SAME")
        return tf.nn.avg_pool3d(x, [1, 2, 2, 2, 1], [1, 1, 2, 2, 1], "VALID")

    shape = (1, 9, 12, 13, 1)
    graph, x, y = built(net, shape)
    grid = y.shape.as_list()[1:4]
    cells, _ = placed(graph, shape, array_shape=(None, 9, 12, 13, 1)).cells("y:0", shape[1:4], grid)
    where, found = centroids(responses(graph, x, y, shape))
    np.testing.assert_allclose(found, np.array(cells.offset) + np.array(cells.stride) * where, atol=1e-5)


def test_an_image_without_its_batch_axis():
    facts = {"has_batch_axis": False, "input_channels_last": True, "image_size": (9, 8)}
    net = lambda x: conv(tf.expand_dims(x, 0), 3, 2)  # noqa: E731
    assert cells_of(net, (9, 8, 1), (9, 8), (5, 4), **facts)[0] == Cells((0.5, 1.5), (2.0, 2.0))


# sizes that a graph computes from the shape of the image


def padded_to_40(x):
    sides = tf.shape(x)
    lack = tf.maximum(40 - sides[1:3], 0)
    return tf.pad(x, [[0, 0], [lack[0] // 2, lack[0] - lack[0] // 2], [0, lack[1]], [0, 0]])


def enlarged_by_half(x):
    sides = tf.cast(tf.shape(x)[1:3], tf.float32)
    return tf.image.resize_bilinear(x, tf.cast(tf.round(sides * 1.5), tf.int32))


def fitted_to_30(x):
    """The side is 30 in exact numbers, 29 in float32, which some versions of `resize_with_pad` use."""
    sides = tf.cast(tf.shape(x)[1:3], tf.float32)
    return tf.image.resize_bilinear(x, tf.cast(tf.floor(sides / (sides / 30.0)), tf.int32))


def halved_as_of_old(x):
    sides = 2 * tf.raw_ops.Div(x=tf.shape(x)[1:3], y=[2, 2])
    return tf.image.resize_bilinear(x, sides)


def middle(x):
    height = tf.unstack(tf.shape(x))[1]
    return x[:, height // 4 : height - height // 4, 3:]


def atrous(x):
    return tf.nn.atrous_conv2d(conv(x), ones(3, 3, 1, 1), 3, "SAME")


@pytest.mark.parametrize("first", [padded_to_40, enlarged_by_half, fitted_to_30, halved_as_of_old, middle, atrous])
def test_sizes_that_the_graph_works_out_are_followed(first):
    shape = (1, 32, 36, 1) if first is fitted_to_30 else (1, 23, 33, 1)
    free = (None, None, None, 1)
    graph, x, y = built(lambda x: conv(first(x), 3, 2, "VALID"), free)
    places = placed(graph, free)
    found = responses(graph, x, y, shape)
    with tf.Session(graph=graph) as sess:
        grid = sess.run(y, {x: np.zeros(shape)}).shape[1:3]
    cells, said = places.cells("y:0", shape[1:3], grid)
    where, centre = centroids(found, inner=1)
    assert said == ""
    assert len(centre) >= 4
    np.testing.assert_allclose(centre, np.array(cells.offset) + np.array(cells.stride) * where, atol=0.02)


# unknown positions and their reasons


def test_ways_that_do_not_agree_meet_in_the_middle_and_it_is_said():
    found, said = cells_of(lambda x: conv(conv(x)) + conv(conv(x, 1), 1), (1, 16, 16, 1))
    assert found is None  # 3.5 and 0.5: the middle is where stretching puts it
    assert said == "branches that merge before it lie up to 3 px apart: the middle is taken"


def test_ways_too_far_apart_are_not_placed():
    net = lambda x: x + tf.pad(x[:, 3:], [[0, 0], [0, 3], [0, 0], [0, 0]], name="shifted")  # noqa: E731
    assert cells_of(net, (1, 16, 16, 1)) == (
        None,
        "stretched over the input: the branches that merge at 'add' (AddV2) lie 3 px apart",
    )


UNKNOWN = {
    "its number of rows depends on the image": (
        lambda x: tf.pad(x, [[0, 0], [0, tf.cast(tf.reduce_max(x), tf.int32)], [0, 0], [0, 0]], name="odd"),
        "'odd' (Pad) pads by a number that depends on the image",
    ),
    "rolled": (lambda x: tf.roll(x, 3, 1, name="odd"), "'odd' (Roll) moves cells"),
    "repeated": (lambda x: tf.tile(x, [1, 2, 1, 1], name="odd"), "'odd' (Tile) repeats cells"),
    "picked": (lambda x: tf.gather(x, [0, 1, 3], axis=1, name="odd"), "'odd' (GatherV2) picks single cells"),
    "cut out": (
        lambda x: tf.image.crop_and_resize(x, [[0.0, 0.0, 0.5, 0.5]], [0], [4, 4], name="odd"),
        "does not show where its cells lie",
    ),
    "turned": (lambda x: tf.transpose(x, [0, 2, 1, 3]), "rows and columns are swapped"),
    "in a loop": (
        lambda x: tf.while_loop(lambda n, _: n < 3, lambda n, y: (n + 1, y * 2.0), [0, x])[1],
        "is part of a loop",
    ),
    "dense": (
        lambda x: tf.reshape(tf.matmul(tf.reshape(x, [1, 64]), ones(64, 64)), [1, 8, 8, 1]),
        MIXED,
    ),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_not_known_is_stretched_and_named(kind):
    net, why = UNKNOWN[kind]
    found, said = cells_of(lambda x: conv(net(x)), (1, 8, 8, 1), grid=(4, 4))
    assert found is None
    assert said.startswith("stretched over the input: ")
    assert why in said


def test_numbers_of_a_hostile_graph_are_not_followed_for_ever():
    def net(x):
        side = tf.shape(x)[1]
        for _ in range(60):
            side = side * side
        return conv(tf.image.resize_nearest_neighbor(x, [side, 2**31 - 1]))

    found, said = cells_of(net, (1, None, None, 1), (8, 8), (4, 2**30))
    assert found is None
    assert said == "stretched over the input: its size is out of bounds"


def test_the_cost_grows_with_the_path():
    """Five times as many ops take about five times as many calls."""

    def net(length):
        def chain(x):
            for _ in range(length):
                x = tf.nn.relu(x)
            return conv(x)

        return chain

    took = []
    for length in (100, 500):
        graph, _, _ = built(net(length), (1, 8, 8, 1))
        assert len(placed(graph, (1, 8, 8, 1)).steps) == 4
        took.append(calls(lambda: placed(graph, (1, 8, 8, 1))))  # noqa: B023
    assert took[1] < 7 * took[0]
