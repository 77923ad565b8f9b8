"""Localisation metrics: cases worked by hand, and identities."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.options import check_options
from gradcam_tf1.metrics.localisation import (
    LOCALISATION_ROWS,
    box_iou,
    energy_in_region,
    localisation_error,
    pointing_game,
    top_k_intersection,
)
from gradcam_tf1.metrics.metric_row import MetricInput

ROWS = {row.name: row for row in LOCALISATION_ROWS}


def region(shape, *boxes):
    inside = np.zeros(shape, bool)
    for top, left, bottom, right in boxes:
        inside[top:bottom, left:right] = True
    return inside


def measured(name, placed, boxes=(), inside=None, **options):
    given = MetricInput(placed, placed, placed, None, None, boxes=boxes, region=inside)
    check_options(name, ROWS[name].options, options)
    return ROWS[name].compute(given, **ROWS[name].filled(options))


def test_pointing_hits_and_misses():
    map = np.zeros((40, 60))
    map[5, 50] = 1.0
    assert pointing_game(map, region(map.shape, (0, 45, 10, 55)), 0) == 1.0
    assert pointing_game(map, region(map.shape, (0, 0, 10, 10)), 0) == 0.0


def test_the_tolerance_is_a_euclidean_distance_between_centres_of_pixels():
    map = np.zeros((40, 60))
    map[12, 30] = 1.0  # 12 rows below and 9 columns right of the object's corner pixel (0, 21): distance 15
    inside = region(map.shape, (0, 20, 1, 22))
    assert pointing_game(map, inside, 15) == 1.0
    assert pointing_game(map, inside, 14.9) == 0.0
    assert pointing_game(map, inside) == 1.0  # 15 is the default


def test_distances_are_those_of_brute_force():
    rng = np.random.RandomState(3)
    inside = region((23, 31), (4, 5, 6, 9), (15, 20, 22, 21))
    rows = np.argwhere(inside)
    for _ in range(60):
        y, x = rng.randint(23), rng.randint(31)
        map = np.zeros(inside.shape)
        map[y, x] = 1.0
        nearest = np.sqrt(((rows - (y, x)) ** 2).sum(axis=1)).min()
        assert [pointing_game(map, inside, nearest + e) for e in (-1e-3, 1e-3)] == [float(inside[y, x]), 1.0]


def test_of_tied_maxima_the_share_that_hits_counts():
    map = np.zeros((10, 10))
    map[2, 2] = map[2, 7] = map[8, 8] = map[9, 0] = 3.0
    assert pointing_game(map, region(map.shape, (0, 0, 5, 10)), 0) == 0.5
    assert pointing_game(np.full((10, 10), -4.0), region(map.shape, (0, 0, 5, 6)), 0) == 0.3  # a constant map: chance


def test_energy_by_hand():
    map = np.array([[1.0, 2.0, -9.0], [0.0, 1.0, 4.0]])
    assert energy_in_region(map, region(map.shape, (0, 0, 1, 2))) == 3 / 8
    assert energy_in_region(map, region(map.shape, (0, 2, 1, 3))) == 0.0  # negative values carry none
    assert energy_in_region(np.ones((4, 5)), region((4, 5), (0, 0, 2, 2))) == 0.2
    assert np.isnan(energy_in_region(-map - 1, region(map.shape, (0, 0, 1, 1)))) == 0
    assert np.isnan(energy_in_region(np.zeros((2, 3)), region(map.shape, (0, 0, 1, 1))))


def test_energy_does_not_change_with_the_scale_of_the_map():
    rng = np.random.RandomState(0)
    map, inside = rng.randn(30, 40), region((30, 40), (3, 3, 20, 25))
    for scale in (1e-300, 1e-30, 1e300):
        assert energy_in_region(map * scale, inside) == pytest.approx(energy_in_region(map, inside), rel=1e-12)
    assert energy_in_region(map, inside) + energy_in_region(map, ~inside) == pytest.approx(1.0)


def test_box_iou_by_hand():
    map = np.zeros((20, 20))
    map[2:6, 2:12] = 1.0  # its box is 4 x 10
    assert box_iou(map, [(2, 2, 6, 12)]) == 1.0
    assert box_iou(map, [(4, 2, 8, 12)]) == pytest.approx(20 / 60)
    assert box_iou(map, [(10, 10, 12, 12)]) == 0.0
    assert box_iou(map, [(10, 10, 12, 12), (2, 2, 6, 7)]) == 0.5  # the box that fits best
    map[15, 15] = 6.0
    assert box_iou(map, [(2, 2, 6, 12)]) == 1.0  # 1 is above 15 % of 6
    assert box_iou(map, [(2, 2, 6, 12)], share=0.2) == 0.0


def test_the_localisation_error_starts_below_half():
    map = np.zeros((20, 20))
    map[0:4, 0:10] = 1.0
    assert localisation_error(map, [(0, 0, 4, 5)]) == 0.0  # IoU 0.5
    assert localisation_error(map, [(0, 0, 4, 4)]) == 1.0
    assert localisation_error(map, [(0, 0, 4, 4)], overlap=0.4) == 0.0
    assert localisation_error(np.zeros((20, 20)), [(0, 0, 4, 4)]) == 1.0  # no box at all


def test_top_k_by_hand():
    map = np.arange(12.0).reshape(3, 4)
    inside = region(map.shape, (2, 0, 3, 4))  # the values 8 to 11
    assert top_k_intersection(map, inside, 4) == 1.0
    assert top_k_intersection(map, inside, 5) == 0.8
    assert top_k_intersection(map, inside, 0) == 1.0  # as many as the object has
    assert top_k_intersection(-map, inside, 4) == 0.0
    assert top_k_intersection(map, inside, 1000) == pytest.approx(4 / 12)  # the whole image: chance


def test_pixels_tied_at_the_last_place_count_by_the_same_part():
    map = np.array([[5.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    inside = region(map.shape, (0, 0, 1, 2))
    # 5 and two of the four 1s, one of which is inside
    assert top_k_intersection(map, inside, 3) == pytest.approx((1 + 2 * 1 / 4) / 3)


def test_the_object_itself_is_a_perfect_map_and_its_opposite_the_worst():
    inside = region((50, 70), (10, 20, 30, 45))
    for map, values in ((inside * 1.0, (1, 1, 1, 1, 0)), (~inside * 1.0, (0, 0, 0, None, 1))):
        found = [
            pointing_game(map, inside, 0),
            energy_in_region(map, inside),
            top_k_intersection(map, inside, 0),
            box_iou(map, [(10, 20, 30, 45)]),
            localisation_error(map, [(10, 20, 30, 45)]),
        ]
        assert [a for a, b in zip(found, values) if b is not None] == [b for b in values if b is not None]


def test_rows_measure_the_map_on_the_image_and_take_options():
    map = np.zeros((40, 60))
    map[0, 30] = 1.0
    inside = region(map.shape, (10, 20, 20, 40))
    assert measured("pointing", map, inside=inside).value == 1.0
    assert measured("pointing", map, inside=inside, tolerance=9).value == 0.0
    assert measured("energy", map, inside=inside).value == 0.0
    assert measured("top_k", map, inside=inside, k=1).value == 0.0
    assert measured("box_iou", inside * 1.0, inside=inside).value == 1.0  # the box around the mask
    assert measured("box_iou", inside * 1.0, boxes=((10, 20, 20, 30),), inside=inside).value == 0.5
    assert measured("localisation_error", inside * 1.0, boxes=((10, 20, 20, 29),), inside=inside).value == 1.0


def test_what_is_not_defined_has_a_reason():
    map = np.ones((4, 4))
    for name in ROWS:
        found = measured(name, map)
        assert np.isnan(found.value)
        assert found.reason == "it is not known where the object is"
    assert "above zero" in measured("energy", -map, inside=map > 0).reason


def test_rows_are_complete_and_no_name_is_that_of_a_method():
    assert not set(ROWS) & set(METHODS)
    for row in LOCALISATION_ROWS:
        assert row.paper.startswith("https://")
        assert all((row.title, row.summary, row.better))
        assert row.needs == ("region",)


@pytest.mark.parametrize(
    "call",
    [
        lambda: pointing_game(np.zeros((3, 3)), np.zeros((3, 3), bool)),
        lambda: pointing_game(np.zeros((3, 3)), np.ones((3, 4), bool)),
        lambda: energy_in_region(np.zeros((3, 3)), np.ones((3, 3))),
    ],
)
def test_a_region_that_does_not_fit_is_refused(call):
    with pytest.raises(OptionError, match=r"it is bool \[3, 3\], as the map, with one pixel or more"):
        call()


@pytest.mark.parametrize("map", [np.full((3, 3), np.nan), np.zeros((3, 3, 3)), np.zeros((0, 3))])
def test_a_map_that_does_not_fit_is_refused(map):
    with pytest.raises(OptionError, match=r"finite values in \[H, W\]"):
        box_iou(map, [(0, 0, 1, 1)])


@pytest.mark.parametrize("boxes", [[], [(2, 2, 2, 5)], [(0, 0, 1, 1), (3, 3, 2, 2)]])
def test_empty_boxes_are_refused(boxes):
    with pytest.raises(OptionError, match="give one or more that are not empty"):
        box_iou(np.ones((9, 9)), boxes)
