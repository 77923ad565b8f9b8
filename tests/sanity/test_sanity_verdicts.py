"""What is kept of maps, and the verdict."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.sanity.verdicts import kept_share, verdict_of

NAN = float("nan")


def steps(*means):
    return [np.array([mean - 0.01, mean, mean + 0.01]) for mean in means]


def test_kept_is_the_mean_of_the_upper_half_beyond_chance():
    assert kept_share(steps(0.8, 0.6, 0.1, 0.0), 0.0)[1] == pytest.approx(0.7)
    assert kept_share(steps(0.8, 0.6, 0.4, 0.0, -0.1), 0.0)[1] == pytest.approx(0.6)
    assert kept_share(steps(0.8, 0.6), 0.6)[1] == pytest.approx(0.5)
    assert kept_share(steps(0.3, 0.3), NAN)[1] == pytest.approx(0.3)
    assert kept_share(steps(0.3, 0.3), -0.2)[1] == pytest.approx(0.3)
    halves = [np.array([NAN, 0.5]), np.array([0.4, 0.7]), np.array([0.0, 0.0])]
    assert kept_share(halves, 0.0).tolist() == pytest.approx([0.4, 0.6])
    assert np.isnan(kept_share([np.array([NAN])], 0.0)[0])


@pytest.mark.parametrize(
    ("means", "chance", "verdict", "reason"),
    [
        ((0.9, 0.8, 0.2), 0.1, "hardly changes", ""),
        ((0.2, 0.1, 0.0), 0.1, "changes", ""),
        ((-0.6, -0.5), 0.0, "changes", ""),
        ((0.4, 0.4), 0.0, "undecided", "is not below 0.3 and not above 0.5"),
        ((0.8, 0.8), 0.75, "changes", ""),
        ((0.97, 0.97), 0.95, "undecided", "maps of different images are alike already"),
        ((NAN, NAN), 0.0, "undecided", "no image has a map with several values and finite scores"),
    ],
)
def test_verdicts(means, chance, verdict, reason):
    found = verdict_of("gradcam", steps(*means), chance, 0)
    assert found.verdict == verdict
    assert reason in found.reason


def test_one_image_decides_nothing():
    found = verdict_of("gradcam", [np.array([0.9])], NAN, 0)
    assert (found.verdict, found.kept.mean) == ("undecided", pytest.approx(0.9))
    assert "give two or more" in found.reason


def test_a_doubt_takes_a_verdict_back():
    found = verdict_of("gradcam", steps(0.9, 0.9), 0.0, 0, {"hardly changes": "2 ops keep their weights"})
    assert (found.verdict, found.reason) == ("undecided", "2 ops keep their weights")
    assert verdict_of("gradcam", steps(0.1, 0.1), 0.0, 0, {"hardly changes": "2 ops keep"}).verdict == "changes"


def test_half_of_the_steps_must_be_known():
    assert verdict_of("gradcam", steps(0.9, NAN, NAN, NAN, NAN, NAN), 0.0, 0).verdict == "undecided"
    assert verdict_of("gradcam", steps(0.9, 0.9, NAN, NAN, NAN, NAN), 0.0, 0).verdict == "hardly changes"
