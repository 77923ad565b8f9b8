"""Scenes of every level: the boxes are those of the objects, and each level is difficult in its own way."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.nets.scene_levels import LEVELS, SCENE_SIZE, draw_level
from gradcam_tf1.nets.scenes import KINDS

COUNT = 12


@pytest.fixture(scope="module")
def drawn():
    return {level: [draw_level(level, number) for number in range(COUNT)] for level in LEVELS}


def sides(box):
    return box[2] - box[0], box[3] - box[1]


def shared(first, second):
    height = min(first[2], second[2]) - max(first[0], second[0])
    width = min(first[3], second[3]) - max(first[1], second[1])
    return max(height, 0) * max(width, 0)


def test_every_scene_can_be_drawn_alone_and_again(drawn):
    for level in LEVELS:
        for number in (5, 2):
            again = draw_level(level, number)
            assert np.array_equal(again.image, drawn[level][number].image)
            assert again.boxes == drawn[level][number].boxes
        assert not np.array_equal(draw_level(level, 2, seed=1).image, drawn[level][2].image)
        assert not np.array_equal(drawn[level][0].image, drawn[level][1].image)


def test_scenes_have_objects_inside_the_image(drawn):
    for scene in (scene for scenes in drawn.values() for scene in scenes):
        assert scene.image.shape == (*SCENE_SIZE, 3)
        assert scene.image.dtype == np.uint8
        assert scene.boxes
        assert set(scene.boxes) <= set(KINDS)
        for top, left, bottom, right in scene.boxes.values():
            assert 0 <= top < bottom <= SCENE_SIZE[0]
            assert 0 <= left < right <= SCENE_SIZE[1]


def test_the_box_is_around_what_was_drawn(drawn):
    """On a background without clutter, strong edges are inside the box and reach its sides."""
    for scene in drawn["plain"]:
        ((top, left, bottom, right),) = scene.boxes.values()
        image = scene.image.astype(np.float64)
        change = np.abs(np.diff(image, axis=0)).max(axis=(1, 2))
        rows = np.flatnonzero(change > 0.7 * change.max())
        assert top - 2 <= rows.min()
        assert rows.max() <= bottom + 1
        assert image[top:bottom, left:right].std() > image[:top].std() if top > 20 else True


def test_each_level_has_its_difficulty(drawn):
    area = SCENE_SIZE[0] * SCENE_SIZE[1]
    assert all(len(scene.boxes) == 1 for scene in drawn["plain"])
    assert all(max(map(max, map(sides, scene.boxes.values()))) < 0.19 * area**0.5 for scene in drawn["small"])
    assert np.mean([max(sides(box)) for scene in drawn["clutter"] for box in scene.boxes.values()]) > 0.24 * area**0.5
    overlaps = [shared(*scene.boxes.values()) for scene in drawn["overlap"]]
    assert sum(overlap > 100 for overlap in overlaps) >= COUNT - 2
    assert not any(shared(*scene.boxes.values()) for scene in [*drawn["small"], *drawn["look-alikes"]])
    alike = [("ring", "crescent"), ("star", "cross"), ("triangle", "heart"), ("square", "cross")]
    assert {frozenset(scene.boxes) for scene in drawn["look-alikes"]} <= set(map(frozenset, alike))
    edges = {level: np.mean([_edges(scene.image) for scene in scenes]) for level, scenes in drawn.items()}
    assert edges["clutter"] > 1.5 * edges["several"]
    assert edges["several"] > 1.5 * edges["plain"]


def _edges(image):
    """Share of the pixels with a strong edge, above the noise."""
    return (np.abs(np.diff(image.astype(int), axis=1)).max(axis=2) > 40).mean()


def test_the_cue_is_in_a_corner_and_touches_no_object(drawn):
    corners = set()
    for scene in drawn["cue"]:
        top, left, bottom, right = scene.cue
        corners.add((top > 0, left > 0))
        assert top in (0, SCENE_SIZE[0] - (bottom - top))
        assert left in (0, SCENE_SIZE[1] - (right - left))
        assert shared(scene.cue, *scene.boxes.values()) == 0
        tag = scene.image[top:bottom, left:right].astype(int)
        assert (tag[..., 0] > 200).mean() > 0.95  # of both colours of the tag
    assert len(corners) > 1
    assert all(scene.cue is None for level in LEVELS if level != "cue" for scene in drawn[level])


def test_an_unknown_level_is_refused():
    with pytest.raises(OptionError, match="no level 'hard'; possible: plain, several, clutter"):
        draw_level("hard", 0)
