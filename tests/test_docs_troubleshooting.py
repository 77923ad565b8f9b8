"""The page of troubles: each message on it is what a net with that trouble says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
from click.testing import CliRunner
from recipe_nets import conv, features, kernel, ssd

from gradcam_tf1 import GradCamError, GradCamGraph, read_image
from gradcam_tf1.cli import main
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

PAGE = (Path(__file__).resolve().parent.parent / "docs/troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"(?ms)^```text\n(.*?)\n```$", PAGE)


def photo() -> np.ndarray:
    return read_image(demo_scenes()[8].path)


def net(head: Callable[[Any, Any], Any], **options: Any) -> GradCamGraph:
    """Return a net of two convolutions and this head: from the input and the features to the logits."""
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 32, 32, 3], name="input")
        tf.nn.softmax(tf.identity(head(images, features(images, "last/Relu")), name="logits"))
    return GradCamGraph(graph.as_graph_def(), preset="zero-one", **options)


def pooled(x: Any) -> Any:
    return tf.reduce_mean(x, [1, 2], name="Mean")


def reason(opened: GradCamGraph) -> str:
    (map,) = opened.explain(photo(), 0)
    return map.reason


def negative() -> str:
    return reason(net(lambda _, x: tf.matmul(pooled(x), tf.constant(-np.ones((8, 3), np.float32)))))


def not_a_number() -> str:
    return reason(net(lambda _, x: tf.matmul(tf.log(pooled(x) - 100.0), kernel(8, 3))))


def in_a_loop() -> str:
    with tf.Graph().as_default() as graph:
        ssd()
    with GradCamGraph(graph.as_graph_def()) as opened:
        (map,) = opened.explain(photo())
        return map.details.notes[0]


def refused(opened: GradCamGraph, *arguments: Any) -> str:
    with opened, pytest.raises(GradCamError) as caught:
        opened.explain(photo(), *arguments)
    return str(caught.value)


def demo(**options: Any) -> GradCamGraph:
    return GradCamGraph(demo_model(), preset="inception", **{"labels": DEMO_CLASSES, **options})


def stopped() -> str:
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 32, 32, 3], name="input")
        blocked = tf.stop_gradient(pooled(features(images, "last/Relu")))
        tf.nn.softmax(tf.matmul(blocked, kernel(8, 3), name="logits"))
    return refused(GradCamGraph(graph.as_graph_def(), preset="zero-one"), 0)


def second_input() -> str:
    def head(_: Any, x: Any) -> Any:
        age = tf.placeholder(tf.float32, [None, 1], name="age")
        return tf.matmul(tf.concat([pooled(x), age], 1), kernel(9, 3))

    return refused(net(head), 0)


def no_images() -> str:
    with tf.Graph().as_default() as graph:
        numbers = tf.placeholder(tf.float32, [None, 10], name="input")
        tf.nn.softmax(tf.matmul(numbers, kernel(10, 3)))
    return refused(GradCamGraph(graph.as_graph_def(), preset="zero-one"), 0)


def swish() -> str:
    with tf.Graph().as_default() as graph:
        features = conv(tf.placeholder(tf.float32, [None, 32, 32, 3], name="input"), 8)
        tf.nn.softmax(tf.matmul(pooled(features * tf.sigmoid(features)), kernel(8, 3), name="logits"))
    return refused(GradCamGraph(graph.as_graph_def(), preset="zero-one"), 0, "guided_backprop")


def greedy() -> str:
    def head(images: Any, x: Any) -> Any:
        side = tf.maximum(tf.cast(tf.reduce_max(images), tf.int32), 1000000)
        waste = tf.reduce_max(tf.random_uniform([side, side], name="random_uniform"))
        return tf.matmul(pooled(x), kernel(8, 3)) + waste

    return refused(net(head), 0)


def foreign_folder() -> str:
    Path("out").mkdir()
    Path("out/manifest.jsonl").write_text("something else\n")
    words = ["run", demo_model(), demo_scenes()[0].path, "--out", "out", "--preset", "inception"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    return result.output.split("Error: ")[1].strip()


SYMPTOMS: Dict[str, Callable[[], str]] = {
    "all evidence here": negative,
    "the scores are NaN": not_a_number,
    "stretched over the input": in_a_loop,
    "the graph does not show": lambda: refused(GradCamGraph(demo_model())),
    "the gradient from": stopped,
    "besides the images": second_input,
    "no image input found": no_images,
    "no tensor 'conv9": lambda: refused(demo(layer="conv9/Relu")),
    "no class is named": lambda: refused(demo(), "dog"),
    "2 class names": lambda: refused(demo(labels=["a", "b"])),
    "no activation between": swish,
    "the net failed at": greedy,
    "'out/manifest.jsonl' was": foreign_folder,
}


@pytest.mark.parametrize("start", sorted(SYMPTOMS))
def test_a_message_of_the_page_is_what_the_program_says(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (quoted,) = [message for message in MESSAGES if message.startswith(start)]
    pattern = ".*".join(re.escape(part) for part in quoted.split("..."))
    said = SYMPTOMS[start]()
    assert re.fullmatch(pattern, said.replace("(None, ", "(?, "), re.DOTALL), said


def test_every_message_of_the_page_is_tried():
    assert len(MESSAGES) == len(SYMPTOMS)
