"""VGG graphs against a float64 numpy twin, classic against fully convolutional, and the usual tensor names."""

from __future__ import annotations

import numpy as np
import pytest
from vgg_files import torch_state, write_npy, write_torch_zip

from gradcam_tf1.errors import OptionError, WeightsError
from gradcam_tf1.nets.vgg import REFERENCE_NETS, build_vgg, vgg_graph_def, vgg_model
from gradcam_tf1.nets.vgg_layers import DENSE, VggWeights, conv_names, layer_names, random_weights
from gradcam_tf1.tf_runtime import tf

NARROW = 1 / 32


def random_image(height=224, width=224, count=1, seed=0):
    return np.random.RandomState(seed).normal(0.0, 50.0, (count, height, width, 3)).astype(np.float32)


def convolve(x, kernel, bias):
    """Zero-padded cross-correlation in float64: x [H, W, C], kernel [k, k, C, D]."""
    side, (height, width) = kernel.shape[0], x.shape[:2]
    padded = np.pad(x, ((side // 2, side // 2), (side // 2, side // 2), (0, 0)), mode="constant")
    shifted = (padded[i : i + height, j : j + width] @ kernel[i, j] for i in range(side) for j in range(side))
    return sum(shifted) + bias


def pool(x):
    height, width, channels = x.shape
    x = np.pad(x, ((0, height % 2), (0, width % 2), (0, 0)), mode="constant", constant_values=-np.inf)
    return x.reshape((height + 1) // 2, 2, (width + 1) // 2, 2, channels).max(axis=(1, 3))


def twin_features(layers, depth, x):
    """float64 [H, W, 3] -> pool5."""
    x = x.astype(np.float64)
    names = conv_names(depth)
    for name, following in zip(names, [*names[1:], "end"]):
        x = np.maximum(convolve(x, *layers[name]), 0.0)
        if following[:5] != name[:5]:
            x = pool(x)
    return x


def twin_scores(layers, window):
    """float64 [7, 7, C] -> class scores."""
    x = window.reshape(-1)
    for name in DENSE:
        kernel, bias = layers[name]
        x = x @ kernel.reshape(-1, kernel.shape[3]).astype(np.float64) + bias
        x = x if name == "fc8" else np.maximum(x, 0.0)
    return x


def run(depth, weights, images, fully_convolutional, names=("logits",)):
    with tf.Graph().as_default(), tf.Session() as session:
        shape = (None, None, None, 3) if fully_convolutional else (None, 224, 224, 3)
        x = tf.placeholder(tf.float32, shape)
        endpoints = build_vgg(x, depth, weights.classes, weights, fully_convolutional)
        return session.run([endpoints[name] for name in names], {x: images})


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_logits_equal_the_numpy_twin_and_both_forms_agree(depth):
    weights = random_weights(depth, seed=depth, classes=10, width=NARROW)
    images = random_image(count=2)
    expected = [twin_scores(weights.layers, twin_features(weights.layers, depth, image)) for image in images]
    classic, prob = run(depth, weights, images, False, ("logits", "prob"))
    np.testing.assert_allclose(classic, expected, rtol=1e-4, atol=1e-4)
    softmax = np.exp(expected - np.max(expected, axis=1, keepdims=True))
    np.testing.assert_allclose(prob, softmax / softmax.sum(axis=1, keepdims=True), atol=1e-4)
    (convolutional,) = run(depth, weights, images, True)
    np.testing.assert_allclose(convolutional, classic, rtol=1e-4, atol=1e-4)


def test_fully_convolutional_averages_the_scores_of_all_windows():
    weights = random_weights(11, seed=1, classes=6, width=NARROW)
    image = random_image(256, 300)
    logits, fc8 = run(11, weights, image, True, ("logits", "fc8"))
    features = twin_features(weights.layers, 11, image[0])
    assert features.shape[:2] == (8, 10)
    windows = [[twin_scores(weights.layers, features[i : i + 7, j : j + 7]) for j in range(4)] for i in range(2)]
    np.testing.assert_allclose(fc8[0], windows, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits[0], np.mean(windows, axis=(0, 1)), rtol=1e-4, atol=1e-4)


def test_fully_convolutional_pads_small_images_with_zeros_around():
    weights = random_weights(11, seed=1, classes=6, width=NARROW)
    image = random_image(64, 300)
    features = twin_features(weights.layers, 11, image[0])
    assert features.shape[:2] == (2, 10)
    padded = np.pad(features, ((2, 3), (0, 0), (0, 0)), mode="constant")
    windows = [twin_scores(weights.layers, padded[:, j : j + 7]) for j in range(4)]
    np.testing.assert_allclose(run(11, weights, image, True)[0][0], np.mean(windows, axis=0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fully_convolutional", [False, True])
def test_names_are_those_of_the_field(fully_convolutional):
    weights = random_weights(19, classes=10, width=NARROW)
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, (None, 224, 224, 3), name="input")
        endpoints = build_vgg(images, 19, 10, weights, fully_convolutional)
        names = {key: tensor.name for key, tensor in endpoints.items()}
        size = graph.get_tensor_by_name("conv5_4/Relu:0").shape.as_list()
    assert [key for key in names if key.startswith("conv")] == conv_names(19)
    assert names["conv5_4"] == "conv5_4/Relu:0"
    assert size == [None, 14, 14, 16]
    assert {key: names[key] for key in ("pool1", "pool5", "relu6", "relu7", "prob")} == {
        key: f"{key}:0" for key in ("pool1", "pool5", "relu6", "relu7", "prob")
    }
    assert [names[key] for key in DENSE] == [f"{key}/BiasAdd:0" for key in DENSE]
    assert names["logits"] == ("logits:0" if fully_convolutional else "fc8/BiasAdd:0")


def test_random_weights_follow_seed_and_width():
    shapes = {name: random_weights(11, width=NARROW, classes=3).layers[name][0].shape for name in ("conv1_1", "fc6")}
    assert shapes == {"conv1_1": (3, 3, 3, 2), "fc6": (7, 7, 16, 128)}
    one, same, other = (random_weights(11, seed, 3, NARROW).layers["fc7"][0] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.std() == pytest.approx(np.sqrt(2 / 128), rel=0.05)


@pytest.mark.parametrize("fully_convolutional", [False, True])
def test_graph_def_holds_the_weights_once_and_computes_the_same(fully_convolutional):
    weights = random_weights(13, seed=3, classes=7, width=NARROW)
    graph_def = vgg_graph_def(13, weights, fully_convolutional)
    size = sum(array.nbytes for pair in weights.layers.values() for array in pair)
    assert size < len(graph_def.SerializeToString()) < 1.05 * size + 20000
    assert [node.name for node in graph_def.node if node.op == "Placeholder"] == ["input"]
    logits = "logits:0" if fully_convolutional else "fc8/BiasAdd:0"
    with tf.Graph().as_default(), tf.Session() as session:
        (output,) = tf.import_graph_def(graph_def, return_elements=[logits], name="")
        found = session.run(output, {"input:0": random_image()})
    np.testing.assert_array_equal(found, run(13, weights, random_image(), fully_convolutional)[0])


def test_vgg_model_says_what_it_is_and_what_the_weights_want(tmp_path):
    weights = random_weights(16, seed=4, classes=5, width=NARROW)
    model = vgg_model("vgg16", write_npy(tmp_path / "some.npy", weights.layers))
    assert (model.kind, model.source) == ("reference net vgg16", "vgg16 with some.npy")
    assert (model.inputs, model.outputs) == (("input:0",), ("prob:0",))
    assert (model.preprocessing, model.layer) == ("caffe", "conv5_3/Relu:0")
    torch_file = write_torch_zip(tmp_path / "some.pth", torch_state(weights.layers, 16))
    assert vgg_model("vgg16", torch_file, fully_convolutional=True).preprocessing == "torch"


def test_reference_nets_have_as_many_layers_with_weights_as_their_name_says():
    assert [len(layer_names(depth)) for depth in (11, 13, 16, 19)] == [11, 13, 16, 19]
    assert {f"vgg{depth}": depth for depth in (11, 13, 16, 19)} == REFERENCE_NETS


def test_errors_name_what_is_possible():
    with pytest.raises(OptionError, match="no reference net is called 'vgg17'; possible: vgg11, vgg13, vgg16, vgg19"):
        vgg_model("vgg17", "weights.npy")
    with pytest.raises(OptionError, match="no VGG-17; possible depths: 11, 13, 16, 19"):
        build_vgg(None, 17)
    weights = random_weights(11, classes=5, width=NARROW)
    with pytest.raises(WeightsError, match="for 5 classes, not for 1000"):
        build_vgg(None, 11, 1000, weights)
    layers = dict(weights.layers, conv2_1=(np.zeros((3, 3, 9, 4), np.float32), np.zeros(4, np.float32)))
    with pytest.raises(WeightsError, match=r"conv2_1 has kernel \[3, 3, 9, 4\] .* expected kernel \[3, 3, 2, 4\]"):
        build_vgg(None, 11, 5, VggWeights(layers, "caffe"))
