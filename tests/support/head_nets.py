"""One small trunk with heads in the manner of many authors; the maps of each are compared with a plain spelling."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np
from binding_graphs import conv, conv_relu, dense, pooled

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

IMAGES = np.random.RandomState(5).randint(0, 256, (3, 8, 8, 3)).astype(np.float32)


def trunk(x: Optional[Any] = None, batch: Optional[int] = None) -> Any:
    """Images 'input' to a map 'features' [N, 4, 4, 8]."""
    x = tf.placeholder(tf.float32, [batch, 8, 8, 3], name="input") if x is None else x
    x = tf.nn.max_pool(conv_relu(x, 6, name="conv1"), [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    return tf.identity(conv_relu(x, 8, inputs=6, name="conv2"), name="features")


def logits(classes: int = 5, name: str = "dense") -> Any:
    """[N, classes] of the trunk."""
    return dense(pooled(trunk()), classes, 8, name)


def score_map(columns: int, name: str = "head") -> Any:
    """[N, 4, 4, columns] of the trunk."""
    return conv(trunk(), columns, 1, 8, name)


def opened(build: Callable[[], Any], **options: Any) -> GradCamGraph:
    """The net that `build` makes in a graph of its own."""
    with tf.Graph().as_default() as graph:
        build()
    return GradCamGraph(graph.as_graph_def(), preset="zero-one", layer="features", **options)


Answers = Dict[str, Any]
_ANSWERED: Dict[Any, Answers] = {}


def answers(build: Callable[[], Any], targets: Any = (0, 1), images: Any = IMAGES, **options: Any) -> Answers:
    """Classes, scores [N, T], predicted [N] and maps [N, T, 4, 4] of the net; of one asked before, the same answers."""
    key = (build, repr(targets), len(images), repr(options))
    if key not in _ANSWERED:
        _ANSWERED[key] = _answers(build, targets, images, options)
    return _ANSWERED[key]


def _answers(build: Callable[[], Any], targets: Any, images: Any, options: Dict[str, Any]) -> Answers:
    with opened(build, **options) as net:
        found = net.explain(images, list(targets), methods=["hirescam"])
        return {
            **{"classes": net.binding.classes, "binding": net.binding, "scores": found.scores},
            **{"predicted": found.predicted, "maps": found["hirescam"], "probabilities": found.probabilities},
        }


def assert_same(ours: Answers, plain: Answers) -> None:
    """The same classes, scores, predictions and maps, and not all of them nothing."""
    assert ours["classes"] == plain["classes"]
    assert np.abs(plain["maps"]).max() > 1e-4
    for key in ("scores", "predicted", "maps"):
        np.testing.assert_allclose(ours[key], plain[key], rtol=1e-4, atol=1e-6, err_msg=key)


def values_of(build: Callable[[], Any], names: Sequence[str], images: Any = IMAGES) -> Any:
    """What the net itself computes for the images."""
    with tf.Graph().as_default() as graph:
        build()
        with tf.Session(graph=graph) as sess:
            return sess.run(list(names), {"input:0": images / np.float32(255)})
