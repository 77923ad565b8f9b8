"""Concepts of a net whose features are known, and what is written of them."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest
from concept_nets import BIAS, CLASSES, FACTORS, HEAD, SIDE, concept_net, matched, mosaics

from gradcam_tf1 import ConceptOptions, GradCamGraph, find_concepts, read_image, tcav
from gradcam_tf1.concepts.class_crops import crops
from gradcam_tf1.concepts.concept_pictures import COLOURS, HighPlaces, alone, together
from gradcam_tf1.errors import ImageFileError, OptionError, TargetError
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.types import Cells

LENGTHS = np.linalg.norm(FACTORS, axis=1)


@pytest.fixture(scope="module")
def planted():
    with concept_net() as net:
        yield net


def test_planted_concepts_their_maps_and_classes(planted, tmp_path):
    cells = mosaics(tmp_path / "in", 9)
    found = find_concepts(planted, str(tmp_path / "in"), options=ConceptOptions(concepts=3))
    order, cosines = matched(found.vectors)
    assert sorted(order) == [0, 1, 2]
    assert min(cosines.values()) > 0.999
    assert found.explained > 0.9999
    assert found.page == ""
    assert found.failed == {}
    # the coefficients of the files are those of the colours
    own = (cells * LENGTHS).reshape(9, -1, 3)
    np.testing.assert_allclose([row.mean[order] for row in found.images], own.mean(axis=1), rtol=0.05)
    np.testing.assert_allclose([row.highest[order] for row in found.images], own.max(axis=1), rtol=0.05)
    # what a concept does to a class: the head is linear, so the effect is s w . head
    for colour, c in enumerate(order):
        concept = found.concepts[c]
        effects = concept.strength * (FACTORS[colour] / LENGTHS[colour]) @ HEAD
        best = [n for n in np.argsort(-effects) if effects[n] > effects.mean()]
        assert [each.class_id for each in concept.classes] == best[:3]
        np.testing.assert_allclose([each.effect for each in concept.classes], effects[best], rtol=0.02)
        assert all(each.label == CLASSES[each.class_id] for each in concept.classes)


def test_maps_are_placed_on_the_image(planted, tmp_path):
    cells = mosaics(tmp_path / "in", 4)
    found = find_concepts(planted, str(tmp_path / "in"), options=ConceptOptions(concepts=3))
    order, _ = matched(found.vectors)
    maps = found.maps(planted, str(tmp_path / "in" / "m002.png"))
    assert maps.shape == (3, 4 * SIDE, 4 * SIDE)
    assert maps.dtype == np.float32
    # bilinear: the mean of the four pixels around a centre is the cell itself, for a map that is linear there
    for colour, c in enumerate(order):
        twin = Placement((32, 32), (32, 32), (0, 0, 32, 32), (0, 0, 32, 32)).place(cells[2, ..., colour])
        np.testing.assert_allclose(maps[c], twin * LENGTHS[colour], atol=0.02 * LENGTHS[colour])


def test_importance_of_an_additive_head(planted, tmp_path):
    """y = sum over concepts of m_c b_c, so the index of concept c is b_c^2 / sum b^2, image by image."""
    mosaics(tmp_path / "in", 12)
    options = ConceptOptions("craft", concepts=3, target="all", designs=1024, ranked_images=100)
    with concept_net(bias=BIAS + np.array([0, 0, 0, 50], np.float32)) as net:
        found = find_concepts(net, str(tmp_path / "in"), options=options)
    order, cosines = matched(found.vectors)
    assert sorted(order) == [0, 1, 2]
    assert min(cosines.values()) > 0.95  # of averages, which are less sparse
    gains = found.vectors @ HEAD[:, 3]
    parts = np.square([row.mean * gains for row in found.images])
    expected = (parts / parts.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose([each.importance for each in found.concepts], expected, atol=0.02)
    assert (np.diff([each.importance for each in found.concepts]) <= 0).all()
    assert found.target.label == "all"
    assert len(found.images) == 12


def test_craft_takes_the_images_of_one_class(tmp_path):
    with concept_net(bias=np.array([0, 0, -9, -9], np.float32)) as net:
        mosaics(tmp_path / "in" / "red", 3, weights=(1, 0.05, 0.05))
        mosaics(tmp_path / "in" / "green", 4, weights=(0.05, 1, 0.05))
        images = str(tmp_path / "in")
        usual = find_concepts(net, images, options=ConceptOptions("craft", concepts=2, designs=8))
        assert usual.target.label == "greenish"
        assert len(usual.images) == 4
        red = find_concepts(net, images, options=ConceptOptions("craft", concepts=2, target="reddish", designs=8))
        assert [row.name for row in red.images] == [f"red/m{n:03d}.png" for n in range(3)]
        with pytest.raises(OptionError, match="no image is predicted as 'constant'.*most are predicted as 'greenish'"):
            find_concepts(net, images, options=ConceptOptions("craft", target="constant"))
        with pytest.raises(TargetError, match="no class is named 'blue'"):
            find_concepts(net, images, options=ConceptOptions("craft", target="blue"))


def test_a_score_without_concepts_has_no_importance(tmp_path):
    mosaics(tmp_path / "in", 3)
    head = HEAD * np.array([1, 1, 0, 0], np.float32)
    with concept_net(head, BIAS + np.array([0, 0, 99, 0], np.float32)) as net:
        found = find_concepts(net, str(tmp_path / "in"), options=ConceptOptions("craft", concepts=2, designs=8))
    assert found.target.label == "constant"
    assert all(each.importance is None for each in found.concepts)
    assert any("does not depend on the concepts" in note for note in found.notes)


def test_crops_reach_from_edge_to_edge():
    pixels = np.arange(100, dtype=np.float32).reshape(10, 10, 1)
    found = crops(pixels, 0.5)
    assert found.shape == (9, 10, 10, 1)  # ceil(0.5 / 0.4) + 1 = 3 along each side
    assert found[0, 0, 0, 0] == 0
    assert found[-1, -1, -1, 0] == 99
    assert found[2, 0, -1, 0] == 9
    assert found[4].min() == pytest.approx(2 * 10 + 2) or found[4].min() == pytest.approx(33 - 11)


def test_negative_features_are_refused_or_rectified(tmp_path):
    mosaics(tmp_path / "in", 3)
    with concept_net(shift=0.3) as net:
        with pytest.raises(OptionError, match=r"'features:0' has negative features .*name a layer after a ReLU"):
            find_concepts(net, str(tmp_path / "in"), options=ConceptOptions(concepts=2))
        found = find_concepts(net, str(tmp_path / "in"), options=ConceptOptions(concepts=2, rectify=True))
    assert (found.vectors >= 0).all()


def test_a_bad_image_is_left_out_and_none_is_an_error(planted, tmp_path):
    mosaics(tmp_path / "in", 3)
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    found = find_concepts(planted, str(tmp_path / "in"), options=ConceptOptions(concepts=2))
    assert list(found.failed) == ["bad.png"]
    assert len(found.images) == 3
    with pytest.raises(ImageFileError, match="bad.png"):
        find_concepts(planted, str(tmp_path / "in" / "bad.png"), options=ConceptOptions(concepts=2))
    with pytest.raises(OptionError, match="standard input only once"):
        find_concepts(planted, "-")
    with pytest.raises(OptionError, match="those of one layer"):
        find_concepts(planted, str(tmp_path / "in"), options=ConceptOptions(layer="auto"))


def test_what_is_written(planted, tmp_path):
    mosaics(tmp_path / "in", 5)
    out = str(tmp_path / "out")
    found = find_concepts(planted, str(tmp_path / "in"), out, options=ConceptOptions(concepts=3, shown=2))
    stored = json.loads((tmp_path / "out" / "concepts.json").read_text())
    assert [each["concept"] for each in stored["concepts"]] == [1, 2, 3]
    assert stored["layer"] == "features:0"
    with open(os.path.join(out, "concepts.csv")) as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert float(rows[4]["mean"]) == pytest.approx(found.images[1].mean[1], rel=1e-5)
    np.testing.assert_array_equal(np.load(os.path.join(out, "concepts.npz"))["vectors"], found.vectors)
    assert [bool(row.figure) for row in found.images] == [True, True, False, False, False]
    figure = read_image(found.images[0].figure)
    assert figure.shape == (32, 5 * 32, 3)
    np.testing.assert_array_equal(figure[:, :32], read_image(str(tmp_path / "in" / "m000.png")))
    page = (tmp_path / "out" / "concepts.html").read_text()
    assert "concept 1, orange" in page
    assert "m000.png" in page
    assert page.count("<img") == 15 + 3 + 2 * 5
    again = find_concepts(planted, str(tmp_path / "in"), out, options=ConceptOptions(concepts=3, shown=2))
    np.testing.assert_array_equal(again.vectors, found.vectors)  # and its own files may be replaced
    os.remove(os.path.join(out, "concepts.json"))
    with pytest.raises(OptionError, match="concepts.csv' was not written by this toolkit"):
        find_concepts(planted, str(tmp_path / "in"), out)


def test_each_pixel_has_the_colour_of_its_strongest_concept():
    gray = np.full((1, 3, 3), 100, np.uint8)
    strengths = np.array([[[1, 0.2], [0.3, 0.5], [0, 0]]], np.float32)
    pale = 96 + 60
    first, second = (np.array(rgb) for _, rgb in COLOURS[:2])
    drawn = together(gray, strengths)
    np.testing.assert_allclose(drawn[0, 0], pale + 0.75 * (first - pale), atol=1)
    np.testing.assert_allclose(drawn[0, 1], pale + 0.375 * (second - pale), atol=1)
    np.testing.assert_allclose(drawn[0, 2], pale, atol=1)
    np.testing.assert_allclose(alone(gray, strengths, 0)[0, 1], pale + 0.225 * (first - pale), atol=1)


def test_crops_of_a_concept_lie_around_its_cell():
    image = np.zeros((40, 80, 3), np.uint8)
    image[20:30, 60:70] = 255  # centred at row 25, column 65
    placement = Placement((40, 80), (20, 20), (0, 0, 40, 80), (0, 0, 20, 20))
    maps = np.zeros((4, 4, 2))
    maps[2, 3, 0] = 5  # centre at 12.5, 17.5 of the input: row 25, column 70
    places = HighPlaces(2, 0.25)
    places.offer("a", image, maps, placement, None)
    assert places.of(1) == []
    assert places.of(0)[0][1].mean() == pytest.approx(127.5, abs=2)
    moved = HighPlaces(2, 0.25)
    moved.offer("a", image, maps, placement, Cells((2.5, 1.25), (5.0, 5.0)))  # now column 65
    assert moved.of(0)[0][1].min() == 255
    for number in range(20):
        moved.offer(str(number), image, maps * (number / 10), placement, None)
    assert [name for name, _ in moved.of(0)] == [str(n) for n in range(19, 11, -1)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "nmf"}, "method is dff or craft, not 'nmf'"),
        ({"concepts": 1}, "concepts is at least 2, at most 64, not 1"),
        ({"samples": 2.5}, "samples is a whole number, not 2.5"),
        ({"designs": 12}, "designs is a power of two, not 12"),
        ({"crop": 1.0}, "crop is a number from 0.05 and below 1, not 1.0"),
        ({"target": 3}, "dff looks at the images of all classes"),
    ],
)
def test_options_that_are_refused(given, message):
    with pytest.raises(OptionError, match=message):
        ConceptOptions(**given)


def test_a_folder_that_cannot_be_made_is_told_before_the_images_are_read(planted, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="is not a folder, so .* cannot be made"):
        find_concepts(planted, "nowhere", str(tmp_path / "file" / "out"))
    with pytest.raises(OptionError, match="is not a folder, so .* cannot be made"):
        tcav(planted, "nowhere", "nowhere", "nowhere", 0, str(tmp_path / "file" / "out"))


def test_options_are_a_record(planted):
    with pytest.raises(OptionError, match=r"give options=ConceptOptions\(...\)"):
        find_concepts(planted, "x", options={})


def test_the_demo_net_has_a_concept_for_its_kinds(net):
    from gradcam_tf1.nets.demo import demo_scenes

    found = find_concepts(net, [scene.path for scene in demo_scenes()])
    first = [each.classes[0].label for each in found.concepts]
    assert len(set(first)) == 6
    assert isinstance(net, GradCamGraph)
    inside = []
    for scene in demo_scenes():
        maps = found.maps(net, scene.path)
        for concept, label in enumerate(first):
            if label in scene.boxes:
                top, left, bottom, right = scene.boxes[label]
                row, column = np.unravel_index(maps[concept].argmax(), maps.shape[1:])
                inside.append(top <= row < bottom and left <= column < right)
    assert len(inside) > 20
    assert np.mean(inside) > 0.9
