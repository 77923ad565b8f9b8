"""`compare`: what it prints and writes, its exit codes, and the options of the second model."""

from __future__ import annotations

import csv
import json
import re

import pytest
from blob_nets import CLASSES, blob_net, write_blobs
from command_line import command

from gradcam_tf1.cli import main

OWN = ("--preset", "zero-one", "--layer", "features:0")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """a.pb, b.pb, which takes blue for red, their labels, and photos/."""
    folder = tmp_path_factory.mktemp("desk")
    weights = [[0, 0, 100], [0, 100, 0], [100, 0, 0]]
    for name, options in (("a", {}), ("b", {"weights": weights}), ("large", {"side": 64})):
        (folder / f"{name}.pb").write_bytes(blob_net(**options).SerializeToString())
    (folder / "a.txt").write_text("\n".join(CLASSES))
    (folder / "b.txt").write_text("\n".join(CLASSES[::-1]))
    write_blobs(folder / "photos", {"red.png": [(0, 4, 4, 8)], "green.png": [(1, 4, 20, 8)]})
    return folder


def compare(desk, b, *options, code):
    return command("compare", desk / "a.pb", desk / f"{b}.pb", desk / "photos", *options, code=code)


def test_a_model_agrees_with_itself(desk, tmp_path):
    out = tmp_path / "out"
    text = compare(desk, "a", *OWN, "--labels", desk / "a.txt", "--out", out, code=0)
    assert "  images with the same top class                   1\n" in text
    assert "  ok    similarity of gradcam maps (Spearman): 1, at least 0.9\n" in text
    assert "A and B agree on 2 images within the tolerances. But 2 images cannot show that others agree too" in text
    assert f"give six or more.\nreport: {out / 'comparison.html'}\n" in text
    found = json.loads((out / "comparison.json").read_text())
    assert (found["agrees"], found["images"], found["settings"]["a_kind"]) == (True, 2, "frozen graph")
    rows = list(csv.DictReader((out / "comparison.csv").open(encoding="utf-8")))
    assert [(row["image"], row["name_a"], row["gradcam_same_iou"]) for row in rows] == [
        ("green.png", "green", "1.0"),
        ("red.png", "red", "1.0"),
    ]
    quiet = compare(desk, "a", *OWN, "--quiet", code=0)
    assert quiet.startswith("A and B agree on 2 images within the tolerances.")
    assert quiet.count("\n") == 1


def test_models_that_differ_end_with_1_and_tolerances_decide(desk):
    text = compare(desk, "b", *OWN, code=1)
    assert "FAIL  class agreement: 0.5, at least 0.99\n" in text
    assert text.endswith("above 0.05; the similarity of gradcam maps (Spearman) is 0.5, below 0.9.\n")
    limits = ("--min-class-agreement", 0.5, "--max-score-difference", 1, "--min-map-similarity", 0)
    assert "A and B agree on 2 images" in compare(desk, "b", *OWN, *limits, code=0)


def test_labels_of_the_second_model_match_its_classes(desk):
    labels = ("--labels", desk / "a.txt", "--b-labels", desk / "b.txt")
    compare(desk, "b", *OWN, *labels, code=0)
    compare(desk, "b", *OWN, *labels[:2], code=1)
    # without names for B, ids are compared
    assert "only A has class names" in compare(desk, "b", *OWN, *labels[:2], "--b-labels", "", code=1)


def test_options_of_one_model(desk):
    compare(desk, "a", *OWN, "--bgr", code=0)
    compare(desk, "a", *OWN, "--bgr", "--no-b-bgr", "--b-preset", "zero-one", code=1)
    compare(desk, "a", *OWN, "--bgr", "--b-preset", "zero-one", code=1)  # one option of pixels replaces all
    assert "B, " in compare(desk, "a", *OWN, "--b-logits", "no/such:0", code=2)
    compare(desk, "a", *OWN, "--logits", "logits:0", "--b-logits", "", "--b-layer", "-1", code=0)
    sizes = ("--map-measure", "ssim", "--size", "32", "--b-size")
    compare(desk, "large", *OWN, *sizes, "", code=0)
    assert "the net's input has height 64, not 32" in compare(desk, "large", *OWN, "--size", "32", code=2)
    compare(desk, "a", *OWN, "--trust-model", "--no-b-trust-model", code=0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--preset", "zero-one", "--layer", "-1", "--layer", "-2"), "explains one layer of each model"),
        ((), "A, .*the model does not show its preprocessing"),
        (("--preset", "zero-one", "--b-preset", "zero"), "zero"),
        ((*OWN, "--min-class-agreement", "2"), "not in the range"),
        ((*OWN, "--resume"), "give out_folder"),
        ((*OWN, "--method", "cam", "--set", "rise.masks=3"), "add --method rise"),
    ],
)
def test_usage_ends_with_2(desk, options, told):
    assert re.search(told, compare(desk, "a", *options, code=2), re.DOTALL)


def test_every_option_of_a_model_has_a_form_for_b():
    flags = {flag for param in main.commands["compare"].params for flag in param.opts}
    of_model = {flag for param in main.commands["inspect"].params for flag in param.opts if flag[2:] and flag[0] == "-"}
    assert {flag for flag in of_model & flags if f"--b-{flag[2:]}" not in flags} == set()
    assert {"--b-input", "--b-preset", "--b-labels", "--b-fit", "--b-size", "--b-bgr", "--b-tag"} <= flags
