"""Rows of exported models: the signature with all its outputs against the plain forward pass of the same net."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

import numpy as np
from material import demo_net, mobilenet, scenes, two_threads, vgg19
from timing import Case, Ratio

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.export.export_request import ExportRequest
from gradcam_tf1.export.exported_graph import exported_graph
from gradcam_tf1.tf_runtime import tf


def exported(net: GradCamGraph, count: int) -> Case:
    """Run one exported graph: its logits alone, which is the plain net, and everything that it returns."""
    made = exported_graph(net, ExportRequest())
    pixels = np.stack([net.fit_image(image).pixels for image in scenes(count)])
    outputs = made.outputs
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(made.graph_def, name="")
    sess = tf.Session(graph=graph, config=two_threads())
    feed = {made.inputs["images"].name: pixels}

    def run(names: List[str]) -> Callable[[], Any]:
        return lambda: sess.run([outputs[name] for name in names], feed)

    return Case(
        {
            "logits": run(["logits"]),
            "scores and raw map": run(["logits", "class_ids", "scores", "cam"]),
            "all outputs": run(list(outputs)),
        },
        [Ratio("all outputs", "logits", 1.15)],
    )


@contextmanager
def exported_vgg19() -> Iterator[Case]:
    """VGG-19 exported, 8 images."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        yield exported(net, 8)


@contextmanager
def exported_mobilenet() -> Iterator[Case]:
    """MobileNet 0.25 of 224 x 224 exported, 1 image."""
    with mobilenet() as net:
        yield exported(net, 1)


@contextmanager
def exported_demo() -> Iterator[Case]:
    """The demo net exported, 8 images."""
    with demo_net() as net:
        yield exported(net, 8)
