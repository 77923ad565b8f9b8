"""Tensor specs: what each names, and the errors for those that name nothing or several tensors."""

from __future__ import annotations

import pytest
from binding_graphs import classifier, conv_relu, dense, images, pooled, two_layers

from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        x = conv_relu(images(), 4, name="block1/conv1")
        x = conv_relu(x, 8, inputs=4, name="block1/conv2")
        tf.nn.softmax(dense(pooled(x), 5, 8, name="fc8"), name="prob")
        yield graph


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("prob:0", "prob:0"),
        ("prob", "prob:0"),
        ("  prob ", "prob:0"),
        ("block1/conv1", "block1/conv1/Relu:0"),
        ("block1/conv1/", "block1/conv1/Relu:0"),
        ("block1", "block1/conv2/Relu:0"),
        ("conv2", "block1/conv2/Relu:0"),
        ("conv2/Relu", "block1/conv2/Relu:0"),
        ("conv2/Relu:0", "block1/conv2/Relu:0"),
        ("fc8", "fc8/BiasAdd:0"),
        ("v1/Conv2D", "block1/conv1/Conv2D:0"),
    ],
)
def test_names_scopes_and_parts(graph, spec, name):
    assert find_tensor(graph, spec).name == name


def test_tensors_of_this_graph_and_of_its_original(graph):
    own = graph.get_tensor_by_name("fc8/BiasAdd:0")
    assert find_tensor(graph, own) is own
    with tf.Graph().as_default():
        copy = tf.zeros([1], name="prob")
    assert find_tensor(graph, copy) is graph.get_tensor_by_name("prob:0")


def test_other_outputs_of_an_op(graph):
    tf.split(graph.get_tensor_by_name("prob:0"), 5, axis=1, name="parts")
    assert find_tensor(graph, "parts:3").name == "parts:3"
    with pytest.raises(BindingError, match=r"no tensor 'parts:5': 'parts' \(Split\) has outputs 0 to 4"):
        find_tensor(graph, "parts:5")
    for number in ("x", "²", "-1"):
        with pytest.raises(BindingError, match=f"no tensor 'parts:{number}'"):
            find_tensor(graph, f"parts:{number}")


def test_weights_gradients_and_savers_do_not_count_as_parts(graph):
    tf.gradients(graph.get_tensor_by_name("fc8/BiasAdd:0"), graph.get_tensor_by_name("input:0"))
    assert find_tensor(graph, "conv1/B").name == "block1/conv1/BiasAdd:0"


def test_unknown_name_lists_outputs_and_near_names(graph):
    with pytest.raises(BindingError, match="no tensor 'fc9:0' in the graph; outputs found: 'prob:0'"):
        find_tensor(graph, "fc9:0")
    with pytest.raises(BindingError, match="similar: 'prob:0'"):
        find_tensor(graph, "Prob")
    with pytest.raises(BindingError, match="similar: .*'block1/conv2/Relu:0'"):
        find_tensor(graph, "block1/conv2/Rellu")


def test_tensor_of_a_stranger(graph):
    with tf.Graph().as_default():
        stranger = tf.zeros([1], name="block1")
    with pytest.raises(BindingError, match="no tensor 'block1:0' in the graph"):
        find_tensor(graph, stranger)


def test_ambiguous_part_lists_all(graph):
    with pytest.raises(
        BindingError, match="'Conv' fits several tensors: 'block1/conv1/Conv2D:0', 'block1/conv2/Conv2D:0'"
    ):
        find_tensor(graph, "Conv")
    with pytest.raises(BindingError, match="'Relu' fits several tensors"):
        find_tensor(graph, "Relu")


def test_ambiguous_scope_lists_its_outputs():
    with tf.Graph().as_default() as graph:
        x = two_layers(images())
        conv_relu(x, 4, inputs=8, name="heads/left")
        conv_relu(x, 4, inputs=8, name="heads/right")
    with pytest.raises(BindingError, match="'heads' fits several tensors: 'heads/left/Relu:0', 'heads/right/Relu:0'"):
        find_tensor(graph, "heads")


def test_many_candidates_are_counted():
    with tf.Graph().as_default() as graph:
        x = images()
        for k in range(12):
            x = tf.nn.relu(x, name=f"act{k}")
    with pytest.raises(BindingError, match="'act7:0' and 4 more; give the full name of one"):
        find_tensor(graph, "ac")


@pytest.mark.parametrize("spec", [None, 3.5, "", object()])
def test_what_is_no_name(graph, spec):
    with pytest.raises(BindingError, match="names no tensor; give a tf.Tensor or a name such as"):
        find_tensor(graph, spec)


def test_op_without_output(graph):
    tf.no_op(name="init")
    with pytest.raises(BindingError, match=r"'init' is the op 'init' \(NoOp\), which has no output"):
        find_tensor(graph, "init")


def test_empty_graph():
    with pytest.raises(BindingError, match="no tensor 'prob' in the graph; the graph has no outputs"):
        find_tensor(tf.Graph(), "prob")


def test_classifier_outputs_are_found_last_first():
    with tf.Graph().as_default() as graph:
        prob = classifier(images())
        tf.argmax(prob, 1, name="classes")
        tf.identity(prob, name="copy")
    with pytest.raises(BindingError, match="outputs found: 'copy:0'"):
        find_tensor(graph, "nothing")
