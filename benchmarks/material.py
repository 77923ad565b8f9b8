"""The nets and images of the benchmarks."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, List

import cv2
import numpy as np
from timing import Absent

from gradcam_tf1 import GradCamGraph, LoadedModel
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.nets.vgg import vgg_graph_def
from gradcam_tf1.nets.vgg_layers import random_weights
from gradcam_tf1.tf_runtime import tf

MOBILENET = "mobilenet_v1_0.25_224"
TRAINING_BLOCKS = {"1": 732, "2": 566}  # by TensorFlow: 50,000 nodes
PHOTO_SIZE = (500, 450)  # width and height of what stands in for photographs


def two_threads() -> Any:
    """A session that computes with two threads."""
    return tf.ConfigProto(intra_op_parallelism_threads=2)


def demo_net() -> GradCamGraph:
    """The net that comes with the toolkit."""
    return GradCamGraph(demo_model(), preset=DEMO_PRESET, config=two_threads())


def vgg19() -> LoadedModel:
    """VGG-19 with random weights, the same in every process."""
    weights = random_weights(19)
    graph_def = vgg_graph_def(19, weights)
    return LoadedModel(graph_def, "vgg19 with random weights", "reference net vgg19", preprocessing=weights.preset)


def scenes(count: int) -> List[np.ndarray]:
    """The first images of the demo net."""
    return [read_image(scene.path) for scene in demo_scenes()[:count]]


def training_graph(folder: Path) -> str:
    """The .meta of a checkpoint of 50,000 nodes: residual blocks, their gradients, Adam, summaries and a saver."""
    with tf.Graph().as_default(), tf.Session(config=two_threads()) as sess:
        images = tf.placeholder(tf.float32, [None, 32, 32, 3], "images")
        labels = tf.placeholder(tf.int64, [None], "labels")
        features = _block(images, "first", 3)
        for number in range(TRAINING_BLOCKS[tf.__version__[0]]):
            features = features + _block(features, f"block{number}", 4)
        weights = tf.get_variable("weights", [4, 5])
        logits = tf.matmul(tf.reduce_mean(features, [1, 2]), weights, name="logits")
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels)
        tf.train.AdamOptimizer().minimize(tf.reduce_mean(losses))
        for variable in tf.trainable_variables():
            tf.summary.histogram(variable.op.name, variable)
        tf.summary.merge_all()
        sess.run(tf.global_variables_initializer())
        tf.train.Saver().save(sess, str(folder / "net"))
    return str(folder / "net.meta")


def _block(features: Any, name: str, channels: int) -> Any:
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [3, 3, channels, 4])
        bias = tf.get_variable("bias", [4], initializer=tf.zeros_initializer())
        return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(features, kernel, [1, 1, 1, 1], "SAME"), bias))


def _models() -> Path:
    """The folder of real nets and photographs. Raises: Absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "models"
    folder = Path(os.environ.get("GRADCAM_TF1_MODELS", beside))
    if not (folder / "models.json").is_file():
        raise Absent("no real nets and photographs here: GRADCAM_TF1_MODELS names their folder")
    return folder


def mobilenet() -> GradCamGraph:
    """MobileNet v1 of a quarter of the width, 224 x 224, from real weights. Raises: Absent."""
    return GradCamGraph(mobilenet_path(), preset="inception", config=two_threads())


def mobilenet_path() -> str:
    """Its file. Raises: Absent."""
    folder = _models()
    row = json.loads((folder / "models.json").read_text(encoding="utf-8"))[MOBILENET]
    return str(folder / row["path"])


def photographs(count: int, folder: Path) -> List[str]:
    """So many JPEG files: the real photographs over and over, the scenes enlarged where there are none."""
    try:
        found = sorted(path for path in (_models() / "photos").iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    except Absent:
        found = [_enlarged(scene.path, folder) for scene in demo_scenes()]
    paths = [folder / f"{n:04d}.jpg" for n in range(count)]
    for n, path in enumerate(paths):
        shutil.copyfile(found[n % len(found)], path)
    return [str(path) for path in paths]


def _enlarged(scene: str, folder: Path) -> Path:
    path = folder / (Path(scene).stem + ".jpg")
    cv2.imwrite(str(path), cv2.resize(cv2.imread(scene), PHOTO_SIZE, interpolation=cv2.INTER_CUBIC))
    return path
