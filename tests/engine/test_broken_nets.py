"""Nets whose scores are NaN or infinite: no class, no map, exit code 1, and the op that began it is named."""

from __future__ import annotations

import re

import numpy as np
import pytest
from command_line import run
from image_folders import write_noise

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.run.manifest import read_manifest
from gradcam_tf1.targets import Top
from gradcam_tf1.tf_runtime import tf


def graph_def(kernel: np.ndarray, scale: float = 1.0) -> tf.GraphDef:
    """conv - relu - times scale - mean - dense; kernel: [3, 3, 3, 4]."""
    random = np.random.RandomState(0)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        kernel = tf.constant(kernel.astype(np.float32), name="kernel")
        features = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), name="features")
        large = tf.multiply(features, np.float32(scale), name="large")
        odd = tf.subtract(large, large, name="odd") + features
        hidden = tf.reduce_mean(odd, [1, 2])
        tf.identity(tf.matmul(hidden, random.randn(4, 3).astype(np.float32)), name="logits")
    return graph.as_graph_def()


@pytest.fixture(scope="module")
def kernel() -> np.ndarray:
    return np.random.RandomState(1).randn(3, 3, 3, 4)


def test_weights_of_nan_leave_no_class_and_no_map_and_are_named(kernel):
    kernel = kernel.copy()
    kernel[0, 0, 0, 0] = np.nan
    with GradCamGraph(graph_def(kernel), preset="raw") as net:
        found = net.explain(np.full((8, 8, 3), 100, np.uint8), [Top(1), 2], ["gradcam", "eigencam", "gradient"])
    assert found.predicted.tolist() == [-1]
    assert found.class_ids.tolist() == [[-1, 2]]
    assert "1 of the net's weights 'kernel' are NaN" in found.failures[0]
    for key, maps in found.maps.items():
        assert not maps.any()
        assert {status.state for status in found.statuses[key][0]} == {"empty"}
        assert found.statuses[key][0][0].reason == found.failures[0]


def normalised(variance, large=False, chosen=False):
    """conv - batch normalization - relu - (a large dense layer) - mean - dense; fused kernels turn its NaN into 0."""
    random = np.random.RandomState(0)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        features = tf.nn.conv2d(x, random.randn(3, 3, 3, 4).astype(np.float32), [1, 1, 1, 1], "SAME")
        given = tf.constant(np.array([1, variance, 1, 1], np.float32), name="variance")
        if chosen:
            features, given = tf.where(tf.is_nan(given + 0 * features), features, features), tf.ones([4])
        zeros = np.zeros(4, np.float32)
        features = tf.nn.relu(tf.nn.batch_normalization(features, zeros, given, zeros, None, 1e-3), name="features")
        hidden = tf.reduce_mean(features, [1, 2])
        if large:
            weights = random.randn(4, 80000).astype(np.float32)
            weights[1, 7] = np.nan
            hidden = tf.nn.relu(tf.nn.bias_add(tf.matmul(hidden, weights, name="wide"), np.zeros(80000, np.float32)))
            hidden = tf.reshape(hidden, [-1, 4, 20000])[:, :, 0]
        tf.identity(tf.matmul(hidden, random.randn(4, 3).astype(np.float32)), name="logits")
    return graph.as_graph_def()


@pytest.mark.parametrize(
    ("definition", "named"),
    [
        (lambda: normalised(np.nan), "1 of the net's weights .* are NaN"),
        (lambda: normalised(-1), r"\(Rsqrt\) makes the first NaN values, 1 of them"),
        (lambda: normalised(1, large=True), "1 of the net's weights 'wide/b' are NaN"),
    ],
    ids=["weight", "computed", "large"],
)
def test_nan_of_weights_counts_also_where_the_scores_are_finite(definition, named):
    with GradCamGraph(definition(), preset="raw", layer="features") as net:
        found = net.explain(np.full((8, 8, 3), 100, np.uint8))
    assert found.predicted.tolist() == [-1]
    assert re.search(f"the scores (are|hide) NaN.*{named}", found.failures[0])
    assert not found["gradcam"].any()


def test_a_constant_of_nan_that_is_only_compared_is_no_fault():
    with GradCamGraph(normalised(1, chosen=True), preset="raw", layer="features") as net:
        found = net.explain(np.full((8, 8, 3), 100, np.uint8))
    assert found.failures == ("",)
    assert found.predicted[0] >= 0


def test_the_op_that_makes_the_first_nan_of_finite_weights_is_named_and_other_images_stay_right(kernel):
    bright, dark = np.full((8, 8, 3), 250, np.uint8), np.zeros((8, 8, 3), np.uint8)
    with GradCamGraph(graph_def(np.abs(kernel), scale=1e37), preset="raw") as net:
        found = net.explain([bright, dark])
        alone = net.explain([dark])
    assert found.failures[1] == ""
    assert "'odd' (Sub) makes the first NaN values" in found.failures[0]
    assert found.predicted.tolist() == [-1, alone.predicted[0]]
    np.testing.assert_array_equal(found["gradcam"][1], alone["gradcam"][0])


def test_a_gradient_that_overflows_leaves_the_class_and_empties_the_map():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        kernel = np.random.RandomState(0).randn(3, 3, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), name="features")
        hidden = tf.reduce_mean(tf.sqrt(features), [1, 2])  # the root's slope at 0 is infinite
        tf.identity(tf.matmul(hidden, np.eye(4, 3, dtype=np.float32)), name="logits")
    with GradCamGraph(graph.as_graph_def(), preset="raw") as net:
        found = net.explain(np.zeros((8, 8, 3), np.uint8))
    assert found.failures == ("",)
    assert found.predicted[0] >= 0
    assert "values are NaN or infinite" in found.statuses["gradcam", "features:0"][0][0].reason
    assert not found["gradcam"].any()


def test_a_class_masked_with_minus_infinity_is_no_fault(kernel):
    definition = graph_def(kernel)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        logits = graph.get_tensor_by_name("logits:0")
        tf.add(logits, np.array([0, -np.inf, 0], np.float32), name="masked")
    with GradCamGraph(graph.as_graph_def(), logits="masked", preset="raw") as net:
        found = net.explain(np.full((8, 8, 3), 100, np.uint8))
    assert found.failures == ("",)
    assert found.predicted[0] in (0, 2)


def test_a_run_lists_the_image_as_failed_and_says_so_with_its_exit_code(kernel, tmp_path):
    kernel = kernel.copy()
    kernel[1] = np.nan
    model = tmp_path / "nan.pb"
    model.write_bytes(graph_def(kernel).SerializeToString())
    photos = write_noise(tmp_path / "photos", {"a.png": (8, 8)})
    told = run(photos, tmp_path / "out", "--figure", "layers", code=1, preset=("--preset", "raw"), model=model)
    assert "1 failed" in told
    (line,) = read_manifest(str(tmp_path / "out" / "manifest.jsonl"))
    assert (line["status"], line["predicted"], line["targets"]) == ("error", None, [])
    assert "the net's weights 'kernel' are NaN" in line["error"]
    assert not list((tmp_path / "out").glob("*.png"))
