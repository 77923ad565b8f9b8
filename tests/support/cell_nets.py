"""Small graphs of which impulse responses tell where each cell of a map looks, to hold the computed places against."""

from __future__ import annotations

from typing import Any, Callable, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cell_rules import places_on
from gradcam_tf1.binding.cells import CellPlaces
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.tf_runtime import tf

Net = Callable[[Any], Any]


def ones(*sides: int) -> np.ndarray:
    return np.ones(sides, np.float32)


def trained(*sides: int) -> np.ndarray:
    """A kernel that is not its own mirror image."""
    return np.random.RandomState(0).rand(*sides).astype(np.float32)


def conv(x: Any, extent: int = 3, stride: int = 2, padding: Any = "SAME", kernel: Any = ones, **more: Any) -> Any:
    channels = x.shape[-1]
    return tf.nn.conv2d(
        x, kernel(extent, extent, int(channels), 1), strides=[1, stride, stride, 1], padding=padding, **more
    )


def built(net: Net, shape: Sequence[Any]) -> Tuple[Any, Any, Any]:
    """The graph of net(x), x of this shape, and both ends; the net's last op is called y."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, shape, name="x")
        y = tf.identity(net(x), name="y")
    return graph, x, y


def placed(graph: Any, shape: Sequence[Any], **facts: Any) -> CellPlaces:
    """The places of the cells on the way from x to y. facts: of the input, for images [N, H, W, C] if not given."""
    index = GraphIndex(graph)
    facts = facts or {"has_batch_axis": True, "input_channels_last": True, "image_size": tuple(shape[1:3])}
    return places_on(index, index.path("x:0", "y:0"), "x:0", facts)


def on_the_middle(grid: Sequence[int]) -> List[Tuple[int, ...]]:
    """The cells of the middle row and of the middle column, and so on for other numbers of axes."""
    middle = [side // 2 for side in grid]
    return [place for place in np.ndindex(*grid) if sum(a != b for a, b in zip(place, middle)) <= 1]


def responses(graph: Any, x: Any, y: Any, shape: Sequence[int]) -> List[Tuple[Tuple[int, ...], np.ndarray]]:
    """For some cells of y, [N, h, w, K], their places and the magnitudes of their gradients by x, [H, W]."""
    with graph.as_default():
        weights = tf.placeholder(tf.float32, [None] * (y.shape.rank - 2), name="weights")
        score = tf.reduce_sum(tf.reduce_sum(y, axis=-1)[0] * weights)
        gradient = tf.reduce_sum(tf.abs(tf.gradients(score, x)[0]), axis=-1)[0]
    image = np.random.RandomState(1).rand(*shape).astype(np.float32)
    found = []
    with tf.Session(graph=graph) as sess:
        grid = sess.run(y, {x: image}).shape[1:-1]
        for place in on_the_middle(grid):
            one = np.zeros(grid, np.float32)
            one[place] = 1
            found.append((place, sess.run(gradient, {x: image, weights: one})))
    return found


def forward_responses(graph: Any, x: Any, y: Any, shape: Sequence[int]) -> List[Tuple[Tuple[int, ...], np.ndarray]]:
    """The same of a linear net of one channel by lighting one pixel after the other, where there is no gradient."""
    pixels = list(np.ndindex(*shape[1:3]))
    with tf.Session(graph=graph) as sess:
        lit = []
        for row, column in pixels:
            image = np.zeros(shape, np.float32)
            image[0, row, column] = 1
            lit.append(sess.run(y, {x: image})[0].sum(axis=-1))
    grid = lit[0].shape
    return [(place, np.array([each[place] for each in lit]).reshape(shape[1:3])) for place in on_the_middle(grid)]


def mean_off(off: np.ndarray, places: np.ndarray) -> float:
    """The larger of the two means of how far cells are off along each axis, every row and column counted once."""
    means = [np.mean([off[places[:, a] == at, a].mean() for at in set(places[:, a])]) for a in range(off.shape[1])]
    return float(np.abs(means).max())


def centroids(found: Sequence[Tuple[Tuple[int, ...], np.ndarray]], inner: int = 0) -> Tuple[np.ndarray, np.ndarray]:
    """Places [M, axes] and centres of gravity, in pixels of x, of the cells that padding cuts nothing off.

    inner: how many pixels from the edges they have to stay.
    """
    whole = max(float(response.sum()) for _, response in found)
    places, centres = [], []
    for place, response in found:
        edge = response.sum() - response[tuple(slice(inner, side - inner) for side in response.shape)].sum()
        if response.sum() < 0.999 * whole or edge > 0:
            continue
        places.append(place)
        sums = [response.sum(axis=tuple(a for a in range(response.ndim) if a != axis)) for axis in range(response.ndim)]
        centres.append([(each * (np.arange(len(each)) + 0.5)).sum() / each.sum() for each in sums])
    return np.array(places, float), np.array(centres)
