"""How a picture is shown for any range of pixel values, and what is said of one that noise surpasses."""

from __future__ import annotations

import re

import numpy as np
import pytest
from command_line import command

from gradcam_tf1 import FeatureOptions, FeatureUnit, GradCamGraph, find_features, load
from gradcam_tf1.tf_runtime import tf

SIDE = 12
BLOCKS = np.random.RandomState(0).choice([-1.0, 1.0], (4, 4, 3)).repeat(3, axis=0).repeat(3, axis=1)
STILL = {"decay": 1, "prior": 0, "alone": False, "jitter": 0, "angle": 0, "zoom": 0}


def linear(graph, towards, path=None):
    """One logit w . x; class 0 is its negative. A file with path."""
    x = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
    a = tf.nn.conv2d(x, np.eye(3, dtype="f4")[None, None], [1, 1, 1, 1], "SAME", name="features")
    tf.matmul(tf.reshape(a, [-1, SIDE * SIDE * 3]), towards.reshape(-1, 1).astype("f4"), name="logits")
    if path is not None:
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return graph


def found(graph, negative=False, **options):
    given = {"input": "input", "logits": "logits", "layer": "features", "preset": "raw"}
    with GradCamGraph(load(graph.as_graph_def()), **given) as net:
        return find_features(net, FeatureUnit(1, negative=negative), options=FeatureOptions(**options))


@pytest.mark.parametrize("values", [(0, 1), (-1, 1), (0, 4095), (0, 255)])
def test_the_ends_of_the_range_are_black_and_white(graph, values):
    """The best pixel of w . x is at the upper end where w > 0, at the lower end elsewhere."""
    feature = found(linear(graph, BLOCKS), values=values, steps=100, rate=0.1, **STILL).features[0]
    assert np.mean((feature.picture > 127) == (BLOCKS > 0)) > 0.9
    np.testing.assert_allclose(feature.picture, (feature.pixels - values[0]) / np.ptp(values) * 255, atol=0.51)
    assert np.ptp(feature.picture) > 200
    assert feature.note == ""


@pytest.mark.parametrize("negative", [False, True])
def test_a_picture_below_noise_is_told(graph, tmp_path, negative):
    """Views that turn to all sides hide a pattern that has one; what the note says to type draws it."""
    model = tmp_path / "net.pb"
    feature = found(linear(graph, BLOCKS, model), steps=12, negative=negative).features[0]
    assert (feature.reached < feature.noise) is not negative
    assert "noise surpasses the picture" in feature.note
    advice = re.search("--angle .*?(?=,)", feature.note).group().split()
    words = ["features", model, "--input", "input", "--logits", "logits", "--preset", "raw"]
    told = command(*words, "--class", 1, *["--negative"] * negative, *advice, "--steps", 96, "--out", tmp_path / "out")
    assert "noise surpasses" not in told
