"""The best and the worst images of a page: by hand."""

from __future__ import annotations

import pytest

from gradcam_tf1.evaluation.extreme_images import SHOWN, extremes


def rows(*values):
    return [
        {
            "index": index,
            "error": "damaged" if value == "bad" else None,
            "values": {} if value == "bad" else {"gradcam": {"pointing": {"value": value}}},
        }
        for index, value in enumerate(values)
    ]


def numbers(items):
    return [item.image for item in items]


@pytest.mark.parametrize(("better", "best", "worst"), [("higher", [3, 1], [4, 0]), ("lower", [4, 0], [3, 1])])
def test_the_ends_by_the_way_that_is_better(better, best, worst):
    found = extremes(rows(0.2, 0.8, "bad", 0.9, 0.1, None), "gradcam", "pointing", better)
    assert numbers(found[0]) == best
    assert numbers(found[1]) == worst


def test_equal_values_have_no_ends():
    assert extremes(rows(1.0, 1.0, 1.0, 1.0), "gradcam", "pointing", "higher") == ([], [])


def test_hits_and_misses_are_not_mixed():
    found = extremes(rows(*[1.0] * 9, 0.0, 1.0), "gradcam", "pointing", "higher")
    assert numbers(found[0]) == [0, 1, 2, 3]
    assert numbers(found[1]) == [9]


def test_only_a_few_are_kept():
    found = extremes(rows(*[n / 100 for n in range(100)]), "gradcam", "pointing", "higher")
    assert numbers(found[0]) == [99, 98, 97, 96][:SHOWN]
    assert numbers(found[1]) == [0, 1, 2, 3][:SHOWN]


def test_nothing_without_values():
    assert extremes(rows("bad", None), "gradcam", "pointing", "higher") == ([], [])
