"""A net with several outputs warns, and each output can be requested as the warning says."""

from __future__ import annotations

from dataclasses import replace

from attention_nets import AttentionNet
from binding_graphs import bound, dense, images, pooled, two_layers
from head_nets import opened, trunk

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.run.settings import net_warnings
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

# several outputs


def two_heads():
    x = pooled(trunk())
    tf.nn.softmax(dense(x, 2, 8, name="sex"), name="sex_prob")
    tf.nn.softmax(dense(x, 7, 8, name="age"), name="age_prob")


def test_several_outputs_are_said_first_and_can_be_chosen_as_written():
    with opened(two_heads) as net:
        warning = net.binding.warnings[0]
    assert "2 outputs and none was requested" in warning
    chosen, other = warning.split("'")[1], warning.split("'")[3]
    assert {chosen, other} == {"sex_prob:0", "age_prob:0"}
    name = warning.split("--output ")[1].split(" ")[0]
    assert name == other
    for asked in (chosen, other):
        with opened(two_heads, output=asked) as net:
            assert net.binding.logits == asked.replace("_prob:0", "/BiasAdd:0")
            assert not any("none was requested" in warning for warning in net.binding.warnings)


def test_a_tensor_that_only_lends_its_size_to_a_class_token_is_no_output():
    with GradCamGraph(AttentionNet(class_token=True).graph()) as net:
        assert net.binding.logits == "logits:0"
        assert not any("none was requested" in warning for warning in net.binding.warnings)


def test_the_warning_comes_before_those_of_the_model():
    with tf.Graph().as_default() as graph:
        two_heads()
    with GradCamGraph(replace(load(graph), notes=("a note of the loader",)), preset="zero-one") as net:
        told = net_warnings(net)
    assert "none was requested" in told[0]
    assert "a note of the loader" in told


def test_declared_outputs_are_listed_by_their_names(graph):
    x = pooled(two_layers(images()))
    prob = tf.nn.softmax(dense(x, 5, 8, name="kind"), name="prob")
    tf.argmax(prob, 1, name="classes")
    tf.nn.sigmoid(dense(x, 3, 8, name="marks"), name="marked")
    dense(x, 1, 8, name="price")
    names = ("prob:0", "classes:0", "marked:0", "price/BiasAdd:0")
    warning = bind(graph, declared_outputs=names).warnings[0]
    assert "3 outputs" in warning
    assert "'marked:0', 'price/BiasAdd:0'" in warning
    assert "classes:0" not in warning
    for name, scores in (("marked:0", "marks/BiasAdd:0"), ("price/BiasAdd:0", "price/BiasAdd:0")):
        assert bind(graph, declared_outputs=names, requested=KeyTensors(logits=name)).logits == scores


def test_outputs_of_one_set_of_scores_are_one_output(graph):
    prob = tf.nn.softmax(dense(pooled(two_layers(images())), 5, 8), name="prob")
    tf.argmax(prob, 1, name="classes")
    tf.nn.top_k(prob, 3, name="best")
    tf.reduce_max(prob, 1, name="confidence")
    assert bound(graph) == ("dense/BiasAdd:0", "prob:0")
    assert not any("outputs" in warning for warning in bind(graph).warnings)


def test_a_coarse_head_that_feeds_a_fine_one_can_be_asked_for(graph):
    x = pooled(two_layers(images()))
    coarse = tf.nn.softmax(dense(x, 3, 8, name="coarse"), name="coarse_prob")
    tf.nn.softmax(dense(tf.concat([x, coarse], 1), 9, 11, name="fine"), name="fine_prob")
    assert bound(graph) == ("fine/BiasAdd:0", "fine_prob:0")
    names = ("coarse_prob:0", "fine_prob:0")
    assert "2 outputs" in bind(graph, declared_outputs=names).warnings[0]
    assert bound(graph, requested=KeyTensors(logits="coarse_prob")) == ("coarse/BiasAdd:0", "coarse_prob:0")
