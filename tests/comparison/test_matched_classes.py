"""Which class of B is which of A, worked out by hand."""

from __future__ import annotations

import pytest

from gradcam_tf1.comparison.matched_classes import ClassSide, match_classes
from gradcam_tf1.errors import OptionError
from gradcam_tf1.labels import Labels


def side(names, count=None, background=False):
    count = len(names) if count is None else count
    return ClassSide(count, names and Labels.for_classes(names, count, background), background)


def pairs(found):
    return list(zip(found.a.tolist(), found.b.tolist()))


def test_equal_numbers_match_by_id():
    found = match_classes(ClassSide(3), ClassSide(3))
    assert (found.how, pairs(found), found.notes) == ("id", [(0, 0), (1, 1), (2, 2)], ())
    assert found.in_b(2) == 2


def test_names_match_in_any_order_whatever_the_case():
    found = match_classes(side(["cat", "Dog", "sea_lion"]), side(["sea lion", "cat", "dog"]))
    assert (found.how, pairs(found), found.notes) == ("name", [(0, 1), (1, 2), (2, 0)], ())


def test_a_synonym_is_enough_and_what_is_missing_is_said():
    found = match_classes(side(["tench, Tinca tinca", "gar", "eel"]), side(["eel", "tench", "cod", "ray"]))
    assert pairs(found) == [(0, 1), (2, 0)]
    assert found.in_b(1) is None
    assert found.notes == ("classes that the other model lacks: 1 of A, 2 of B",)


def test_a_repeated_name_matches_in_order():
    found = match_classes(side(["crane", "cat", "crane"]), side(["cat", "crane", "crane"]))
    assert pairs(found) == [(0, 1), (1, 0), (2, 2)]
    assert found.notes == ("class names that are there several times are matched in the order of their ids: 1",)
    unlike = match_classes(side(["crane", "cat", "crane", "dog"]), side(["cat", "crane", "dog", "eel"]))
    assert pairs(unlike) == [(1, 0), (3, 2)]


def test_full_names_are_tried_before_synonyms():
    found = match_classes(side(["maillot", "maillot, tank suit"]), side(["maillot, tank suit", "maillot"]))
    assert pairs(found) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_background_class_of_one_model_is_left_out(swapped):
    sides = [ClassSide(4, None, True), ClassSide(3)]
    found = match_classes(*(sides[::-1] if swapped else sides))
    assert pairs(found) == [(0, 1), (1, 2), (2, 3)] if swapped else [(1, 0), (2, 1), (3, 2)]
    assert "class 0 of " + ("B" if swapped else "A") in found.notes[0]


def test_background_with_names_on_both_sides():
    found = match_classes(side(["cat", "dog"], 3, True), side(["dog", "cat"]))
    assert pairs(found) == [(1, 1), (2, 0)]


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(OptionError, match=r"A has 4 classes and B has 3, .* \(--labels for A, --b-labels for B"):
        match_classes(ClassSide(4), ClassSide(3))
    with pytest.raises(OptionError, match="have one name in common"):
        match_classes(side(["a", "b"]), side(["b", "c"]))
