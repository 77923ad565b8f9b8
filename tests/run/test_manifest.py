"""manifest.jsonl and run.json: strict JSON that says where everything is."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest

from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.run.manifest import ManifestWriter, read_manifest, write_run
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.run.result import MapRecord, Result, TargetRecord

ODD = os.fsdecode(b"in/caf\xe9.jpg")


def reject(constant):
    raise AssertionError(f"{constant} is not JSON")


def strictly(text):
    text.encode("ascii")
    return json.loads(text, parse_constant=reject)


def owl(out_folder):
    files = {"overlay": os.path.join(out_folder, "birds", "owl.png"), "raw": os.path.join(out_folder, "owl.npz")}
    maps = [
        MapRecord("gradcam", "conv:0", "ok", "", -0.5, 2.0, (3, 4), files, (0, 1, 5, 6), ("as it is",)),
        MapRecord("gradcam", "conv:0", "empty", "overflow", math.nan, math.inf, None, {}),
    ]
    target = TargetRecord(24, "great grey owl", 8.5, None, tuple(maps), "not 7")
    return Result(
        24,
        source="in/birds/owl.jpg",
        relative="birds/owl.jpg",
        size=(480, 640),
        targets=[target],
        figures={"layers": os.path.join(out_folder, "birds", "layers.png")},
        top=(ClassScore(24, "great grey owl", 8.5, 0.75), ClassScore(7, None, -1.0, None)),
    )


def test_one_line_per_image(tmp_path):
    out = str(tmp_path)
    with ManifestWriter(out) as manifest:
        manifest.write(owl(out))
        manifest.write(Result(source="in/bad.jpg", relative="bad.jpg", error="truncated"))
    first, second = map(strictly, (tmp_path / "manifest.jsonl").read_text().splitlines())
    assert first == {
        "source": "in/birds/owl.jpg",
        "relative": "birds/owl.jpg",
        "status": "ok",
        "error": None,
        "size": [480, 640],
        "predicted": 24,
        "figures": {"layers": "birds/layers.png"},
        "top": [
            {"class_id": 24, "label": "great grey owl", "score": 8.5, "probability": 0.75},
            {"class_id": 7, "label": None, "score": -1.0, "probability": None},
        ],
        "targets": [
            {
                "class_id": 24,
                "label": "great grey owl",
                "about": "not 7",
                "score": 8.5,
                "probability": None,
                "maps": [
                    {
                        "method": "gradcam",
                        "layer": "conv:0",
                        "status": "ok",
                        "reason": "",
                        "minimum": -0.5,
                        "maximum": 2.0,
                        "peak": [3, 4],
                        "box": [0, 1, 5, 6],
                        "notes": ["as it is"],
                        "files": {"overlay": "birds/owl.png", "raw": "owl.npz"},
                    },
                    {
                        "method": "gradcam",
                        "layer": "conv:0",
                        "status": "empty",
                        "reason": "overflow",
                        "minimum": None,
                        "maximum": None,
                        "peak": None,
                        "box": None,
                        "notes": [],
                        "files": {},
                    },
                ],
            }
        ],
    }
    assert (second["status"], second["error"], second["predicted"]) == ("error", "truncated", None)
    assert (second["size"], second["targets"]) == (None, [])


def test_every_line_is_on_disk_at_once(tmp_path):
    with ManifestWriter(str(tmp_path)) as manifest:
        manifest.write(owl(str(tmp_path)))
        assert len(list(read_manifest(manifest.path))) == 1


def test_a_new_run_starts_a_new_manifest(tmp_path):
    for name in ("a", "b"):
        with ManifestWriter(str(tmp_path)) as manifest:
            manifest.write(Result(0, source=name))
    assert [line["source"] for line in read_manifest(manifest.path)] == ["b"]


def test_paths_that_are_not_utf8_come_back_whole(tmp_path):
    with ManifestWriter(str(tmp_path)) as manifest:
        manifest.write(Result(0, source=ODD, relative=ODD))
        manifest.write(Result(0, source="new\nline \u732b.jpg"))
    raw = strictly((tmp_path / "manifest.jsonl").read_text().splitlines()[0])
    assert raw["source"] == "in/caf\\xe9.jpg"
    odd, plain = read_manifest(manifest.path)
    assert odd["source"] == ODD
    assert plain["source"] == "new\nline \u732b.jpg"
    assert "source_hex" not in plain


def test_damaged_manifest_names_the_line(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"source": "a"}\n{"source": \n')
    with pytest.raises(ValueError, match=r"manifest\.jsonl, line 2: not a line of a manifest"):
        list(read_manifest(str(path)))


def test_strict_json_takes_numpy_and_refuses_nothing():
    value = {
        "a": np.float32(1.5),
        2: np.arange(3),
        "b": (np.nan, -np.inf, None, True),
        "c\ud800": b"x",
        "d": np.int64(1),
    }
    assert strictly(strict_json(value)) == {
        "a": 1.5,
        "2": [0, 1, 2],
        "b": [None, None, None, True],
        "c\\ud800": "b'x'",
        "d": 1,
    }


def test_run_settings(tmp_path):
    write_run(str(tmp_path), {"alpha": 0.5, "methods": ("gradcam",), "model": ODD})
    settings = strictly((tmp_path / "run.json").read_text())
    assert settings == {"alpha": 0.5, "methods": ["gradcam"], "model": "in/caf\\xe9.jpg"}
