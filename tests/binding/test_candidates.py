"""Every report lists the candidates, also if the choice fails, and naming a candidate works."""

from __future__ import annotations

import json

import pytest
from binding_graphs import classifier, dense, images, pooled, two_layers
from command_line import command
from further_nets import with_meta

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.candidates import find_candidates
from gradcam_tf1.errors import BindingError, FeedError
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def names(found):
    return [item.name for item in found]


def test_all_inputs_scores_and_layers_are_candidates(graph):
    first = pooled(two_layers(images(name="left")))
    with tf.name_scope("second"):
        second = pooled(two_layers(images(name="right")))
    with tf.name_scope("numbers"):
        rows = tf.placeholder(tf.float32, [None, 4], name="rows")
    joined = tf.concat([first, second, rows], 1)
    tf.nn.softmax(dense(joined, 5, 20, name="kind"), name="kinds")
    tf.nn.sigmoid(dense(joined, 2, 20, name="flags"), name="is")
    found = find_candidates(graph)
    assert names(found.input) == ["left:0", "second/right:0", "numbers/rows:0"]
    assert [item.fits for item in found.input] == [True, True, False]
    assert names(found.logits)[:2] == ["kind/BiasAdd:0", "flags/BiasAdd:0"]
    assert names(found.layer) == ["conv2/Relu:0", "conv1/Relu:0"]
    assert found.layer[0].shape == (None, 16, 16, 8)


def broken(graph, **requested):
    with pytest.raises(BindingError) as caught:
        bind(graph, requested=KeyTensors(**requested))
    return caught.value


def test_an_error_carries_them_and_says_the_first(graph):
    classifier(images())
    for spec in ("nope", "dense"):
        error = broken(graph, input=spec)
        assert names(error.found.input) == ["input:0"]
        text = str(error)
        assert text.count("candidates are") == 1
        assert "--input 'input:0'; --logits 'dense/BiasAdd:0', 'prob:0'; --layer 'conv2/Relu:0', 'conv1/Relu:0'" in text
        assert "\n" not in text


def test_more_than_a_few_are_counted(graph):
    for number in range(6):
        with tf.name_scope(f"net{number}"):
            classifier(images())
    text = str(broken(graph, input="nope"))
    assert "--input 'net0/input:0', 'net1/input:0', 'net2/input:0' and 3 more" in text


def test_values_that_are_missing_are_no_matter_of_names():
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(with_meta(), name="")
    with pytest.raises(FeedError) as caught:
        bind(graph)
    assert "candidates" not in str(caught.value)
    assert names(caught.value.found.input) == ["input:0", "meta:0"]


def save(path, build):
    with tf.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return str(path)


UNDECIDED = {
    "rows of numbers": lambda: tf.nn.softmax(dense(images(None, 8, name="rows"), 3, 8)),
    "nothing": lambda: tf.constant(3.0),
    "text": lambda: tf.identity(tf.placeholder(tf.string, [None], name="text")),
    "integers": lambda: tf.argmax(tf.placeholder(tf.int32, [None, 8]), 1),
    "no scores": lambda: tf.reduce_sum(two_layers(images())),
    "a loop": lambda: tf.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.placeholder(tf.int32, [])]),
}


@pytest.mark.parametrize("kind", sorted(UNDECIDED))
def test_inspect_lists_them_where_it_cannot_decide(tmp_path, kind):
    model = save(tmp_path / "model.pb", UNDECIDED[kind])
    text = command("inspect", model, code=2)
    assert text.count(" can name:") + text.count("no candidate for --") == 3
    assert "Error: " in text
    report = json.loads(command("inspect", model, "--json", code=2).rpartition("}")[0] + "}")
    assert sorted(report["candidates"]) == ["input", "layer", "logits"]
    assert report["error"]


def test_inspect_lists_them_where_it_decides():
    text = command("inspect", demo_model())
    for option in ("input", "logits"):
        assert f"that --{option} can name:" in text
    report = json.loads(command("inspect", demo_model(), "--json"))
    assert report["input"] in [item["name"] for item in report["candidates"]["input"]]
    assert report["logits"] in [item["name"] for item in report["candidates"]["logits"]]
    assert report["layer"] == report["candidates"]["layer"][0]["name"]
    assert not any(item["name"].startswith("gradcam_tf1/") for part in report["candidates"].values() for item in part)


def test_each_that_fits_can_be_named(tmp_path):
    def build():
        left, right = (two_layers(images(name=name)) for name in ("left", "right"))
        tf.nn.softmax(dense(tf.concat([pooled(left), pooled(right)], 1), 5, 16), name="prob")

    model = save(tmp_path / "model.pb", build)
    feed = {"left:0": ("--feed", "right:0=0"), "right:0": ("--feed", "left:0=0")}
    report = json.loads(command("inspect", model, "--json", *feed["left:0"]))
    assert [item["name"] for item in report["candidates"]["input"]] == ["left:0", "right:0"]
    for name, options in feed.items():
        assert json.loads(command("inspect", model, "--json", "--input", name, *options))["input"] == name
    for key in ("logits", "layer"):
        for item in report["candidates"][key]:
            command("inspect", model, f"--{key}", item["name"], *feed["left:0"])
