"""What a map costs: python benchmarks/bench.py [ROW ...] (`make bench` runs all rows).

Every row times alternatives that answer the same question, in turn (a b c a b c ...), so that whatever else the machine
does meets all of them alike, and prints the median of each and its multiple of the first.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from contextlib import contextmanager
from typing import Callable, Dict, Iterator

import numpy as np

from gradcam_tf1 import GradCamGraph, LoadedModel
from gradcam_tf1.images import read_image
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.nets.vgg import vgg_graph_def
from gradcam_tf1.nets.vgg_layers import random_weights
from gradcam_tf1.tf_runtime import tf

Alternatives = Dict[str, Callable[[], object]]
ROUNDS = 9


def interleaved_medians(alternatives: Alternatives, rounds: int) -> Dict[str, float]:
    """Median seconds of each alternative; the first round (graph building, allocation) is not counted."""
    seconds: Dict[str, list] = {name: [] for name in alternatives}
    for turn in range(rounds + 1):
        for name, run in alternatives.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def explanations(net: GradCamGraph, pictures: list) -> Alternatives:
    """The plain forward pass, then maps of more and more kinds, for the same pictures at the input's size."""
    fitted = [net.fit_image(picture) for picture in pictures]
    batch = net.preprocess(np.stack([item.pixels for item in fitted]))
    feed = {net.binding.input: batch, **net.binding.feeds}
    return {
        "forward only": lambda: net.sess.run(net.binding.logits, feed),
        "gradcam, top class": lambda: net.explain(fitted),
        "gradcam, 5 classes": lambda: net.explain(fitted, targets=[0, 1, 2, 3, 4]),
        "guided_backprop, top class": lambda: net.explain(fitted, methods="guided_backprop"),
        "gradcam + guided_gradcam, top class": lambda: net.explain(fitted, methods=["gradcam", "guided_gradcam"]),
    }


@contextmanager
def demo_batch() -> Iterator[Alternatives]:
    """The demo net, 8 pictures."""
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        yield explanations(net, [read_image(scene.path) for scene in demo_scenes()[:8]])


@contextmanager
def vgg19_single() -> Iterator[Alternatives]:
    """VGG-19 with random weights, 1 picture of 224 x 224."""
    with vgg19() as net:
        yield explanations(net, [read_image(demo_scenes()[0].path)])


def vgg19() -> GradCamGraph:
    """VGG-19 with random weights."""
    weights = random_weights(19)
    model = LoadedModel(vgg_graph_def(19, weights), "vgg19 with random weights", "reference net vgg19")
    return GradCamGraph(model, preset=weights.preset)


@contextmanager
def vgg19_perturbation() -> Iterator[Alternatives]:
    """VGG-19 with random weights, 1 picture; 64 forward passes stand for the 512 that all channels would take."""
    with vgg19() as net:
        fitted = [net.fit_image(read_image(demo_scenes()[0].path))]
        batch = np.repeat(net.preprocess(fitted[0].pixels[np.newaxis]), net.batch_size, axis=0)
        feed = {net.binding.input: batch, **net.binding.feeds}
        yield {
            "64 forward passes": lambda: [net.sess.run(net.binding.logits, feed) for _ in range(64 // len(batch))],
            "Score-CAM of 64 channels (65 runs)": lambda: net.explain(
                fitted, methods="fasterscorecam", options={"fasterscorecam": {"channels": 64}}
            ),
            "Ablation-CAM of 512 channels": lambda: net.explain(fitted, methods="ablationcam"),
        }


ROWS = {row.__name__: row for row in (demo_batch, vgg19_single, vgg19_perturbation)}


def main(*names: str) -> None:
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        sys.exit(f"no row {unknown[0]!r}; possible: {', '.join(ROWS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(f"TensorFlow {tf.__version__}, Python {sys.version.split()[0]}, medians of {ROUNDS} interleaved rounds")
    for name in names or ROWS:
        print(f"\n{name}: {ROWS[name].__doc__}\n")
        print("| | ms | times the first |\n|---|---|---|")
        with ROWS[name]() as alternatives:
            medians = interleaved_medians(alternatives, ROUNDS)
        first = next(iter(medians.values()))
        for what, median in medians.items():
            print(f"| {what} | {median * 1000:.1f} | {median / first:.2f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
