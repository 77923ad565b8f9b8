"""A method is only called better when it is: means, decisions and sentences from made-up rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gradcam_tf1.evaluation.evaluation_result import Evaluation
from gradcam_tf1.evaluation.summary import Tallies
from gradcam_tf1.evaluation.table_cells import cell, finding, findings, number, table_lines

FLOORS = ("random",)


def made(values, metric="insertion", **more):
    """The result of a metric for these values: name -> one for each image."""
    return evaluated(values, metric, **more).results[metric]


def evaluated(values, metric="insertion", class_ids=None):
    names = list(values)
    tallies = Tallies(names, [metric])
    count = len(values[names[0]])
    for n in range(count):
        tallies.add_all([row(n, {name: values[name][n] for name in names}, metric, (class_ids or [0] * count)[n])])
    result = tallies.result(metric, FLOORS, 0, 0.95)
    methods = tuple(name for name in names if name not in FLOORS)
    floors = tuple(name for name in names if name in FLOORS)
    return Evaluation(methods, floors, {metric: result}, {}, tallies.counts, tuple(tallies.failures), {})


def row(index, values, metric, class_id=0):
    found = {
        name: {metric: {"value": None if np.isnan(value) else value, **({"reason": "none"} if np.isnan(value) else {})}}
        for name, value in values.items()
    }
    return {"index": index, "error": None, "class_id": class_id, "located": True, "why_not": "", "values": found}


def noise(seed, count=40):
    return np.random.RandomState(seed).normal(size=count)


def test_a_method_that_is_better_is_called_better():
    base = noise(0)
    result = made({"gradcam": base + 1, "layercam": base + 0.5 + 0.1 * noise(1), "random": base})
    assert result.best == "gradcam"
    assert result.is_better("gradcam", "layercam")
    assert result.is_better("layercam", "random")
    assert result.intervals["gradcam"].mean == pytest.approx(base.mean() + 1)


def test_overlapping_intervals_do_not_hide_a_paired_difference():
    """The images differ much more than the methods: only the pairs show which is better."""
    base = 100 * noise(0)
    result = made({"gradcam": base + 1 + 0.1 * noise(1), "layercam": base, "random": base - 5})
    one, other = result.intervals["gradcam"], result.intervals["layercam"]
    assert one.low < other.high
    assert result.best == "gradcam"


def test_chance_is_not_called_better():
    """Of 40 evaluations of methods that are the same but for chance, hardly one names a best."""
    named = [made({name: noise(10 * n + k, 12) for k, name in enumerate("abc")}).best for n in range(40)]
    assert sum(name is not None for name in named) <= 2


def test_lower_is_better_where_the_metric_says_so():
    base = noise(0)
    result = made({"gradcam": base - 1, "layercam": base + 0.1 * noise(1), "random": base + 1}, metric="deletion")
    assert (result.best, result.better) == ("gradcam", "lower")
    assert result.is_better("layercam", "random")
    assert not result.is_better("random", "layercam")


def test_a_method_below_the_floor_is_not_best_and_neither_is_the_floor():
    base = noise(0)
    result = made({"gradcam": base, "layercam": base - 1, "random": base + 1})
    assert result.best is None
    assert result.is_better("random", "gradcam")
    found = evaluated({"gradcam": base, "layercam": base - 1, "random": base + 1})
    assert finding(found.results["insertion"], found) == (
        "Insertion: gradcam has the best mean of the methods, but random is better (40 images)."
    )


def test_two_images_decide_nothing():
    result = made({"gradcam": [1.0, 1.0], "layercam": [0.0, 0.0], "random": [0.0, 0.0]})
    assert result.best is None


def test_images_without_a_value_are_left_out_of_means_and_pairs():
    values = noise(0)
    gaps = values.copy()
    gaps[::4] = np.nan
    result = made({"gradcam": gaps, "random": values})
    assert result.intervals["gradcam"].n == 30
    assert result.intervals["gradcam"].mean == pytest.approx(np.nanmean(gaps))
    assert result.pairs[0].difference.n == 30
    assert result.reasons == {"gradcam": {"none": 10}}


def test_means_of_classes():
    found = evaluated({"gradcam": [1.0, 2.0, 4.0], "random": [0.0, 0.0, 1.0]}, class_ids=[5, 7, 7])
    classes = found.results["insertion"].classes
    assert list(classes) == [7, 5]
    assert (classes[7].n, classes[7].means) == (2, {"gradcam": 3.0, "random": 0.5})
    assert classes[5].label == "class 5"


def test_the_table_has_the_floors_below_and_a_star_for_the_best():
    base = noise(0)
    found = evaluated({"gradcam": base + 9, "layercam": base + 1, "random": base})
    lines = table_lines(found)
    assert lines.head == ("method", "insertion (higher)")
    assert [line[0] for line in lines.methods] == ["gradcam", "layercam"]
    assert [line[0] for line in lines.floors] == ["random"]
    assert lines.methods[0][1].endswith(" *")
    assert not cell(found.results["insertion"], "layercam").endswith("*")
    assert finding(found.results["insertion"], found) == (
        "Insertion: gradcam is better than every other method and floor."
    )


def test_json_has_no_nan():
    found = evaluated({"gradcam": [np.nan] * 3, "random": [1.0, 2.0, 3.0]})
    text = json.dumps(found.as_json(), allow_nan=False)
    assert json.loads(text)["metrics"]["insertion"]["means"]["gradcam"]["mean"] is None
    assert cell(found.results["insertion"], "gradcam") == "no value"


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.500"), (1234.567, "1234.6"), (float("nan"), "no value")])
def test_numbers(value, text):
    assert number(value) == text


def test_maps_without_a_value_do_not_keep_a_method_from_being_best():
    """Floors have no max-sensitivity, so they are no rivals, and not among the pairs to correct for."""
    few = np.arange(8.0)
    without = np.full(8, np.nan)
    found = evaluated({"gradcam": few, "layercam": few + 1 + 0.1 * few, "random": without}, "max_sensitivity")
    result = found.results["max_sensitivity"]
    assert result.best == "gradcam"
    assert len(result.pairs) == 1
    expected = "Max-sensitivity: gradcam is better than every other method and floor that has a value; random has none."
    assert finding(result, found) == expected
    alone = evaluated({"gradcam": few, "random": without}, "max_sensitivity")
    assert "gradcam is the only one with a value" in finding(alone.results["max_sensitivity"], alone)


def test_the_last_digits_decide_nothing():
    """Two methods that are the same on a net differ by rounding, maybe the same way on all images."""
    base = 1 + 0.1 * noise(0)
    result = made({"gradcam": base * (1 + 1e-7), "hirescam": base, "random": base - 0.5}, "energy")
    assert result.best is None
    assert not result.is_better("gradcam", "hirescam")
    assert result.is_better("gradcam", "random")
    assert result.is_better("hirescam", "random")


def test_a_floor_that_is_ahead_is_named():
    """The sentence must not say that a method has the best mean where a floor has a better one."""
    base = noise(0, 12)
    found = evaluated({"gradcam": base, "layercam": base - 0.001 * noise(1, 12), "random": base + 1})
    text = finding(found.results["insertion"], found)
    assert "has the best mean of the methods, but it is not decided that it is better than" in text
    assert text.endswith(", and random is better (12 images).")
    found = evaluated({"gradcam": base, "random": base + 1})
    expected = "Insertion: gradcam has the best mean of the methods, but random is better (12 images)."
    assert finding(found.results["insertion"], found) == expected
    found = evaluated({"gradcam": base, "random": base + 0.1 * noise(1, 12) - 0.001})
    assert "is not decided that it is better than random (12 images)" in finding(found.results["insertion"], found)


def test_a_mean_of_fewer_images_is_marked():
    """A method with empty maps on hard images has the mean of the easy ones."""
    hard = np.array([1.0, 1.0, np.nan, np.nan])
    found = evaluated({"gradcam": hard, "layercam": np.array([1, 1, 0.1, 0.1]), "random": np.array([0.9, 0.9, 0, 0])})
    result = found.results["insertion"]
    assert cell(result, "gradcam") == "1.000 [1.000, 1.000] (2 images)"
    assert cell(result, "random").endswith("]")
    expected = "gradcam (2 of 4 images). Pairs are compared on the same images."
    assert findings(found)[1] == f"Insertion: means of fewer images than the others: {expected}"
    assert len(findings(evaluated({"gradcam": noise(0), "random": noise(1)}))) == 1
