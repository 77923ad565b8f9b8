"""When it may not be said that two nets agree: no evidence, little evidence, answers that are no numbers."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from blob_nets import CLASSES, blob_net, open_blob_net, write_blobs

from gradcam_tf1 import CompareOptions, GradCamGraph, compare_nets
from gradcam_tf1.errors import ManifestError, OptionError
from gradcam_tf1.tf_runtime import tf

LOOSE = CompareOptions(max_score_difference=1)


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    scenes = {f"{top}.png": [(0, top, 4, 8)] for top in range(0, 24, 4)}
    return str(write_blobs(tmp_path_factory.mktemp("six") / "photos", scenes))


def test_without_a_single_map_it_is_not_known(six, tmp_path):
    """Weights below zero: Grad-CAM is empty, whatever the nets look at."""
    with open_blob_net(weights=-100 * np.eye(3)) as a, open_blob_net(weights=-50 * np.ones((3, 3))) as b:
        found = compare_nets(
            a, b, six, str(tmp_path / "out"), options=CompareOptions(max_score_difference=1, min_class_agreement=0)
        )
    assert not found.agrees
    assert not found.differs
    assert not found.sure
    assert found.checks[2].n == 0
    assert found.verdict.startswith(
        "It is not known whether A and B agree: no image gives a similarity of gradcam maps"
    )
    assert "Not known." in (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")


def test_six_images_are_the_fewest_that_are_sure(blobs, six):
    assert compare_nets(blobs, blobs, six).sure
    found = compare_nets(blobs, blobs, f"{six}/0.png")
    assert (found.agrees, found.sure) == (True, False)
    assert "1 image cannot show that others agree too" in found.verdict


def test_few_maps_among_many_images_are_said(blobs, six, tmp_path):
    scenes = {f"{index}.png": [(0, 4, 4, 8)] if index == 0 else [] for index in range(8)}  # gray: no map
    found = compare_nets(blobs, blobs, str(write_blobs(tmp_path / "photos", scenes)))
    assert found.agrees
    assert not found.sure
    assert found.checks[2].n == 1
    assert "only 1 image of them gave a similarity of gradcam maps (Spearman)" in found.verdict


def test_probabilities_that_are_nan_are_no_answer(blobs, six):
    """A softmax written by hand overflows: exp(1000 * 3) / sum is NaN, while the logits are finite."""
    graph_def = blob_net(weights=3e4 * np.eye(3))
    del graph_def.node[-1]
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        powers = tf.exp(graph.get_tensor_by_name("logits:0"))
        tf.realdiv(powers, tf.reduce_sum(powers, -1, keepdims=True), name="prob")
    with GradCamGraph(graph.as_graph_def(), preset="zero-one", labels=CLASSES, layer="features:0") as broken:
        assert broken.binding.probabilities
        found = compare_nets(blobs, broken, six, options=LOOSE)
    assert (found.images, found.one_sided) == (0, 6)
    assert not found.agrees
    assert next(iter(found.rows))["no_answer"] == {"B": "its probabilities are NaN or infinite"}


@pytest.mark.parametrize(
    "change",
    [
        lambda row: {},
        lambda row: [row],
        lambda row: {**row, "same_class": "yes"},
        lambda row: {**row, "no_answer": {"C": "?"}},
        lambda row: {**row, "probability_difference": float("inf")},
        lambda row: {**row, "maps": {}},
        lambda row: {**row, "error": None, "distance": None},
    ],
)
def test_a_damaged_row_is_refused(blobs, six, tmp_path, change):
    out = tmp_path / "out"
    compare_nets(blobs, blobs, f"{six}/0.png", str(out), options=CompareOptions(shown=0))
    journal = out / "comparison.jsonl"
    head, row = journal.read_text(encoding="ascii").splitlines()
    journal.write_text(f"{head}\n{json.dumps(change(json.loads(row)))}\n", encoding="ascii")
    with pytest.raises(ManifestError, match="comparison.jsonl has a row that is damaged .*run without resume"):
        compare_nets(blobs, blobs, f"{six}/0.png", str(out), options=CompareOptions(resume=True, shown=0))


@pytest.mark.parametrize("name", ["comparison.json", "comparison.csv", "comparison.html"])
def test_files_of_others_are_not_overwritten(blobs, six, tmp_path, name):
    (tmp_path / name).write_text("mine", encoding="ascii")
    with pytest.raises(OptionError, match=f"{name}' would be overwritten, and there is no comparison.jsonl beside it"):
        compare_nets(blobs, blobs, f"{six}/0.png", str(tmp_path))
    assert (tmp_path / name).read_text(encoding="ascii") == "mine"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_journal_that_is_no_file_is_refused(blobs, six, tmp_path, make):
    make(str(tmp_path / "comparison.jsonl"))
    with pytest.raises(OptionError, match="comparison.jsonl' is no plain file"):
        compare_nets(blobs, blobs, f"{six}/0.png", str(tmp_path))
