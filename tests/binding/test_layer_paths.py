"""The tensors on every path, alone or together, against a list of all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from counted_calls import calls

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layer_paths import find_paths
from gradcam_tf1.tf_runtime import tf


def random_net(graph, seed, size=9):
    """Return the paths of a graph of sums of one to three earlier tensors, and its start."""
    random = np.random.RandomState(seed)
    tensors = [tf.placeholder(tf.float32, [None, 2], name="start")]
    for _ in range(size):
        chosen = random.permutation(len(tensors))[: random.randint(1, 4)]
        tensors.append(tf.add_n([tensors[i] for i in chosen]))
    index = GraphIndex(graph)
    start, end = tensors[0].name, tensors[-1].name
    return find_paths(index, index.path(start, end), start, end), start


def all_paths(paths, start):
    """List every path as a list of tensors."""
    done, growing = [], [[start]]
    while growing:
        path = growing.pop()
        if path[-1] == paths.end:
            done.append(path)
        growing += [[*path, later] for later in paths.after[path[-1]]]
    return done


@pytest.mark.parametrize("seed", range(40))
def test_what_lies_on_every_way(graph, seed):
    paths, start = random_net(graph, seed)
    expected = set.intersection(*map(set, all_paths(paths, start)))
    found = paths.on_every_path()
    assert set(found) == expected
    assert found == [name for name in paths.order if name in expected]


def passes_each_once(chosen, found):
    return all(sum(name in chosen for name in path) == 1 for path in found)


@pytest.mark.parametrize("seed", range(40))
def test_the_last_maps_that_lie_on_every_way_together(graph, seed):
    """Of all sets of which every path passes exactly one tensor, the set found is the last."""
    paths, start = random_net(graph, seed, size=7)
    written = all_paths(paths, start)
    random = np.random.RandomState(seed)
    inner = [name for name in paths.order if name not in (start, paths.end)]
    maps = {name for name in inner if random.rand() < 0.7}
    possible = [
        set(some)
        for count in range(1, len(maps) + 1)
        for some in itertools.combinations(sorted(maps), count)
        if passes_each_once(some, written)
    ]
    found = paths.together(maps)
    if not possible:
        assert found == []
        return
    assert set(found) in possible
    behind = {name for path in written for name in path[1 + min(path.index(m) for m in found if m in path) :]}
    assert not any(some & behind for some in possible)


def test_no_way_leads_where_no_gradient_comes_back(graph):
    x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="start")
    shown = tf.nn.relu(x, name="shown")
    side = (
        tf.cast(tf.greater(x, 0.5), tf.float32) + tf.stop_gradient(x) + tf.cast(tf.argmax(x, 3), tf.float32)[..., None]
    )
    end = tf.add(shown, side, name="end")
    index = GraphIndex(graph)
    paths = find_paths(index, index.path("start:0", "end:0"), "start:0", end.name)
    assert paths.on_every_path() == ["start:0", "shown:0", "end:0"]


def test_last_maps_where_a_way_passes_none(graph):
    """A direct path from start to end exists too; 'second' follows 'first', so both would count it twice."""
    x = tf.placeholder(tf.float32, [None, 2], name="start")
    first = tf.nn.relu(x, name="first")
    second = tf.nn.relu(first, name="second")
    tf.add_n([x, first, second, tf.nn.relu(x, name="third")], name="end")
    index = GraphIndex(graph)
    paths = find_paths(index, index.path("start:0", "end:0"), "start:0", "end:0")
    maps = {"first:0", "second:0", "third:0"}
    assert paths.together(maps) == []
    assert paths.last(maps) == ["first:0", "second:0", "third:0"]
    assert paths.first(paths.last(maps)) == ["first:0", "third:0"]


def test_the_cost_grows_with_the_graph_and_not_faster():
    """A ladder of 500 crossings has 2 ** 500 paths."""

    def work(crossings):
        with tf.Graph().as_default() as graph:
            left = right = tf.placeholder(tf.float32, [None, 2], name="start")
            for _ in range(crossings):
                left, right = tf.add(left, right), tf.subtract(left, right)
            tf.add(left, right, name="end")
        index = GraphIndex(graph)

        def search():
            paths = find_paths(index, index.path("start:0", "end:0"), "start:0", "end:0")
            assert paths.on_every_path() == ["start:0", "end:0"]
            assert len(paths.together(set(paths.order[1:-1]))) == 2

        return calls(search)

    assert work(500) < 7 * work(100)


@pytest.mark.parametrize("written_as_ops", [True, False])
def test_ways_lead_through_loops(graph, written_as_ops):
    """A loop over the rows of a map, in the forms of TensorFlow 1 and TensorFlow 2."""
    was = tf.control_flow_v2_enabled()
    (tf.disable_control_flow_v2 if written_as_ops else tf.enable_control_flow_v2)()
    try:
        x = tf.nn.relu(tf.placeholder(tf.float32, [None, 4, 4, 3], name="start"), name="map")
        rows = tf.transpose(x, [1, 0, 2, 3])
        tf.reduce_sum(tf.map_fn(lambda row: tf.tanh(row) * 2.0, rows), [0, 2], name="end")
    finally:
        (tf.enable_control_flow_v2 if was else tf.disable_control_flow_v2)()
    index = GraphIndex(graph)
    paths = find_paths(index, index.path("start:0", "end:0"), "start:0", "end:0")
    assert [name for name in paths.on_every_path() if name in ("start:0", "map:0", "end:0")] == [
        "start:0",
        "map:0",
        "end:0",
    ]
    assert paths.together({"map:0"}) == ["map:0"]
