"""Files that are not explanations are refused in one sentence, and nothing in them is run."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from made_explanations import EMPTY, GRAY, hot_cell, one_explanation
from stored_explanations import OTHERS, made

from gradcam_tf1 import Explanation, ExplanationFileError, OptionError
from gradcam_tf1.images.array_placement import ArrayPlacement


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
    "classes of no image": ({"top": [[], []]}, "its best classes are damaged"),
    "classes of text": ({"top": [[["3", None, True]]]}, "its best classes are damaged"),
    "fewer classes": ({"top": [[[3, None, True]]]}, "scores of other than 1 classes"),
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
    "a map of pixels without channels": ({"map1": np.zeros((1, 2, 8, 8), np.float32)}, "is no map of 'gradient'"),
    "a map of cells with channels": ({"map0": np.zeros((1, 2, 3, 4, 3), np.float32)}, "is no map of 'gradcam'"),
    "an infinite range": ({"range0": np.full((1, 2, 2), np.inf)}, "the range of a map is infinite"),
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
    dataclasses.replace(explanation, images=(GRAY,)).save(tmp_path / "e.npz")
    again = Explanation.load(tmp_path / "e.npz")
    assert again.map("theircam").values.max() == 4
    with pytest.raises(OptionError, match="no method 'theircam' is registered in this program"):
        again.map("theircam").overlay()
    assert "no method &#39;theircam&#39; is registered" in again._repr_html_()
