"""The rows of the benchmark: each opens a net and yields a `Case`."""

from __future__ import annotations

import time
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, Iterator, List, Sequence

import numpy as np
from saliency_library import SaliencyGradCam
from timing import Alternatives, Case, Ratio

from gradcam_tf1 import GradCamGraph, LoadedModel
from gradcam_tf1.images import read_image
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.nets.vgg import vgg_graph_def
from gradcam_tf1.nets.vgg_layers import random_weights
from gradcam_tf1.overlap import check_threads
from gradcam_tf1.tf_runtime import tf

FOUR_CLASSES = (0, 1, 2, 3)
CHANNELS = 512  # of VGG-19's last convolution
SOME_CHANNELS = 64


def two_threads() -> Any:
    """A session that computes with two threads."""
    return tf.ConfigProto(intra_op_parallelism_threads=2)


def demo_net() -> GradCamGraph:
    return GradCamGraph(demo_model(), preset=DEMO_PRESET, config=two_threads())


def vgg19() -> LoadedModel:
    """VGG-19 with random weights."""
    weights = random_weights(19)
    graph_def = vgg_graph_def(19, weights)
    return LoadedModel(graph_def, "vgg19 with random weights", "reference net vgg19", preprocessing=weights.preset)


def scenes(count: int) -> List[np.ndarray]:
    """The first pictures of the demo net."""
    return [read_image(scene.path) for scene in demo_scenes()[:count]]


def forward(net: GradCamGraph, fitted: Sequence[Any]) -> Callable[[], object]:
    """The plain forward pass for the same pictures, already prepared."""
    batch = net.preprocess(np.stack([item.pixels for item in fitted]).astype(np.float32))
    feed = {net.binding.input: batch, **net.binding.feeds}
    return lambda: net.sess.run(net.binding.logits, feed)


def explanations(net: GradCamGraph, pictures: list) -> Alternatives:
    """The plain forward pass, then maps of more and more kinds, for the same pictures at the input's size."""
    fitted = [net.fit_image(picture) for picture in pictures]
    return {
        "forward only": forward(net, fitted),
        "gradcam, top class": lambda: net.explain(fitted),
        "gradcam, 5 classes": lambda: net.explain(fitted, targets=[0, 1, 2, 3, 4]),
        "guided_backprop, top class": lambda: net.explain(fitted, methods="guided_backprop"),
        "gradcam + guided_gradcam, top class": lambda: net.explain(fitted, methods=["gradcam", "guided_gradcam"]),
    }


@contextmanager
def demo_batch() -> Iterator[Case]:
    """The demo net, 8 pictures."""
    with demo_net() as net:
        yield Case(explanations(net, scenes(8)))


@contextmanager
def vgg19_single() -> Iterator[Case]:
    """VGG-19, 1 picture of 224 x 224."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        yield Case(explanations(net, scenes(1)))


@contextmanager
def vgg19_maps() -> Iterator[Case]:
    """VGG-19, 8 pictures: Grad-CAM of more classes and more layers."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        fitted = [net.fit_image(picture) for picture in scenes(8)]
        alternatives = {
            "forward": forward(net, fitted),
            "one class": lambda: net.explain(fitted),
            "four classes": lambda: net.explain(fitted, targets=list(FOUR_CLASSES)),
            "three layers": lambda: net.explain(fitted, layers=[-1, -2, -3]),
        }
        yield Case(
            alternatives,
            [
                Ratio("one class", "forward", 1.15),
                Ratio("four classes", "one class", 1.4),
                Ratio("three layers", "one class", 1.2),
            ],
        )


@contextmanager
def vgg19_pixels() -> Iterator[Case]:
    """VGG-19, 8 pictures: Grad-CAM and guided backprop in one call, against TensorFlow's own gradient alone."""
    model = vgg19()
    with tf.Graph().as_default() as stock, tf.Session(config=two_threads()) as sess:
        tf.import_graph_def(model.graph_def, name="")
        x = stock.get_tensor_by_name("input:0")
        score = tf.reduce_max(stock.get_tensor_by_name("fc8/BiasAdd:0"), axis=1)
        gradient = tf.gradients(score, x)[0]
        with GradCamGraph(model, config=two_threads()) as net:
            del model
            fitted = [net.fit_image(picture) for picture in scenes(8)]
            feed = {x: net.preprocess(np.stack([item.pixels for item in fitted]).astype(np.float32))}
            alternatives = {
                "tf.gradients(score, input)": lambda: sess.run(gradient, feed),
                "gradcam + guided_backprop": lambda: net.explain(fitted, methods=["gradcam", "guided_backprop"]),
            }
            limit = 0.9 if tf.__version__.startswith("1.") else 1.1
            yield Case(alternatives, [Ratio("gradcam + guided_backprop", "tf.gradients(score, input)", limit)])


@contextmanager
def vgg19_perturbation() -> Iterator[Case]:
    """VGG-19, 1 picture: Score-CAM of 64 of the 512 channels, Ablation-CAM of all, against as many forward passes."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        fitted = [net.fit_image(picture) for picture in scenes(8)]
        options = {"fasterscorecam": {"channels": SOME_CHANNELS}}
        alternatives = {
            "8 forward passes": forward(net, fitted),
            "scorecam": lambda: net.explain(fitted[:1], methods="fasterscorecam", options=options),
            "ablationcam": lambda: net.explain(fitted[:1], methods="ablationcam"),
        }
        ratios = [
            Ratio("scorecam", "8 forward passes", 1.1, times=SOME_CHANNELS / 8),
            Ratio("ablationcam", "8 forward passes", 1 / 20, times=CHANNELS / 8),
        ]
        yield Case(alternatives, ratios)


def against_saliency(net: GradCamGraph) -> Case:
    """Grad-CAM by both libraries on one graph and session; `saliency` takes one picture and one class at a time."""
    fitted = [net.fit_image(picture) for picture in scenes(8)]
    theirs = SaliencyGradCam(net)
    batch = net.preprocess(np.stack([item.pixels for item in fitted]).astype(np.float32))
    alternatives = {
        "saliency": lambda: theirs.mask(batch[0], 0),
        "saliency, four classes": lambda: [theirs.mask(batch[0], class_id) for class_id in FOUR_CLASSES],
        "gradcam": lambda: net.explain(fitted[:1], targets=0),
        "gradcam, four classes": lambda: net.explain(fitted[:1], targets=list(FOUR_CLASSES)),
        "gradcam, 8 pictures": lambda: net.explain(fitted, targets=0),
        "gradcam, 8 pictures, four classes": lambda: net.explain(fitted, targets=list(FOUR_CLASSES)),
    }
    ratios = [
        Ratio("gradcam", "saliency", 1.0),
        Ratio("gradcam, 8 pictures", "saliency", 1.0, times=8),
        Ratio("gradcam, four classes", "saliency, four classes", 1 / 3),
        Ratio("gradcam, 8 pictures, four classes", "saliency, four classes", 1 / 3, times=8),
    ]
    return Case(alternatives, ratios)


@contextmanager
def vgg19_saliency() -> Iterator[Case]:
    """VGG-19 against PAIR's `saliency`."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        yield against_saliency(net)


@contextmanager
def demo_saliency() -> Iterator[Case]:
    """The demo net against PAIR's `saliency`."""
    with demo_net() as net:
        yield against_saliency(net)


@contextmanager
def demo_folder() -> Iterator[Case]:
    """The demo net, a folder of 96 pictures through `visualize_imgs`: wall time against its CPU seconds / cores.

    Nothing else must be running: what others take of the cores counts as waiting.
    """
    cores, spent = check_threads(None), [0.0]
    with demo_net() as net, TemporaryDirectory() as out:
        paths = [scene.path for scene in demo_scenes()] * 8

        def run() -> None:
            start = time.process_time()
            net.visualize_imgs(paths, out)
            spent[0] = time.process_time() - start

        alternatives = {"wall": run, "CPU / cores": lambda: spent[0] / cores}
        yield Case(alternatives, [Ratio("wall", "CPU / cores", 1.2)])


_ROWS = (
    demo_batch,
    vgg19_single,
    vgg19_maps,
    vgg19_pixels,
    vgg19_perturbation,
    vgg19_saliency,
    demo_saliency,
    demo_folder,
)
ROWS: Dict[str, Any] = {row.__name__: row for row in _ROWS}
