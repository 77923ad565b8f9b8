"""Rows of single calls: each opens a net and yields a `Case`."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import numpy as np
from material import demo_net, mobilenet, scenes, training_graph, two_threads, vgg19
from saliency_library import SaliencyGradCam
from timing import Alternatives, Case, Ratio

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.binding.json_report import binding_report
from gradcam_tf1.methods import method
from gradcam_tf1.tf_runtime import tf

FOUR_CLASSES = (0, 1, 2, 3)
CHANNELS = 512  # of VGG-19's last convolution
SOME_CHANNELS = 64


def forward(net: GradCamGraph, fitted: Sequence[Any]) -> Callable[[], object]:
    """The plain forward pass for the same images, already prepared."""
    batch = net.preprocess(np.stack([item.pixels for item in fitted]).astype(np.float32))
    feed = {net.binding.input: batch, **net.binding.feeds}
    return lambda: net.sess.run(net.binding.logits, feed)


def explanations(net: GradCamGraph, images: list) -> Alternatives:
    """The plain forward pass, then maps of more and more kinds, for the same images at the input's size."""
    fitted = [net.fit_image(image) for image in images]
    return {
        "forward only": forward(net, fitted),
        "gradcam, top class": lambda: net.explain(fitted),
        "gradcam, 5 classes": lambda: net.explain(fitted, targets=[0, 1, 2, 3, 4]),
        "guided_backprop, top class": lambda: net.explain(fitted, methods="guided_backprop"),
        "gradcam + guided_gradcam, top class": lambda: net.explain(fitted, methods=["gradcam", "guided_gradcam"]),
    }


@contextmanager
def demo_batch() -> Iterator[Case]:
    """The demo net, 8 images."""
    with demo_net() as net:
        yield Case(explanations(net, scenes(8)))


@contextmanager
def vgg19_single() -> Iterator[Case]:
    """VGG-19, 1 image of 224 x 224."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        yield Case(explanations(net, scenes(1)))


@contextmanager
def vgg19_maps() -> Iterator[Case]:
    """VGG-19, 8 images: Grad-CAM of more classes and more layers."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        fitted = [net.fit_image(image) for image in scenes(8)]
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
    """VGG-19, 8 images: Grad-CAM and guided backprop in one call, against TensorFlow's own gradient alone."""
    model = vgg19()
    with tf.Graph().as_default() as stock, tf.Session(config=two_threads()) as sess:
        tf.import_graph_def(model.graph_def, name="")
        x = stock.get_tensor_by_name("input:0")
        score = tf.reduce_max(stock.get_tensor_by_name("fc8/BiasAdd:0"), axis=1)
        gradient = tf.gradients(score, x)[0]
        with GradCamGraph(model, config=two_threads()) as net:
            del model
            fitted = [net.fit_image(image) for image in scenes(8)]
            feed = {x: net.preprocess(np.stack([item.pixels for item in fitted]).astype(np.float32))}
            alternatives = {
                "tf.gradients(score, input)": lambda: sess.run(gradient, feed),
                "gradcam + guided_backprop": lambda: net.explain(fitted, methods=["gradcam", "guided_backprop"]),
            }
            limit = 0.9 if tf.__version__.startswith("1.") else 1.1
            yield Case(alternatives, [Ratio("gradcam + guided_backprop", "tf.gradients(score, input)", limit)])


@contextmanager
def vgg19_relevance() -> Iterator[Case]:
    """VGG-19, 4 images: relevance against guided backprop."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        yield _relevance(net, scenes(4))


@contextmanager
def mobilenet_relevance() -> Iterator[Case]:
    """MobileNet, 8 images: relevance against guided backprop."""
    with mobilenet() as net:
        yield _relevance(net, scenes(8))


def _relevance(net: GradCamGraph, images: list) -> Case:
    fitted = [net.fit_image(image) for image in images]
    names = ("guided_backprop", "lrp_epsilon", "lrp_epsilon_plus_flat")
    alternatives = {name: (lambda name=name: net.explain(fitted, methods=name)) for name in names}
    return Case(alternatives, [Ratio("lrp_epsilon", "guided_backprop", 1.5)])


@contextmanager
def vgg19_perturbation() -> Iterator[Case]:
    """VGG-19, 1 image: Score-CAM of 64 of the 512 channels, Ablation-CAM of all, against as many forward passes."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        fitted = [net.fit_image(image) for image in scenes(8)]
        some_channels = method("fasterscorecam", channels=SOME_CHANNELS)
        alternatives = {
            "8 forward passes": forward(net, fitted),
            "scorecam": lambda: net.explain(fitted[:1], methods=some_channels),
            "ablationcam": lambda: net.explain(fitted[:1], methods="ablationcam"),
        }
        ratios = [
            Ratio("scorecam", "8 forward passes", 1.1, times=SOME_CHANNELS / 8),
            Ratio("ablationcam", "8 forward passes", 1 / 20, times=CHANNELS / 8),
        ]
        yield Case(alternatives, ratios)


@contextmanager
def mobilenet_kernelshap() -> Iterator[Case]:
    """MobileNet 0.25, 1 image: KernelSHAP of 1000 sets of superpixels, against as many forward passes."""
    with mobilenet() as net:
        fitted = [net.fit_image(image) for image in scenes(1)]
        once = forward(net, fitted)
        alternatives = {
            "250 forward passes": lambda: [once() for _ in range(250)],
            "kernelshap": lambda: net.explain(fitted, methods=method("kernelshap", samples=1000)),
        }
        yield Case(alternatives, [Ratio("kernelshap", "250 forward passes", 1.1, times=4)])


@contextmanager
def training_inspect() -> Iterator[Case]:
    """A training graph of 50,000 nodes with its checkpoint: what `inspect` does, against importing the graph bare."""
    with tempfile.TemporaryDirectory() as folder:
        path = training_graph(Path(folder))

        def bare() -> None:
            meta = tf.MetaGraphDef.FromString(Path(path).read_bytes())
            with tf.Graph().as_default():
                tf.import_graph_def(meta.graph_def, name="")

        def inspected() -> None:
            with GradCamGraph(path, preset="zero-one", config=two_threads()) as net:
                binding_report(net.binding)

        yield Case({"import bare": bare, "inspect": inspected}, [Ratio("inspect", "import bare", 3.0)])


def against_saliency(net: GradCamGraph) -> Case:
    """Grad-CAM by both libraries on one graph and session; `saliency` takes one image and one class at a time."""
    fitted = [net.fit_image(image) for image in scenes(8)]
    theirs = SaliencyGradCam(net)
    batch = net.preprocess(np.stack([item.pixels for item in fitted]).astype(np.float32))
    alternatives = {
        "saliency": lambda: theirs.mask(batch[0], 0),
        "saliency, four classes": lambda: [theirs.mask(batch[0], class_id) for class_id in FOUR_CLASSES],
        "gradcam": lambda: net.explain(fitted[:1], targets=0),
        "gradcam, four classes": lambda: net.explain(fitted[:1], targets=list(FOUR_CLASSES)),
        "gradcam, 8 images": lambda: net.explain(fitted, targets=0),
        "gradcam, 8 images, four classes": lambda: net.explain(fitted, targets=list(FOUR_CLASSES)),
    }
    ratios = [
        Ratio("gradcam", "saliency", 1.0),
        Ratio("gradcam, 8 images", "saliency", 1.0, times=8),
        Ratio("gradcam, four classes", "saliency, four classes", 1 / 3),
        Ratio("gradcam, 8 images, four classes", "saliency, four classes", 1 / 3, times=8),
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
