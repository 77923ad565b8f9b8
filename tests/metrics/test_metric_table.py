"""The table of metrics: choices and options, and what every row says of maps that cannot be measured."""

from __future__ import annotations

import inspect
import pickle
import re

import numpy as np
import pytest
from metric_cases import WEIGHTS, ZEROS, constant, linear, metric_input

from gradcam_tf1 import METHOD_GROUPS, METHODS, METRICS, OptionError, metric
from gradcam_tf1.metrics.metric_choices import choose_metrics
from gradcam_tf1.metrics.metric_row import EXPLAIN, HIGHER, LOWER, REGION, SCORE

CONFIDENCE = ("average_drop", "increase", "gain")
ORDERS = ("deletion", "insertion", "road", "road_morf", "road_lerf", "sensitivity_n", "faithfulness_correlation")
COMPACT = ("complexity", "sparseness")
NAMES = (*CONFIDENCE, *ORDERS, "infidelity", "max_sensitivity", *COMPACT, "adcc")
NAN = float("nan")
UNEVEN = np.array([[[1.0], [0.5]], [[0.25], [0.75]]], np.float32)


def measured(name, given, **options):
    return METRICS[name].compute(given, **METRICS[name].filled(options))


def times_weights(images):
    return images[..., 0] * WEIGHTS


def test_the_rows_are_these():
    assert {name for name, row in METRICS.items() if REGION not in row.needs} == set(NAMES)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_row_says_what_it_is(name):
    row = METRICS[name]
    assert row.name == name
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert name not in METHODS
    assert name not in METHOD_GROUPS
    assert row.paper.startswith("https://")
    assert row.better in (HIGHER, LOWER, "")
    assert set(row.needs) <= {SCORE, EXPLAIN, REGION}
    low, high = row.bounds
    assert low is None or high is None or low < high
    for option in row.options:
        option.check(name, option.default)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_passes_its_options_on(name):
    """Each option of the row is an argument of the function, or the name of its baseline, with the same default."""
    module = inspect.getmodule(METRICS[name].compute)
    parameters = inspect.signature(getattr(module, name)).parameters
    for option in METRICS[name].options:
        assert option.name == "baseline" or parameters[option.name].default == option.default, option.name
    assert ("fill" in parameters) == any(option.name == "baseline" for option in METRICS[name].options)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_that_can_be_measured_has_a_value_within_bounds(name):
    given = metric_input(WEIGHTS, explain=times_weights, image=UNEVEN)
    value = measured(name, given)
    assert np.isfinite(value.value)
    assert value.reason == ""
    low, high = METRICS[name].bounds
    assert low is None or value.value >= low
    assert high is None or value.value <= high
    repeated = measured(name, given)
    assert repeated.value == value.value


CONSTANT = np.ones((2, 2))
ZERO = np.zeros((2, 2))
NEGATIVE = np.array([[-1.0, -2.0], [-3.0, -4.0]])
DEGENERATE = {
    "NaN": (np.array([[1, NAN], [0, 0]]), {}),
    "infinite": (np.array([[1, np.inf], [0, 0]]), {}),
    # all of the image is shown: nothing is lost; the noise of the image that follows it changes nothing
    "constant": (CONSTANT, {"average_drop": 0, "increase": 0, "sparseness": 0, "complexity": np.log(4)}),
    # nothing is shown
    "zero": (ZERO, {"average_drop": 1, "increase": 0}),
    "one pixel": (np.ones((1, 1)), {"average_drop": 0, "increase": 0, "sparseness": 0, "complexity": 0}),
}
# of a map of zeros infidelity is the mean of the squared changes, of constant ones what a constant can explain
FINITE = {("infidelity", kind) for kind in ("constant", "zero", "one pixel")}
FINITE |= {("max_sensitivity", kind) for kind in ("constant", "one pixel")}


@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize("name", NAMES)
def test_a_degenerate_map_has_a_known_value_or_a_reason(name, kind):
    saliency, known = DEGENERATE[kind]
    score = linear if saliency.size == 4 else lambda images: 0.9 * images[:, 0, 0, 0]
    given = metric_input(saliency, score, explain=lambda images: images[..., 0])
    value = measured(name, given)
    if name in known:
        assert value.value == pytest.approx(known[name], abs=1e-6)
    elif name == "gain" and kind == "one pixel":
        assert value.value == 0
    elif (name, kind) in FINITE:
        assert np.isfinite(value.value)
    else:
        assert np.isnan(value.value)
    assert bool(value.reason) == bool(np.isnan(value.value))


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_map_is_measured_as_any_other(name):
    """Its order is known; what shows only positive values shows nothing."""
    value = measured(name, metric_input(NEGATIVE, explain=lambda images: images[..., 0] * NEGATIVE))
    if name == "gain":
        assert "is 1" in value.reason
    elif name == "adcc":
        assert "the map of the masked image is constant" in value.reason
    else:
        assert np.isfinite(value.value)
    if name == "average_drop":
        assert value.value == 1


@pytest.mark.parametrize("name", [name for name in NAMES if SCORE in METRICS[name].needs])
def test_a_probability_of_0_has_a_known_value_or_a_reason(name):
    value = measured(name, metric_input(WEIGHTS, constant(0.0), explain=times_weights))
    zero = ("increase", "gain", "deletion", "insertion", "road", "road_morf", "road_lerf", "infidelity")
    if name in zero:
        assert value.value == 0
    else:
        assert np.isnan(value.value)
        assert value.reason


@pytest.mark.parametrize("name", [name for name in NAMES if SCORE in METRICS[name].needs])
def test_rows_keep_to_the_chunk(name):
    sizes = []
    given = metric_input(WEIGHTS, lambda x: [sizes.append(len(x)), linear(x)][1], explain=times_weights, chunk=3)
    measured(name, given)
    assert sizes
    assert max(sizes) <= 3


def test_a_seed_reaches_the_random_numbers():
    tied = np.array([[1.0, 0], [0, 0]])
    for name in ("deletion", "insertion", "road", "road_morf", "road_lerf", "infidelity", "max_sensitivity"):
        inputs = [metric_input(tied, explain=times_weights, image=UNEVEN, seed=seed) for seed in range(8)]
        assert len({measured(name, given).value for given in inputs}) > 1, name


def test_a_baseline_is_taken_by_name():
    asked = []
    named = metric_input(WEIGHTS, baseline=lambda name: [asked.append(name), ZEROS][1])
    measured("insertion", named)
    measured("insertion", named, baseline="black")
    measured("sensitivity_n", named)
    assert asked == ["blur", "black", "zero"]


def test_a_choice_reads_as_it_is_written_and_is_compared_by_its_options():
    choice = metric("insertion", steps=9, baseline="zero")
    assert repr(choice) == "metric('insertion', baseline='zero', steps=9)"
    assert choice == metric("insertion", baseline="zero", steps=9)
    assert choice != metric("insertion", steps=9)
    assert len({choice, metric("insertion", steps=9, baseline="zero")}) == 1
    assert pickle.loads(pickle.dumps(choice)) == choice  # noqa: S301


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ("road", {"road": {}}),
        (metric("deletion", steps=9), {"deletion": {"steps": 9}}),
        (["road", metric("deletion", steps=9), "road"], {"road": {}, "deletion": {"steps": 9}}),
        ([metric("deletion", steps=50), "deletion"], {"deletion": {"steps": 50}}),  # the default, written out
        ({"deletion": {"steps": 9}, "gain": {}}, {"deletion": {"steps": 9}, "gain": {}}),
    ],
    ids=str,
)
def test_what_people_write_becomes_names_and_options(given, chosen):
    assert choose_metrics(given) == chosen
    assert list(choose_metrics(given)) == list(chosen)
    assert choose_metrics(choose_metrics(given)) == chosen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("rode", "no metric 'rode'; possible: average_drop, increase, .*, adcc"),
        ([], "no metric is given; possible: average_drop, "),
        (5, "metrics are 5; give a name or a list of these: average_drop, "),
        (None, "metrics are None; give a name or a list"),
        ([5], "no metric 5; possible: average_drop, "),
        ([["road"]], r"no metric \['road'\]; possible: "),
        (["deletion", metric("deletion", steps=9)], "deletion is given twice with different options; measure each"),
        ({"road": 5}, "or metric -> its options: {'road': {}}"),
        ({"deletion": {"step": 5}}, "deletion does not take 'step'; it takes steps=50, baseline='mean'"),
        ({"deletion": {"steps": 0}}, "deletion.steps is a whole number at least 1, not 0; its default is 50"),
        ({"deletion": {"baseline": "grey"}}, "deletion.baseline is one of zero, black, white, mean, blur, random, not"),
        ({"deletion": {"baseline": 0.5}}, "deletion.baseline is one of zero, black, white, mean, blur, random, not"),
        ({"gain": {"scaling": "minimax"}}, "gain.scaling is one of max, minmax, not 'minimax'"),
    ],
    ids=str,
)
def test_what_cannot_be_chosen_is_said(given, message):
    with pytest.raises(OptionError, match=message):
        choose_metrics(given)
