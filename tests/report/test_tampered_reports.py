"""Reports that somebody changed between two calls, and numbers of strangers: nothing is believed or waited for."""

from __future__ import annotations

import base64
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_folders import copy_scenes
from report_files import maps_of, records_of

from gradcam_tf1 import GradCamGraph, ManifestError, Style, write_report
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model

SECRET = b"a secret of another folder"


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as opened:
        yield opened


@pytest.fixture
def out(net, tmp_path):
    """The output folder of a run of one image, with numbers and heat maps."""
    folder = str(tmp_path / "out")
    photos = copy_scenes(tmp_path / "photos", "0.png")
    net.visualize_imgs(str(photos), folder, methods="gradcam", style=Style(raw=True))
    return folder


def changed(value, path, new):
    """A copy of nested JSON with another value at one place."""
    copy = json.loads(json.dumps(value))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = new
    return copy


MAP = ("targets", 0, "maps", 0)


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("size",), "x"),
        (("size",), [0, 5]),
        (("size",), None),
        (("top",), [7]),
        (("top", 0, "probability"), "x"),
        (("top", 0, "class_id"), 1.5),
        (("targets", 0, "class_id"), "x"),
        (("targets", 0, "label"), ["x"]),
        ((*MAP, "method"), []),
        ((*MAP, "notes"), 5),
        ((*MAP, "maximum"), float("nan")),
        ((*MAP, "peak"), [5]),
        ((*MAP, "pixels"), "https://example.org/x.png"),
        ((*MAP, "grid", "low"), float("inf")),
        ((*MAP, "grid", "top"), "5"),
        ((*MAP, "grid", "row_step"), 0),
        ((*MAP, "grid", "seen"), [5, 5, 5, 5]),
        (("preview",), "../../secret.jpg"),
        (("thumb",), "images/000001.thumb.jpg"),
        (("status",), float("nan")),
        (("error",), {}),
    ],
)
def test_a_record_with_other_values_is_made_again(out, path, new):
    write_report(out)
    before = records_of(out)
    record = Path(out, "report", "images", "000000.js")
    record.write_text(f'gradcam.receive("000000",{json.dumps(changed(before[0], path, new))});\n')
    write_report(out, single_file=True)
    assert records_of(out) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_link_in_a_report_is_replaced_and_not_followed(out, tmp_path):
    write_report(out)
    before = records_of(out)
    secret = tmp_path / "secret.txt"
    secret.write_bytes(SECRET)
    preview = Path(out, "report", "images", "000000.jpg")
    preview.unlink()
    preview.symlink_to(secret)
    page = write_report(out, single_file=True)
    assert base64.b64encode(SECRET)[:20] not in Path(page).read_bytes()
    assert records_of(out) == before
    assert preview.is_file()
    assert not preview.is_symlink()


def test_a_pipe_in_a_report_is_named_and_nothing_waits_for_it(out):
    write_report(out)
    record = Path(out, "report", "images", "000000.js")
    record.unlink()
    os.mkfifo(record)
    with pytest.raises(OSError, match="there is a device, a pipe or a socket"):
        write_report(out)


def numbers_of(out):
    (path,) = Path(out).glob("*.npz")
    with np.load(str(path)) as arrays:
        return path, dict(arrays)


def lying(shape):
    """An array file whose head promises more than there is."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(100)


def deep():
    head = b"{'descr':" + b"(" * 3000 + b"}"
    return b"\x93NUMPY\x01\0" + len(head).to_bytes(2, "little") + head


@pytest.mark.parametrize(
    "arrays",
    [
        {"map": np.full((5, 5, 3), 3e38, np.float32)},
        {"map": np.array([[3e38, -3e38]], np.float32)},
        {"offset": np.full(2, 1e308), "stride": np.full(2, 1e308)},
        {"offset": np.zeros(2), "stride": np.full(2, 1e-320)},
        {"map": lying((10**7, 10**7))},
        {"map": deep()},
    ],
    ids=["sum", "span", "far", "near", "lying", "deep"],
)
def test_numbers_that_cannot_be_computed_with_are_not_believed(out, arrays):
    for heat_map in Path(out).glob("*.heatmap.png"):
        heat_map.unlink()
    path, whole = numbers_of(out)
    np.savez(str(path), **{name: value for name, value in whole.items() if name not in arrays})
    with zipfile.ZipFile(str(path), "a") as archive:
        for name, value in arrays.items():
            file = io.BytesIO()
            if isinstance(value, bytes):
                file.write(value)
            else:
                np.save(file, value)
            archive.writestr(f"{name}.npy", file.getvalue())
    write_report(out)
    assert maps_of(records_of(out)[0])[0]["grid"] is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_in_place_of_numbers_is_not_waited_for(out):
    path, _ = numbers_of(out)
    path.unlink()
    os.mkfifo(str(path))
    write_report(out)
    assert maps_of(records_of(out)[0])[0]["grid"] is not None  # of the heat map


def test_a_maximum_that_no_map_can_have_is_not_believed(out):
    numbers_of(out)[0].unlink()
    manifest = Path(out, "manifest.jsonl")
    manifest.write_text(json.dumps(changed(json.loads(manifest.read_text()), (*MAP, "maximum"), 1e300)) + "\n")
    write_report(out)
    assert maps_of(records_of(out)[0])[0]["grid"] is None


@pytest.mark.parametrize(
    ("path", "new", "words"),
    [
        (("source",), 5, "5 is not a text"),
        (("relative",), [], r"\[\] is not a text"),
        (("error",), [1], r"\[1\] is not a text"),
        (("predicted",), "x", "'x' is not a whole number"),
        (("predicted",), 10**30, "10{30} is too large"),
        (("top", 0, "score"), "5", "'5' is not a number"),
        (("top", 0, "probability"), [], r"\[\] is not a number"),
        (("targets", 0, "class_id"), "5", "'5' is not a whole number"),
        (("targets", 0, "about"), float("nan"), "nan is not a text"),
        (("size",), [0, 5], r"the size is \(0, 5\)"),
        ((*MAP, "maximum"), "5", "'5' is not a number"),
        ((*MAP, "files", "heatmap"), "\0", "holds a null character"),
        ((*MAP, "files", "heatmap"), "\ud800", "surrogates not allowed"),
    ],
)
def test_a_line_with_other_types_is_named(out, path, new, words):
    manifest = Path(out, "manifest.jsonl")
    manifest.write_text(json.dumps(changed(json.loads(manifest.read_text()), path, new)) + "\n")
    with pytest.raises(ManifestError, match=f"line 1: not a line that a run wrote .*{words}"):
        write_report(out)
