"""Targets become codes; every wrong kind of target is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import TargetError
from gradcam_tf1.labels import Labels
from gradcam_tf1.scoring.score_requests import TargetContext, make_requests
from gradcam_tf1.targets import Anchor, Region, Top

LABELS = Labels(["cat", "dog", "star"], 0)


@pytest.mark.parametrize(
    ("targets", "codes"),
    [
        (None, [[-1], [-1]]),
        (0, [[0], [0]]),
        (np.int64(2), [[2], [2]]),
        ("star", [[2], [2]]),
        ([0, "dog"], [[0, 1], [0, 1]]),
        ([[0, 1], ["star", 0]], [[0, 1], [2, 0]]),
        (np.array([[1], [0]]), [[1], [0]]),
    ],
)
def test_codes(targets, codes):
    requests = make_requests(targets, 2, TargetContext(3, LABELS))
    got = np.stack([request.values["code"] for request in requests], axis=1)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, codes)
    assert {(request.score, request.about) for request in requests} == {(("logit",), "")}


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (3, "no class 3: the net has 3 classes, ids 0 to 2"),
        (-1, "no class -1"),
        ([0, 7], "no class 7"),
        (1.5, "target 1.5 is a float"),
        ([1.5], "target 1.5 is a float"),
        ([True], "target True is a bool"),
        ([], "give a class id, a class name"),
        ([0, [1]], "give a class id, a class name"),
        ([[0], [1], [2]], "one row for each of the 2 images.*given: 3 rows"),
        ([[0], [1, 2]], "lengths \\[1, 2\\]"),
        ([[], []], "one row for each"),
        ("unicorn", "unicorn"),
        (Top("3"), r"Top\('3'\): the net has 3 classes; give a whole number, 1 to 3"),
        (Top(True), r"Top\(True\): .* give a whole number"),
        (Anchor(0, index="a"), r"Anchor\(index='a'\): give the number of one anchor, counted from 0"),
        (Anchor(0, best=1.5), r"Anchor\(best=1.5\): give the number of anchors to sum, at least 1"),
        (Region(0, point=5), r"Region\(point=5\): give \(row, column\) in pixels"),
    ],
)
def test_wrong_targets_are_named(targets, message):
    with pytest.raises(TargetError, match=message):
        make_requests(targets, 2, TargetContext(3, LABELS))


def test_a_name_needs_labels():
    with pytest.raises(TargetError, match="no labels were given"):
        make_requests("cat", 1, TargetContext(3))


def test_an_ambiguous_name_lists_its_ids():
    labels = Labels(["crane", "dog", "crane"], 0)
    with pytest.raises(TargetError, match=r"0.*2"):
        make_requests("crane", 1, TargetContext(3, labels))
