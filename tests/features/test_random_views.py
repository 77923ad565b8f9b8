"""Views of pictures: known ones exactly, and the transpose against the map itself."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.features.random_views import View, Viewer, draw_view

GRAY = 7.0


def picture(height, width, channels=2, count=1, seed=0):
    return np.random.RandomState(seed).uniform(0, 255, (count, height, width, channels))


def see(view, pictures):
    return Viewer(pictures.shape[1:3], view, GRAY).see(pictures)


def test_the_plain_view_changes_nothing():
    given = picture(3, 4)
    assert see(View(), given) is given


@pytest.mark.parametrize("name", ["before", "after"])
def test_a_move_is_a_shift_and_gray_comes_in(name):
    given = picture(5, 6)
    found = see(View(**{name: (2, -1)}), given)
    np.testing.assert_allclose(found[:, 2:, :-1], given[:, :-2, 1:])
    np.testing.assert_allclose(found[:, :2], GRAY)
    np.testing.assert_allclose(found[:, :, -1], GRAY)


def test_a_quarter_turn_is_counter_clockwise():
    given = picture(6, 6)
    np.testing.assert_allclose(see(View(angle=90), given), np.rot90(given, 1, (1, 2)), atol=1e-3)


def test_moves_come_before_and_after_the_turn():
    given = picture(7, 7)
    found = see(View(angle=180, before=(0, 2), after=(1, 0)), given)
    turned = np.rot90(see(View(before=(0, 2)), given), 2, (1, 2))
    np.testing.assert_allclose(found, see(View(after=(1, 0)), turned), atol=1e-3)


def test_a_ramp_stays_a_ramp_when_it_is_resized():
    """Half the size: the slope doubles about the centre."""
    ramp = np.arange(9.0)[np.newaxis, np.newaxis, :, np.newaxis] * np.ones((1, 9, 1, 1))
    found = see(View(zoom=0.5), ramp)[0, 4, :, 0]
    np.testing.assert_allclose(found[2:7], [0, 2, 4, 6, 8], atol=1e-5)
    np.testing.assert_allclose(found[[0, 1, 7, 8]], GRAY)


@pytest.mark.parametrize(
    "view", [View(17, 1.1, (3, -2), (1, 2)), View(-40, 0.8), View(0, 1.3, (0.5, 0.25)), View(3, 1, (90, 90))]
)
def test_the_gradient_is_the_transpose(view):
    """<S p, g> = <p, S' g> for the linear part."""
    given, towards = picture(6, 9, 3, 2), picture(6, 9, 3, 2, seed=1)
    viewer = Viewer((6, 9), view, 0.0)
    one_way, other = (viewer.see(given) * towards).sum(), (given * viewer.grads(towards)).sum()
    assert one_way == pytest.approx(other, rel=1e-12)
    moved = given.copy()
    moved[1, 3, 4, 2] += 1
    around = Viewer((6, 9), view, GRAY)
    slope = ((around.see(moved) - around.see(given)) * towards).sum()
    assert around.grads(towards)[1, 3, 4, 2] == pytest.approx(slope, rel=1e-6, abs=1e-6)


def test_drawn_views_follow_their_seed_and_their_limits():
    drawn = [draw_view(np.random.RandomState(5), 8, 10, 0.1) for _ in range(2)]
    assert drawn[0] == drawn[1]
    random = np.random.RandomState(1)
    views = [draw_view(random, 8, 10, 0.1) for _ in range(400)]
    shifts = np.array([each.before for each in views])
    assert set(shifts.ravel()) == set(range(-8, 9))
    assert {abs(side) for each in views for side in each.after} == {0, 1, 2, 3, 4}
    assert 9 < max(each.angle for each in views) <= 10
    assert 0.9 <= min(each.zoom for each in views) < 0.91
    assert 60 < sum(each.angle == 0 for each in views) < 140
    assert draw_view(random, 0, 0, 0) == View()
