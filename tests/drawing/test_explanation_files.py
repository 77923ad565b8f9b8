"""Explanations go to a file and come back the same, bit for bit; other files are refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from made_explanations import EMPTY, GRAY, hot_cell, one_explanation

from gradcam_tf1 import Cells, Contrast, Explanation, ExplanationFileError, GradCamGraph, Labels, OptionError
from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.images.fitted_clips import ClipPlacement
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.nets.demo import demo_scenes

NASTY = ("<script>\n'\"&", "\ud800", "a, b", "", "\u732b" * 50)


def same_bits(first, second):
    if first is None or second is None:
        return first is second
    return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()


def assert_same(first: Explanation, second: Explanation) -> None:
    for name in ("class_ids", "scores", "probabilities", "predicted"):
        assert same_bits(getattr(first, name), getattr(second, name)), name
    assert list(first.maps) == list(second.maps)
    assert all(same_bits(first.maps[key], second.maps[key]) for key in first.maps)
    assert len(first.images) == len(second.images)
    assert all(same_bits(*pair) for pair in zip(first.images, second.images))
    for name in ("statuses", "layers", "abouts", "failures"):
        assert getattr(first, name) == getattr(second, name), name
    assert list(first.placements) == list(second.placements)
    assert dict(first.cells) == dict(second.cells)
    assert (first.labels is None) == (second.labels is None)
    if first.labels is not None:
        assert list(first.labels.names) == list(second.labels.names)
        assert (first.labels.offset, first.labels.note) == (second.labels.offset, second.labels.note)


def back(explanation: Explanation, path, **options) -> Explanation:
    explanation.save(path, **options)
    return Explanation.load(path)


def test_an_explanation_of_a_net_comes_back_and_draws_the_same(net, tmp_path):
    paths = [scene.path for scene in demo_scenes()[:2]]
    methods = ["gradcam", "guided_gradcam", "integrated_gradients"]
    explanation = net.explain(paths, ["ring", Contrast("star", "ring")], methods, [-1, -3])
    again = back(explanation, tmp_path / "e.npz")
    assert_same(explanation, again)
    for map, other in zip(explanation, again):
        assert np.array_equal(map.overlay(), other.overlay())
        assert np.array_equal(map.placed(), other.placed())
    again.maps["gradcam", "conv5/Relu:0"] *= 2  # what was read can be changed


def test_without_images_overlays_need_the_image(net, tmp_path):
    explanation = net.explain(demo_scenes()[0].path)
    again = back(explanation, str(tmp_path / "e.npz"), images=False)
    assert again.images == (None,)
    map = again.map("gradcam")
    with pytest.raises(OptionError, match="original is not known"):
        map.overlay()
    assert np.array_equal(map.overlay(image=explanation.images[0]), explanation.map("gradcam").overlay())
    assert os.path.getsize(str(tmp_path / "e.npz")) < 20_000


def made(**changes):
    maps = {("gradcam", "a/Relu:0"): [hot_cell(1, 1), hot_cell(2, 2)], ("gradient", ""): np.ones((2, 8, 8, 3))}
    statuses = {("gradcam", "a/Relu:0"): [dataclasses.replace(EMPTY, notes=NASTY), EMPTY]}
    explanation = one_explanation(maps, statuses, class_ids=(3, -1), labels=Labels(list(NASTY), 1, "note"))
    fields = {"abouts": ("", NASTY[0]), "failures": (NASTY[1],), "images": (GRAY,)}
    fields["cells"] = {("gradcam", "a/Relu:0"): Cells((0.1, -3.0), (1 / 3, -2.0))}
    return dataclasses.replace(explanation, **{**fields, **changes})


SCORES = np.array([[np.nan, -np.inf]], np.float32)
OTHERS = {
    "nasty texts": {},
    "odd scores": {"scores": SCORES, "probabilities": np.array([[0.5, np.nan]], np.float32)},
    "fitted image": {"images": (None,)},
    "float image of six bands": {"images": (np.random.RandomState(0).rand(40, 60, 6),)},
    "no images": {"images": ()},
    "no labels": {"labels": None, "abouts": (), "failures": ()},
    "a signal": {
        "maps": {("gradcam", "a"): np.ones((1, 2, 5), np.float32), ("gradient", ""): np.ones((1, 2, 9, 2), np.float32)},
        "placements": [ArrayPlacement((9,))],
        "cells": {("gradcam", "a"): Cells((0.5,), (2.0,))},
        "images": (),
    },
    "a volume": {
        "maps": {("gradcam", "a"): np.ones((1, 2, 5, 4, 3), np.float32)},
        "placements": [ArrayPlacement((9, 8, 7))],
        "cells": {},
        "images": (),
    },
    "a clip": {
        "maps": {("gradcam", "a"): np.ones((1, 2, 5, 4, 3), np.float32)},
        "placements": [ClipPlacement(Placement((40, 60), (8, 8), (0, 0, 40, 60), (0, 0, 8, 8)), 5)],
        "cells": {("gradcam", "a"): Cells((0.5, 1.0, 2.0), (1.0, 2.0, 3.0))},
        "images": (),
    },
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_explanations_of_every_kind_come_back(name, tmp_path):
    explanation = made(**OTHERS[name])
    keys = list(explanation.maps)
    statuses = list(explanation.statuses.values())
    explanation = dataclasses.replace(explanation, statuses=dict(zip(keys, statuses)))
    again = back(explanation, tmp_path / "e.npz")
    assert_same(explanation, again)
    assert isinstance(again.map(keys[0][0]), Map)
    assert np.array_equal(again.map(keys[0][0]).placed(), explanation.map(keys[0][0]).placed())


def test_the_same_explanation_gives_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        made().save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(os.listdir(str(tmp_path))) == ["a.npz", "b.npz"]  # nothing half-written is left


def test_numpy_reads_the_file_without_pickle(tmp_path):
    made().save(tmp_path / "e.npz")
    with np.load(str(tmp_path / "e.npz"), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["map0"], made().maps["gradcam", "a/Relu:0"])
        assert json.loads(arrays["header"].tobytes().decode())["version"] == 1


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "e.npz").symlink_to(tmp_path / "precious")
    made().save(tmp_path / "e.npz")
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "e.npz").is_symlink()


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OSError, match="cannot write the explanation"):
        made().save(tmp_path / "absent" / "e.npz")
    with pytest.raises(OptionError, match="the file of an explanation is a path, not 7"):
        made().save(7)
    with pytest.raises(OptionError, match="cannot be saved: its array 'scores' is float64"):
        made(scores=np.zeros((1, 2))).save(tmp_path / "e.npz")
    with pytest.raises(OptionError, match="cannot be saved: its placements are of a kind that a file cannot hold"):
        made(placements=[object()]).save(tmp_path / "e.npz")
    assert os.listdir(str(tmp_path)) == []


# files that are not explanations


@pytest.fixture
def arrays(tmp_path):
    made().save(tmp_path / "good.npz")
    with np.load(str(tmp_path / "good.npz")) as stored:
        return dict(stored)


def refused(path, match):
    with pytest.raises(ExplanationFileError, match=match) as caught:
        Explanation.load(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert os.path.basename(str(path)) in message


def with_header(arrays, **changes):
    header = {**json.loads(arrays["header"].tobytes().decode()), **changes}
    header = {name: value for name, value in header.items() if value != "left out"}
    return {**arrays, "header": np.frombuffer(json.dumps(header).encode(), np.uint8)}


def placements(**changes):
    rows = np.array([[40, 60, 8, 8, 0, 0, 40, 60, 0, 0, 8, 8]])
    for place, value in changes.items():
        rows[0, int(place[1:])] = value
    return rows


HEADERS = {
    "another program": ({"format": "photos"}, "header is that of another program"),
    "a later version": ({"version": 2}, "it has version 2, and this program reads version 1; update gradcam_tf1"),
    "no keys": ({"keys": []}, "has no maps"),
    "keys left out": ({"keys": "left out", "images": "left out"}, "its header lacks keys, images"),
    "a key twice": ({"keys": [["gradcam", "a"]] * 2}, "not pairs of names, each once"),
    "a key of numbers": ({"keys": [["gradcam", 1], ["gradient", ""]]}, "not pairs of names"),
    "statuses of one map": ({"statuses": [[]]}, "statuses are not those of its maps"),
    "statuses short": ({"statuses": [[[]], [[]]]}, "statuses are not those of its maps"),
    "an unknown state": ({"statuses": [[[["fine", "", []]] * 2]] * 2}, "statuses are not those of its maps"),
    "abouts of others": ({"abouts": ["a"]}, "abouts are not texts, one for each"),
    "layers of numbers": ({"layers": [1]}, "layers are not texts"),
    "labels": ({"labels": {"names": "abc", "offset": 0, "note": ""}}, "its labels are damaged"),
    "labels of more": ({"labels": {"names": [], "code": "x"}}, "its labels are damaged"),
    "an image too many": ({"images": [True, True]}, "list of images is damaged"),
    "placements of signals": ({"placements": "array"}, "its placements are 12 numbers of kind 'array'"),
    "placements of no kind": ({"placements": ["image"]}, "its placements are 12 numbers of kind"),
}


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_a_header_that_does_not_fit_is_refused(name, arrays, tmp_path):
    changes, match = HEADERS[name]
    np.savez(str(tmp_path / "e.npz"), **with_header(arrays, **changes))
    refused(tmp_path / "e.npz", match)


ARRAYS = {
    "no header": ({"header": None}, "it has no header"),
    "a header of rubbish": ({"header": np.frombuffer(b"\xff{", np.uint8)}, "header is not JSON"),
    "a deep header": ({"header": np.frombuffer(b"[" * 100_000, np.uint8)}, "header is not JSON"),
    "a list as header": ({"header": np.frombuffer(b"[]", np.uint8)}, "header is that of another program"),
    "no scores": ({"scores": None}, "lacks the array 'scores'"),
    "no map": ({"map1": None}, "lacks the array 'map1'"),
    "no image": ({"image0": None}, "lacks the array 'image0'"),
    "other scores": ({"scores": np.zeros((1, 3), np.float32)}, r"'scores' is float32 \[1, 3\]"),
    "double scores": ({"scores": np.zeros((1, 2))}, r"'scores' is float64 \[1, 2\]"),
    "no image at all": ({"class_ids": np.zeros((0, 2), np.int64)}, r"'class_ids' is int64 \[0, 2\]"),
    "a flat map": ({"map0": np.zeros((1, 2), np.float32)}, "'map0' has 2 axes"),
    "an empty map": ({"map0": np.zeros((1, 2, 0, 4), np.float32)}, r"'map0' is float32 \[1, 2, 0, 4\]"),
    "cells of NaN": ({"cells0": np.full((2, 2), np.nan)}, "'cells0' is not finite"),
    "cells that stand still": ({"cells0": np.zeros((2, 2))}, "'cells0' is not finite"),
    "a flat image": ({"image0": np.zeros((40, 60), np.uint8)}, r"'image0' is uint8 \[40, 60\]"),
    "another image": ({"image0": np.zeros((40, 61, 3), np.uint8)}, "another size than its placement"),
    "a giant input": ({"placements": placements(_3=10**9)}, "input of 8 x 1000000000 pixels"),
    "a box outside": ({"placements": placements(_6=41)}, "empty or outside of their image"),
    "an empty box": ({"placements": placements(_8=8)}, "empty or outside of their image"),
    "negative": ({"placements": placements(_4=-1)}, "placements are negative"),
    "objects": ({"scores": np.array([[{}, []]], object)}, "array of object, not of numbers"),
    "texts": ({"scores": np.array([["a", "b"]])}, "not of numbers"),
}


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_arrays_that_do_not_fit_are_refused(name, arrays, tmp_path):
    changes, match = ARRAYS[name]
    changed = {key: value for key, value in {**arrays, **changes}.items() if value is not None}
    np.savez(str(tmp_path / "e.npz"), **changed)
    refused(tmp_path / "e.npz", match)


def test_placements_that_would_fill_the_memory_are_refused(arrays, tmp_path):
    giant = placements(_0=10**6, _1=10**6)
    without_image = with_header({**arrays, "placements": giant}, images=[False])
    np.savez(str(tmp_path / "e.npz"), **without_image)
    refused(tmp_path / "e.npz", "its placements are 1000000 x 1000000")


def test_a_clip_and_its_maps_have_the_same_frames(tmp_path):
    explanation = made(**OTHERS["a clip"], statuses={("gradcam", "a"): [[EMPTY, EMPTY]]})
    broken = dataclasses.replace(explanation.placements[0], frames=6)
    with pytest.raises(OptionError, match="another number of frames than its clip"):
        dataclasses.replace(explanation, placements=[broken]).save(tmp_path / "e.npz")
    with pytest.raises(OptionError, match="images of signals, volumes or clips"):
        dataclasses.replace(explanation, images=(GRAY,)).save(tmp_path / "e.npz")
    with pytest.raises(OptionError, match="sides of length 0"):
        dataclasses.replace(explanation, placements=[ArrayPlacement((0, 4, 3))]).save(tmp_path / "e.npz")


class Payload:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_a_pickle_is_not_run(arrays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(str(tmp_path / "e.npz"), **{**arrays, "scores": np.array([[Payload()]], object)})
    refused(tmp_path / "e.npz", "not of numbers")
    (tmp_path / "p.npz").write_bytes(pickle.dumps(Payload()))
    refused(tmp_path / "p.npz", "is not an explanation that `save` wrote")
    assert not (tmp_path / "ran").exists()


def zipped(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(str(path), "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)


def npy(text, data=b""):
    header = text.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def described(shape, descr="'<f4'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


MEMBERS = {
    "a bomb": ([("scores.npy", bytes(10**7))], zipfile.ZIP_DEFLATED, "compressed or encrypted"),
    "a promise": ([("a.npy", npy(described("(1000000000, 1000000)")))], zipfile.ZIP_STORED, "does not fit its"),
    "less than none": ([("a.npy", npy(described("(-4, 2)")))], zipfile.ZIP_STORED, "damaged array"),
    "a call": ([("a.npy", npy("__import__('os').mkdir('ran')"))], zipfile.ZIP_STORED, "or is damaged"),
    "many brackets": ([("a.npy", npy("(" * 3000))], zipfile.ZIP_STORED, "or is damaged"),
    "a long header": ([("a.npy", npy(" " * 9000))], zipfile.ZIP_STORED, "of a kind that is not supported"),
    "a record": ([("a.npy", npy(described("(1,)", "[('a', '<f4')]"), bytes(4)))], zipfile.ZIP_STORED, "not of numbers"),
    "a photograph": ([("cat.jpg", b"\xff\xd8")], zipfile.ZIP_STORED, "'cat.jpg', which is not an array"),
    "nothing": ([], zipfile.ZIP_STORED, "it has no header"),
    "an empty member": ([("a.npy", b"")], zipfile.ZIP_STORED, "or is damaged"),
}


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_archives_of_strangers_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    members, method, match = MEMBERS[name]
    zipped(tmp_path / "e.npz", members, method)
    refused(tmp_path / "e.npz", match)
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_come_twice_or_share_their_bytes_are_refused(arrays, tmp_path):
    zipped(tmp_path / "twice.npz", [("a.npy", npy(described("(1,)"), bytes(4)))] * 2)
    refused(tmp_path / "twice.npz", "'a.npy', which is not an array or comes twice")
    with zipfile.ZipFile(str(tmp_path / "shared.npz"), "w") as archive:
        archive.writestr("a.npy", npy(described("(1000,)"), bytes(4000)))
        for number in range(9):  # more entries of the directory, with the same bytes behind them
            entry = zipfile.ZipInfo(f"b{number}.npy")
            first = archive.infolist()[0]
            for field in ("header_offset", "CRC", "file_size", "compress_size"):
                setattr(entry, field, getattr(first, field))
            archive.filelist.append(entry)
    refused(tmp_path / "shared.npz", "says that it holds more bytes than it has")


def test_every_cut_of_a_file_and_every_wrong_byte_is_an_error_or_harmless(tmp_path):
    made().save(tmp_path / "good.npz")
    data = (tmp_path / "good.npz").read_bytes()
    random = np.random.RandomState(3)
    refusals = []
    for case in range(300):
        damaged = bytearray(data)
        if case % 3 == 0:
            damaged = damaged[: random.randint(len(data))]
        else:
            for place in random.randint(0, len(data), 4):
                damaged[place] = random.randint(256)
        (tmp_path / "bad.npz").write_bytes(bytes(damaged))
        try:
            Explanation.load(tmp_path / "bad.npz")
        except ExplanationFileError as error:
            refusals.append(str(error))
    assert len(refusals) > 280  # each array has a checksum
    assert not [message for message in refusals if "\n" in message]


def test_what_is_not_a_file_is_refused(tmp_path):
    refused(tmp_path / "absent.npz", "cannot be opened: No such file")
    (tmp_path / "empty.npz").write_bytes(b"")
    refused(tmp_path / "empty.npz", "is empty")
    refused(tmp_path, "is a folder, not an explanation that `save` wrote")
    os.mkfifo(str(tmp_path / "pipe.npz"))
    refused(tmp_path / "pipe.npz", "is a named pipe")
    (tmp_path / "link.npz").symlink_to(tmp_path / "nowhere")
    refused(tmp_path / "link.npz", "a link that leads nowhere")
    with pytest.raises(OptionError, match="is a path, not None"):
        Explanation.load(None)


def test_a_loaded_explanation_of_an_unknown_method_can_be_read_and_not_drawn(tmp_path):
    explanation = one_explanation({("theircam", "a"): [hot_cell(1, 1)]})
    again = back(dataclasses.replace(explanation, images=(GRAY,)), tmp_path / "e.npz")
    assert again.map("theircam").values.max() == 4
    with pytest.raises(OptionError, match="no method 'theircam' is registered in this program"):
        again.map("theircam").overlay()
    assert "no method &#39;theircam&#39; is registered" in again._repr_html_()


def test_loading_needs_no_net(tmp_path):
    made().save(tmp_path / "e.npz")
    assert not isinstance(Explanation.load(tmp_path / "e.npz"), GradCamGraph)
