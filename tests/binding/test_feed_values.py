"""A fed value is unchanged in its tensor's dtype and shape, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import classifier, images
from further_nets import noise, with_meta

from gradcam_tf1.binding.feed_values import broadcast, goes_to_each, requested_feeds, shown_value
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.errors import FeedError, RunError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


def fed(shape, dtype, value):
    with tf.Graph().as_default() as graph:
        tf.placeholder(dtype, shape, name="x")
        return requested_feeds(GraphIndex(graph), {"x": value})["x:0"]


@pytest.mark.parametrize(
    ("shape", "dtype", "value", "wanted"),
    [
        ([], "float32", 0.5, 0.5),
        ([], "float16", 0.25, 0.25),
        ([], "float32", "0.5", 0.5),
        ([], "int32", 3.0, 3),
        ([], "bool", 1, True),
        ([], "string", "train", "train"),
        (None, "float32", [[1, 2]], [[1, 2]]),
        ([2], "float32", 0.5, [0.5, 0.5]),
        ([None, 2], "float32", 0.5, [[0.5, 0.5]]),
        ([None, 2], "int64", [4, 5], [[4, 5]]),
        ([None, 2], "float32", [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ([None, 2, 2], "uint8", [[1], [2]], [[[1, 1], [2, 2]]]),
        ([3, 1], "float64", [[7]], [[7], [7], [7]]),
        ([None, None], "float32", [1, 2, 3], [[1, 2, 3]]),
        ([None], "bool", True, [True]),
        ([None], "string", "a", ["a"]),
        ([None, 2], "string", ["a", "b"], [["a", "b"]]),
    ],
)
def test_values_as_their_tensor_takes_them(shape, dtype, value, wanted):
    found = fed(shape, dtype, value)
    assert np.asarray(found).tolist() == wanted
    if dtype != "string" and np.ndim(found):
        assert found.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("shape", "dtype", "value", "message"),
    [
        ([None, 2], "float32", [1, 2, 3], r"shape \(3,\), the tensor \(\S+ 2\); give one number, or 2 of them"),
        ([2, 3], "float32", [1, 2], r"shape \(2,\), the tensor \(2, 3\); give one number, or 2 x 3 of them"),
        ([], "float32", [0.5], r"shape \(1,\), the tensor \(\); give one number"),
        ([None, None], "float32", 0.5, r"shape \(\), the tensor \(.*\); give nested lists with that many axes"),
        ([], "int32", 0.5, "feed 0.5 for 'x:0' is not int32 and would become 0"),
        ([], "uint8", 300, "feed 300 for 'x:0' is not uint8"),
        ([], "uint8", -1, "feed -1 for 'x:0' is not uint8"),
        ([], "bool", 0.5, "feed 0.5 for 'x:0' is not bool"),
        ([], "bool", "maybe", "feed 'maybe' for 'x:0' is not bool"),
        ([], "float16", 1e6, "feed 1000000.0 for 'x:0' is not float16 and would become inf"),
        ([], "string", 3, "feed 3 for 'x:0' is not string"),
        ([None], "float32", [[1], [1, 2]], "is not float32"),
        ([], "float32", "x" * 999, r"feed 'x{20,40}\.\.\.x{20,40}' for"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_would_become_another_value_is_refused(shape, dtype, value, message):
    with pytest.raises(FeedError, match=message):
        fed(shape, dtype, value)


@pytest.mark.parametrize("seed", range(20))
def test_broadcasting_is_that_of_numpy(seed):
    random = np.random.RandomState(seed)
    shape = random.randint(1, 4, random.randint(1, 4)).tolist()
    start = random.randint(len(shape) + 1)
    value = random.randn(*[side if random.rand() < 0.7 else 1 for side in shape[start:]])
    with tf.Graph().as_default():
        found = broadcast(tf.placeholder(tf.float64, shape), np.asarray(value))
    np.testing.assert_array_equal(found, np.broadcast_to(value, shape))


def test_one_row_is_for_every_image_unless_it_is_a_table_or_weights(graph):
    classifier(images())
    for name, shape in (("meta", [None, 2]), ("table", [None, 2]), ("centres", [None, 2]), ("free", None)):
        tf.placeholder(tf.float32, shape, name=name)
    meta, table, centres = (graph.get_tensor_by_name(f"{name}:0") for name in ("meta", "table", "centres"))
    tf.gather(table, [0])
    tf.matmul(meta, tf.identity(centres), transpose_b=True)
    walk = GraphIndex(graph)
    row = np.ones((1, 2), np.float32)
    assert [goes_to_each(walk, f"{name}:0", row) for name in ("meta", "table", "centres", "free")] == [
        *(True, False, False, True)
    ]
    assert not any(goes_to_each(walk, "meta:0", value) for value in (1.0, np.ones((2, 2))))
    assert not goes_to_each(walk, "free:0", np.ones(1))


def test_rows_that_are_not_as_many_as_the_images_are_named():
    with GradCamGraph(load(with_meta()), preset="raw", feed={"meta": [[1, 2], [3, 4]]}) as net:
        net.explain(noise(2), 1)
        with pytest.raises(RunError, match="'meta:0' is fed 2 rows for 3 images: give one row, or one row per image"):
            net.explain(noise(3), 1)


def test_large_values_are_shown_by_their_shape():
    assert shown_value(np.ones((20, 30), np.float32)) == "float32 [20, 30]"
    assert (shown_value(np.array([1, 2])), shown_value(0.5), shown_value("a")) == ("[1, 2]", "0.5", "a")
