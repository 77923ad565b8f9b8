"""The ranking, on answers that are made up so that the right order is known."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.diagnosis.net_answers import Answers, views
from gradcam_tf1.diagnosis.preset_candidates import PresetCandidate, candidates
from gradcam_tf1.diagnosis.preset_ranking import LEAST_IMAGES, PresetTrial, rank
from gradcam_tf1.images.preprocessing import PRESETS

N = 40
DRAW = np.random.RandomState(0)
TRUTH = np.arange(N) % 4


def sure(classes, top):
    """Probabilities with this one at each image's class."""
    rest = (1 - top) / 3
    return np.where(np.arange(4) == np.asarray(classes)[:, np.newaxis], top, rest)


def trial(name, *probabilities, shown=False, **moments):
    return PresetTrial(
        PresetCandidate(name, ("--preset", name), PRESETS["raw"]), shown, [Answers(p, **moments) for p in probabilities]
    )


STEADY = trial("steady", *[sure(TRUTH, 0.7)] * 5)
ERRATIC = trial("erratic", *[sure(DRAW.randint(0, 4, N), 0.9999) for _ in range(5)])
SAME = trial("same", *[sure(np.zeros(N, int), 0.99)] * 5)
BROKEN = trial("broken", *[np.full((N, 4), np.nan)] * 5)


def names(rows):
    return [row.candidate.name for row in rows]


def test_steady_answers_are_better_than_confident_ones():
    rows = rank([BROKEN, ERRATIC, SAME, STEADY], None, None)
    assert names(rows) == ["steady", "same", "erratic", "broken"]
    assert not any(row.tied for row in rows)
    # steady: each pair of views gives sum p (log p - log 1/4)
    expected = 0.7 * np.log(0.7 * 4) + 0.3 * np.log(0.1 * 4)
    assert rows[0].agreement == pytest.approx(expected)
    assert rows[1].agreement == pytest.approx(0)
    assert rows[0].top == pytest.approx(0.7)
    assert rows[0].entropy == pytest.approx(-0.7 * np.log(0.7) - 0.3 * np.log(0.1))
    assert [row.changed for row in rows] == pytest.approx([0, 0.75, rows[2].changed, 1])


def test_the_truth_goes_before_everything():
    rows = rank([STEADY, SAME, trial("shown", sure(TRUTH + 1, 0.9), shown=True)], [{c, 9} for c in TRUTH], None)
    assert names(rows) == ["steady", "same", "shown"]
    assert [row.accuracy for row in rows] == [1, 0.25, 0]


def test_what_the_graph_shows_goes_before_what_is_measured():
    rows = rank([STEADY, trial("shown", *[sure(TRUTH, 0.4)] * 5, shown=True)], None, None)
    assert names(rows) == ["shown", "steady"]
    assert not any(row.tied for row in rows)


def test_what_cannot_be_told_apart_is_said():
    close = sure(TRUTH, 0.7)
    close[0] = sure([TRUTH[0]], 0.65)
    flipped = sure(TRUTH, 0.7)
    flipped[:20], flipped[20:] = sure(TRUTH[:20], 0.75), sure(TRUTH[20:], 0.64)
    rows = rank([STEADY, trial("flipped", *[flipped] * 5), trial("close", *[close] * 5)], None, None)
    assert names(rows)[0] == "steady"
    assert {row.candidate.name: row.tied for row in rows} == {"steady": False, "flipped": True, "close": True}


def test_too_few_images_tell_nothing():
    few = LEAST_IMAGES - 1
    rows = rank([trial("a", *[sure(TRUTH[:few], 0.9)] * 5), trial("b", *[sure(TRUTH[:few] * 0, 0.9)] * 5)], None, None)
    assert [row.tied for row in rows] == [False, True]


def test_classes_with_probabilities_of_their_own_count_one_by_one():
    both = np.array([[0.9, 0.9, 0.1], [0.1, 0.9, 0.9]] * 20)
    assert Answers(both).independent
    assert not Answers(sure(TRUTH, 0.7)).independent
    assert rank([trial("multi", *[both] * 2)], None, None)[0].agreement > 0.3


def test_views_are_small_changes():
    pixels = DRAW.uniform(0, 255, (2, 32, 48, 3)).astype(np.float32)
    plain, mirrored, cropped, dark, bright = views(pixels)
    assert plain is pixels
    np.testing.assert_array_equal(mirrored[:, :, ::-1], pixels)
    np.testing.assert_array_equal(cropped[:, 0, 0], pixels[:, 2, 3])
    np.testing.assert_array_equal(cropped[:, -1, -1], pixels[:, -3, -4])
    assert cropped.shape == pixels.shape
    assert 0 <= dark.min() < dark.max() <= 255 * 0.86
    assert 255 * 0.14 <= bright.min() < bright.max() <= 255


@pytest.mark.parametrize(("channels", "count"), [(3, 10), (1, 5), (7, 3)])
def test_candidates_suit_the_input(channels, count):
    found = candidates(channels, False)
    assert len(found) == count
    for each in found:
        if channels in (1, 3):
            assert each.preset.channels == channels
    whole = {each.name for each in candidates(channels, True)}
    assert whole == {3: {"raw", "raw-bgr"}, 1: {"gray-raw", "gray-mean-raw"}, 7: {"raw"}}[channels]


def test_the_other_order_of_colours_is_the_same_with_red_and_blue_exchanged():
    image = DRAW.uniform(0, 255, (1, 2, 2, 3)).astype(np.float32)
    made = {each.name: each.preset for each in candidates(3, False)}
    for name, other in (("inception", "inception, BGR"), ("torch", "torch, BGR"), ("caffe", "caffe, RGB")):
        np.testing.assert_allclose(made[other](image), made[name](image)[..., ::-1], rtol=1e-4, atol=1e-4)
