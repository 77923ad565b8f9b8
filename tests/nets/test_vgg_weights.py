"""Every weights format gives the same net: files made by Python 2 and by torch, weights of another net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from make_vgg_fixtures import image, tiny_layers
from vgg_files import (
    FORMATS,
    matrices,
    small_vgg,
    torch_state,
    write_keras,
    write_npz,
    write_torch_zip,
)

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets.vgg import vgg_graph_def
from gradcam_tf1.nets.vgg_layers import DENSE
from gradcam_tf1.nets.vgg_weights import read_weights
from gradcam_tf1.nets.weights.torch_file import read_state_dict
from gradcam_tf1.tf_runtime import tf

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """depth -> (weights, format -> path)."""
    return {depth: small_vgg(tmp_path_factory.mktemp(f"vgg{depth}"), depth) for depth in (11, 16, 19)}


def logits_of(weights, depth, images):
    with tf.Graph().as_default(), tf.Session() as session:
        (output,) = tf.import_graph_def(vgg_graph_def(depth, weights), return_elements=["fc8/BiasAdd:0"], name="")
        return session.run(output, {"input:0": images})


@pytest.mark.parametrize("depth", [11, 16, 19])
def test_all_formats_give_the_same_logits(files, depth):
    weights, paths = files[depth]
    assert set(paths) == set(FORMATS)
    expected = logits_of(weights, depth, image())
    assert np.abs(expected).max() > 0.1
    for name, path in paths.items():
        read = read_weights(path, depth)
        assert read.preset == ("torch" if name.startswith("torch") else "caffe"), name
        np.testing.assert_allclose(logits_of(read, depth, image()), expected, atol=1e-5, err_msg=name)


def test_file_written_by_python_2():
    read = read_weights(str(DATA / "vgg11_python2.npy"), 11)
    for name, (kernel, bias) in matrices(read.layers).items():
        np.testing.assert_array_equal(kernel, tiny_layers()[name][0])
        np.testing.assert_array_equal(bias, tiny_layers()[name][1])


@pytest.mark.parametrize("name", ["vgg11_torch.pth", "vgg11_torch_legacy.pth"])
def test_files_written_by_torch_give_the_logits_torch_gave(name):
    expected = [[1.2279359102249146, 2.3596994876861572, 0.3441794812679291, -1.5738730430603027, 0.252607524394989]]
    read = read_weights(str(DATA / name), 11)
    assert read.preset == "torch"
    np.testing.assert_allclose(logits_of(read, 11, image()), expected, atol=1e-5)


def test_state_dict_keeps_views_and_number_types():
    found = read_state_dict(str(DATA / "dtypes_torch.pth"))
    numbers = np.arange(24, dtype=np.float32).reshape(4, 6)
    for name in ("half", "bfloat16", "double", "parameter"):
        np.testing.assert_array_equal(found[name], numbers, err_msg=name)
    np.testing.assert_array_equal(found["turned"], numbers.T)
    np.testing.assert_array_equal(found["row"], numbers[2])
    assert found["empty"].shape == (0, 3)
    assert found["count"] == 7
    assert all(array.dtype == np.float32 for array in found.values())


def test_checkpoint_may_be_named_by_any_of_its_files(files):
    weights, paths = files[11]
    for suffix in (".index", ".data-00000-of-00001"):
        read = read_weights(paths["slim"] + suffix, 11)
        np.testing.assert_array_equal(read.layers["conv1_1"][0], weights.layers["conv1_1"][0])


def test_dict_of_dicts_is_read_too(tmp_path):
    pairs = {name: {"weights": k, "biases": b} for name, (k, b) in tiny_layers().items()}
    np.save(str(tmp_path / "vgg.npy"), pairs)
    np.testing.assert_array_equal(read_weights(str(tmp_path / "vgg.npy"), 11).layers["fc8"][1], tiny_layers()["fc8"][1])


def test_fortran_order_arrays_and_big_endian_numbers(tmp_path):
    layers = {name: (np.asfortranarray(k), b.astype(">f8")) for name, (k, b) in tiny_layers().items()}
    np.save(str(tmp_path / "vgg.npy"), {name: list(pair) for name, pair in layers.items()})
    read = read_weights(str(tmp_path / "vgg.npy"), 11)
    np.testing.assert_array_equal(read.layers["conv3_1"][0], tiny_layers()["conv3_1"][0])
    np.testing.assert_array_equal(read.layers["conv3_1"][1], tiny_layers()["conv3_1"][1])


# --- weights of another net ---


def test_weights_of_another_depth_are_named(files):
    for name in FORMATS:
        with pytest.raises(WeightsError, match=r"lacks conv3_4, conv4_4, conv5_4 for vgg19: these are VGG-16 w"):
            read_weights(files[16][1][name], 19)
        with pytest.raises(WeightsError, match=r"has conv3_4, .* too many for vgg16: these are VGG-19 weights"):
            read_weights(files[19][1][name], 16)


def test_notop_files_are_named(tmp_path, files):
    layers = {name: pair for name, pair in files[16][0].layers.items() if name not in DENSE}
    for path in (write_keras(tmp_path / "notop.h5", layers), write_npz(tmp_path / "notop.npz", layers)):
        with pytest.raises(WeightsError, match=r"lacks fc6, fc7, fc8 .*without the dense layers \(notop\)"):
            read_weights(path, 16)


def test_files_without_vgg_layers_are_named(tmp_path):
    np.savez(str(tmp_path / "other.npz"), dense=np.zeros(3))
    with pytest.raises(WeightsError, match="no VGG layer at all"):
        read_weights(str(tmp_path / "other.npz"), 16)


@pytest.mark.parametrize(
    ("name", "kernel", "bias", "message"),
    [
        (
            "conv2_1",
            (3, 3, 2, 4),
            (5,),
            r"conv2_1 has kernel \[3, 3, 2, 4\] and bias \[5\]; expected kernel \[3, 3, 2, 5\]",
        ),
        ("conv3_1", (4, 8, 3, 3), (8,), r"conv3_1 has kernel \[4, 8, 3, 3\].*expected kernel \[3, 3, 4, 8\]"),
        ("fc6", (7 * 7 * 9, 16), (16,), r"fc6 has kernel \[7, 7, 9, 16\].*expected kernel \[7, 7, 8, 16\]"),
        ("fc7", (17, 16), (16,), r"fc7 has kernel \[1, 1, 17, 16\]"),
        ("fc6", (50, 16), (16,), r"fc6 has kernel \[50, 16\]"),
    ],
)
def test_wrong_shapes_are_named(tmp_path, name, kernel, bias, message):
    layers = dict(tiny_layers(), **{name: (np.zeros(kernel, np.float32), np.zeros(bias, np.float32))})
    np.save(str(tmp_path / "vgg.npy"), layers)
    with pytest.raises(WeightsError, match=message):
        read_weights(str(tmp_path / "vgg.npy"), 11)


def test_torch_files_of_other_nets_are_named(tmp_path, files):
    state = torch_state(files[11][0].layers, 11)
    with pytest.raises(WeightsError, match=r"features.1.running_mean: VGG nets with batch norm \(vgg\*_bn\)"):
        read_weights(write_torch_zip(tmp_path / "bn.pth", {"features.1.running_mean": np.zeros(2), **state}), 11)
    fewer = {name: array for name, array in state.items() if not name.startswith("features.3")}
    with pytest.raises(WeightsError, match=r"has 7 layers called features.N, unlike any VGG"):
        read_weights(write_torch_zip(tmp_path / "fewer.pth", fewer), 11)
    no_bias = {name: array for name, array in state.items() if name != "classifier.3.bias"}
    with pytest.raises(WeightsError, match="fc7 has no bias"):
        read_weights(write_torch_zip(tmp_path / "no_bias.pth", no_bias), 11)
    odd = dict(state, **{"classifier.0.weight": np.zeros((16, 50), np.float32)})
    with pytest.raises(WeightsError, match=r"classifier.0 takes 50 inputs, not a multiple of 7"):
        read_weights(write_torch_zip(tmp_path / "odd.pth", odd), 11)


def test_layers_given_twice_are_named(tmp_path):
    np.savez(str(tmp_path / "twice.npz"), conv1_1_W=np.zeros((3, 3, 3, 2)), conv1_1_weights=np.zeros((3, 3, 3, 2)))
    with pytest.raises(WeightsError, match="conv1_1 has two kernels"):
        read_weights(str(tmp_path / "twice.npz"), 11)
