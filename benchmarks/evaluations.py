"""Rows of `evaluate`: what a metric costs beside the forward passes that it needs."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import Any, Iterator

import numpy as np
from material import demo_net, mobilenet, scenes, two_threads, vgg19
from timing import Case, Ratio

from gradcam_tf1 import METRICS, GradCamGraph
from gradcam_tf1.metrics.map_frames import on_input
from gradcam_tf1.metrics.metric_row import MetricInput

STEPS = 50
CURVES = ("insertion", "deletion")


def curves_case(net: GradCamGraph) -> Case:
    """Insertion and deletion of one map, against the plain runs of as many images in the same batches."""
    explainer = net.explainers[0]
    fitted = net.fit_image(scenes(1)[0])
    given = explainer.prepare([fitted])
    explanation = net.explain(fitted)
    key, class_id = explanation.key("gradcam"), int(explanation.predicted[0])
    saliency = on_input(explanation["gradcam"][0, 0], explanation.cells.get(key), fitted.pixels.shape[:2])
    chunk = explainer.probe(given, class_id).chunk
    images = np.repeat(net.preprocess(fitted.pixels[np.newaxis]), STEPS + 1, axis=0)
    batches = [images[start : start + chunk] for start in range(0, STEPS + 1, chunk)]

    def plain() -> None:
        for batch in batches * len(CURVES):
            net.sess.run(net.binding.probabilities, {net.binding.input: batch, **net.binding.feeds})

    def measured() -> None:
        changed = explainer.probe(given, class_id, "probability")
        task = MetricInput(
            *(saliency, saliency, changed.image, partial(changed.baseline, seed=0), changed.score), chunk=changed.chunk
        )
        for name in CURVES:
            METRICS[name].compute(task, **METRICS[name].filled({"steps": STEPS}))

    alternatives: Any = {f"{len(CURVES) * (STEPS + 1)} forward passes": plain, "insertion + deletion": measured}
    return Case(alternatives, [Ratio("insertion + deletion", next(iter(alternatives)), 1.1)])


@contextmanager
def demo_curves() -> Iterator[Case]:
    """The demo net, 1 image: insertion and deletion with 50 steps."""
    with demo_net() as net:
        yield curves_case(net)


@contextmanager
def mobilenet_curves() -> Iterator[Case]:
    """MobileNet 0.25 of batch size 1, 1 image: insertion and deletion with 50 steps."""
    with mobilenet() as net:
        yield curves_case(net)


@contextmanager
def vgg19_curves() -> Iterator[Case]:
    """VGG-19, 1 image: insertion and deletion with 50 steps."""
    with GradCamGraph(vgg19(), config=two_threads()) as net:
        yield curves_case(net)
