"""Properties of fitting, placing back and label files, for any size and any text."""

from __future__ import annotations

import json
import os
import tempfile

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.geometry import FIT_MODES, fit
from gradcam_tf1.labels import FORMS, read_labels

PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
SIDE = st.one_of(st.integers(1, 12), st.integers(1, 300))
INPUT = st.one_of(st.integers(1, 40), st.none())


@st.composite
def fitted(draw):
    """(mode, image, what was fitted), for images and inputs of any size."""
    mode = draw(st.sampled_from(FIT_MODES))
    size = (None, None) if mode == "short-side" else (draw(INPUT), draw(INPUT))
    original = (draw(SIDE), draw(SIDE))
    image = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (*original, 3), dtype=np.uint8)
    try:
        return mode, image, fit(image, size, mode, short_side=draw(st.integers(1, 60)))
    except ImageFileError:
        assume(False)


@PATIENT
@given(fitted())
def test_a_fitted_image_lies_in_its_input(made):
    mode, image, result = made
    placement, pixels = result.placement, result.pixels
    assert pixels.shape == (*placement.fitted, 3)
    assert pixels.dtype == np.float32
    for box, size in ((placement.seen, placement.original), (placement.inside, placement.fitted)):
        assert 0 <= box[0] < box[2] <= size[0]
        assert 0 <= box[1] < box[3] <= size[1]
    top, left, bottom, right = placement.seen
    seen = image[top:bottom, left:right]
    start, first, stop, last = placement.inside
    inside = pixels[start:stop, first:last]
    assert seen.min() - 0.01 <= inside.min()
    assert inside.max() <= seen.max() + 0.01
    outside = np.ones(placement.fitted, bool)
    outside[start:stop, first:last] = False
    assert (pixels[outside] == 127).all()
    if mode != "letterbox":
        assert not outside.any()
    if mode != "center-crop":
        assert seen.shape == image.shape


@PATIENT
@given(fitted(), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_maps_are_placed_within_their_range_where_the_net_looked(made, rows, columns, seed):
    placement = made[2].placement
    map = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    placed = placement.place(map)
    assert placed.shape == placement.original
    top, left, bottom, right = placement.seen
    seen = placed[top:bottom, left:right]
    assert map.min() - 1e-5 <= seen.min()
    assert seen.max() <= map.max() + 1e-5
    np.testing.assert_allclose(placement.place(map + 2)[top:bottom, left:right], seen + 2, atol=1e-5)
    outside = np.ones(placement.original, bool)
    outside[top:bottom, left:right] = False
    assert not placed[outside].any()


@PATIENT
@given(fitted(), st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_cell_that_is_lit_is_where_its_pixels_are(made, rows, columns, data):
    """The highest pixels are those whose centres are nearest to the centre of the cell."""
    placement = made[2].placement
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    map = np.zeros((rows, columns), np.float32)
    map[row, column] = 1
    placed = placement.place(map)
    assume(placed.max() > 0)
    for axis, (cell, cells) in enumerate(((row, rows), (column, columns))):
        begin, end = placement.seen[axis], placement.seen[axis + 2]
        start, stop = placement.inside[axis], placement.inside[axis + 2]
        centres = (start + (np.arange(end - begin) + 0.5) / (end - begin) * (stop - start)) / placement.fitted[axis]
        distance = np.abs(np.clip(centres * cells - 0.5, 0, cells - 1) - cell)
        lit = np.unravel_index(placed.argmax(), placed.shape)[axis] - begin
        assert distance[lit] <= distance.min() + 1e-4


def read(data, name):
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, name)
    try:
        with open(path, "wb") as file:
            file.write(data)
        return read_labels(path)
    finally:
        os.remove(path)
        os.rmdir(folder)


@PATIENT
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
        st.text(st.sampled_from("0123 :,;\t\n'\"{}[]()\\n01443537abé\ufeff\r"), max_size=80).map(str.encode),
    ),
    st.sampled_from(["labels.txt", "labels.csv", "labels.tsv", "labels.json"]),
)
def test_any_file_is_names_or_an_error_that_says_what_is_possible(data, name):
    told = ""
    try:
        names = read(data, name)
    except OptionError as error:
        names, told = [], str(error)
    assert names or (FORMS in told and name in told)
    assert all(isinstance(one, str) for one in names)


WORDS = st.text(st.characters(whitelist_categories=["L"], max_codepoint=0x3FF), min_size=1, max_size=12)
NAMES = st.lists(WORDS, min_size=2, max_size=12, unique=True)


@PATIENT
@given(NAMES, st.randoms())
def test_every_form_says_the_same(names, chance):
    pairs = list(enumerate(names))
    chance.shuffle(pairs)
    forms = {
        "lines.txt": "\n".join(names),
        "colons.txt": "\n".join(f"{number}:{name}" for number, name in pairs),
        "rising.txt": "\n".join(f"{number} {name}" for number, name in enumerate(names)),
        "synsets.txt": "\n".join(f"n{number:08d} {name}" for number, name in enumerate(names)),
        "list.json": json.dumps(names),
        "ids.json": json.dumps({str(number): name for number, name in pairs}),
        "keras.json": json.dumps({str(number): [f"n{number:08d}", name] for number, name in pairs}),
        "names.json": json.dumps({name: number for number, name in pairs}),
        "dict.txt": repr(dict(pairs)),
        "table.csv": "id,name\n" + "\n".join(f"{number},{name}" for number, name in pairs),
    }
    for form, text in forms.items():
        for end in ("\n", "\r\n"):
            assert read(text.replace("\n", end).encode(), form) == names, form
