"""The rows of a cluster without a cluster: how they are made, read back, reported and measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import command

from gradcam_tf1.errors import ManifestError, OptionError
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.run.run_options import RunOptions, RunRequest

pytest.importorskip("pyspark")
pyarrow = pytest.importorskip("pyarrow")
pandas = pytest.importorskip("pandas")
SCENES = demo_scenes()[:3]


@pytest.fixture(scope="module")
def rows():
    """Rows of three scenes and a damaged image, by a task in this process."""
    from gradcam_tf1 import ExplainOptions, GradCamGraph, Style, load
    from gradcam_tf1.spark import partition_task
    from gradcam_tf1.spark.explain_dataframe import _plan
    from gradcam_tf1.spark.worker_net import WorkerNet

    class Here:
        def load(self):
            return load(demo_model())

    named = {"preset": DEMO_PRESET, "labels": DEMO_CLASSES}
    asked = RunRequest(
        [None, "cross"], None, None, "logit", ExplainOptions(), Style(raw=True), RunOptions(batch_size=2)
    )
    with GradCamGraph(demo_model(), **named) as net:
        request, settings = _plan(net, asked)
    kept = WorkerNet()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition_task, "KEPT", kept)
        patch.setenv("CUDA_VISIBLE_DEVICES", "-1")
        patch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        task = partition_task.PartitionTask("key", Here(), GradCamGraph, named, request)
        paths = [scene.path for scene in SCENES]
        contents = [Path(path).read_bytes() for path in paths]
        frames = [
            pandas.DataFrame({"path": [f"file:{path}" for path in paths[:2]], "content": contents[:2]}),
            pandas.DataFrame({"path": [], "content": []}),
            pandas.DataFrame(
                {
                    "path": [f"file:{paths[2]}", "file:/far/cut.png", "hdfs://a/huge.png"],
                    "content": [contents[2], contents[2][:999], None],
                    "length": [len(contents[2]), 999, 10**12],
                }
            ),
        ]
        found = pandas.concat(task(iter(frames)))
        assert list(task(iter([frames[1]]))) == []
    return found, settings


def write(folder, found, settings, **changes):
    """The rows as Parquet with the metadata that Spark writes."""
    from gradcam_tf1.spark.row_columns import COLUMNS, SETTINGS_KEY

    kinds = {"string": pyarrow.string(), "long": pyarrow.int64(), "double": pyarrow.float64()}
    kinds["binary"] = pyarrow.binary()
    types = {
        name: pyarrow.list_(kinds[kind["elementType"]]) if isinstance(kind, dict) else kinds[kind]
        for name, kind in COLUMNS.items()
    }
    columns = {name: changes.get(name, found[name].tolist()) for name in COLUMNS if changes.get(name, 0) is not None}
    fields = [{"name": "path", "metadata": {SETTINGS_KEY: json.dumps(settings)} if settings else {}}]
    schema = pyarrow.schema(
        [(name, types[name]) for name in columns],
        {b"org.apache.spark.sql.parquet.row.metadata": json.dumps({"fields": fields}).encode()},
    )
    from pyarrow import parquet

    folder.mkdir()
    parquet.write_table(pyarrow.table(columns, schema), str(folder / "part-0.parquet"))
    return folder


@pytest.fixture(scope="module")
def stored(rows, tmp_path_factory):
    found, settings = rows
    return write(tmp_path_factory.mktemp("stored") / "rows", found, json.loads(json.dumps(settings, default=str)))


def test_a_raw_map_of_any_size_of_numbers_comes_back():
    from gradcam_tf1.spark.row_columns import raw_map, raw_values

    placement = {"original": (20, 30), "fitted": (8, 8), "seen": (0, 0, 20, 30), "inside": (0, 0, 8, 8)}
    for size in (1e-20, 1.0, 1e12):
        values = (np.random.RandomState(0).randn(5, 7) * size).astype(np.float32)
        columns = raw_values({"map": values, **placement})
        found = raw_map(columns["raw"], columns["raw_shape"], columns["raw_scale"])
        np.testing.assert_allclose(found, values, rtol=2**-11, atol=2**-24 * np.abs(values).max())
    assert not raw_map(
        *(raw_values({"map": np.zeros((2, 2)), **placement})[n] for n in ("raw", "raw_shape", "raw_scale"))
    ).any()


def test_an_overlay_too_large_for_jpeg_is_a_png():
    from gradcam_tf1.spark.row_writer import encoded

    assert encoded("overlay", np.zeros((3, 65_500, 3), np.uint8)).startswith(b"\xff\xd8")
    assert encoded("overlay", np.zeros((3, 65_501, 3), np.uint8)).startswith(b"\x89PNG")


def test_an_image_that_cannot_be_read_is_a_row(rows):
    found = rows[0]
    failed = found[found["status"] == "error"]
    assert failed["path"].tolist() == ["file:/far/cut.png", "hdfs://a/huge.png"]
    assert "image file is truncated" in failed["error"].iloc[0]
    assert "has 1,000,000,000,000 bytes, more than the 400,000,000 that are read" in failed["error"].iloc[1]
    assert len(found) == (2 + 2 + 1) * 2 + 2  # the net takes one scene for a cross, whose map is there once


def exact(map):
    """The fields without floats and paths."""
    return {name: value for name, value in map.items() if name not in ("files", "minimum", "maximum")}


def arrays(path):
    with np.load(str(path)) as found:
        return dict(found)


def test_the_run_folder_is_that_of_a_run(stored, tmp_path):
    from gradcam_tf1 import GradCamGraph, RunOptions, Style, read_manifest
    from gradcam_tf1.spark import write_run_folder

    write_run_folder(str(stored), str(tmp_path / "made"))
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        paths, run = [scene.path for scene in SCENES], RunOptions(batch_size=2)
        net.visualize_imgs(paths, str(tmp_path / "run"), [None, "cross"], style=Style(raw=True), run=run)
    made = {line["source"]: line for line in read_manifest(str(tmp_path / "made" / "manifest.jsonl"))}
    for line in read_manifest(str(tmp_path / "run" / "manifest.jsonl")):
        own = made[line["source"]]
        for mine, theirs in zip(own["targets"], line["targets"]):
            assert mine["class_id"] == theirs["class_id"]
            assert mine["score"] == pytest.approx(theirs["score"], rel=1e-5)
            for map, other in zip(mine["maps"], theirs["maps"]):
                assert exact(map) == exact(other)
                one = arrays(tmp_path / "made" / map["files"]["raw"])
                two = arrays(tmp_path / "run" / other["files"]["raw"])
                assert set(one) == set(two)
                np.testing.assert_allclose(one["map"], two["map"], atol=1e-3 * np.abs(two["map"]).max())
        assert [each["class_id"] for each in own["top"]] == [each["class_id"] for each in line["top"]]


def test_the_commands_read_the_rows(stored, tmp_path):
    assert "_run" in command("report", stored)
    assert (stored / "_run" / "report" / "index.html").is_file()
    boxes = tmp_path / "boxes.csv"
    lines = [
        f"{scene.path},{name},{box[1]},{box[0]},{box[3]},{box[2]}"
        for scene in SCENES
        for name, box in scene.boxes.items()
    ]
    boxes.write_text("\n".join(["image,class,left,top,right,bottom", *lines]))
    out = tmp_path / "measured"
    command("evaluate", stored, "--boxes", boxes, "--metric", "energy", "--method", "gradcam", "--out", out, code=1)
    stored_energy = json.loads((out / "evaluation.json").read_text())["metrics"]["energy"]["means"]["gradcam"]["mean"]
    images = [scene.path for scene in SCENES]
    asked = ("--boxes", boxes, "--metric", "energy", "--preset", DEMO_PRESET, "--labels", labels_file(tmp_path))
    command("evaluate", demo_model(), *images, *asked, "--out", tmp_path / "anew")
    energy = json.loads((tmp_path / "anew" / "evaluation.json").read_text())["metrics"]["energy"]["means"]["gradcam"][
        "mean"
    ]
    assert stored_energy == pytest.approx(energy, rel=1e-3)


def labels_file(folder):
    (folder / "labels.txt").write_text("\n".join(DEMO_CLASSES))
    return folder / "labels.txt"


def test_what_stored_maps_cannot_say_is_refused(stored):

    for told, words in [
        ("insertion need the net and the images", ["--metric", "insertion"]),
        ("pointing need the places of the objects", ["--metric", "pointing"]),
        ("has no maps of rise; there are gradcam, guided_gradcam", ["--metric", "complexity", "--method", "rise"]),
    ]:
        assert told in command("evaluate", stored, *words, code=2)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"box": None}, OptionError, "its column box is missing, not list"),
        ({"raw": [b"abc"] * 12}, ManifestError, "its raw map is damaged"),
        ({"placement": [[1] * 12] * 12}, ManifestError, "its raw map is damaged"),
        ({"top": ["nothing"] * 12}, ManifestError, "not the rows of an image"),
        ({"path": ["a"] * 12}, ManifestError, "'a' was explained twice"),
        ({"path": ["a", "b", *["a"] * 10]}, ManifestError, "are not together"),
    ],
)
def test_damaged_rows_are_refused(rows, tmp_path, changes, error, message):
    from gradcam_tf1.spark import write_run_folder

    found, _ = rows
    folder = write(tmp_path / "rows", found, {"methods": ["gradcam"]}, **changes)
    with pytest.raises(error, match=message):
        write_run_folder(str(folder), str(tmp_path / "out"))


def test_other_data_is_refused(rows, tmp_path):
    from gradcam_tf1.spark import write_run_folder

    with pytest.raises(OptionError, match="have no settings in the metadata"):
        write_run_folder(str(write(tmp_path / "rows", rows[0], None)), str(tmp_path / "out"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.parquet").write_bytes(b"no Parquet")
    with pytest.raises((OptionError, ManifestError), match="Parquet"):
        write_run_folder(str(tmp_path / "text"), str(tmp_path / "out"))


def test_the_box_of_a_detection_comes_back(rows, tmp_path):
    from gradcam_tf1 import Detection
    from gradcam_tf1.run.result import MapRecord, Result, TargetRecord
    from gradcam_tf1.spark.parquet_rows import StoredRows
    from gradcam_tf1.spark.row_columns import COLUMNS, image_rows

    map = MapRecord("odam", "conv:0", "ok", "", 0.0, 1.0, (1, 2), files={"raw": "raw"})
    boxes = [Detection((1.5, 2.25, 30.0, 40.0), 0.75, 2**40), None]
    targets = tuple(TargetRecord(3, "ring", 1.5, 0.5, (map,), f"detection {n + 1}", box) for n, box in enumerate(boxes))
    placement = {"original": (50, 60), "fitted": (5, 6), "seen": (0, 0, 50, 60), "inside": (0, 0, 5, 6)}
    result = Result(3, targets=targets, source="file:/a.png", relative="a.png", size=(50, 60))
    own = image_rows(result, {"raw": {"map": np.ones((5, 6), np.float32), **placement}})
    found = pandas.DataFrame({name: pandas.Series([row.get(name) for row in own], dtype=object) for name in COLUMNS})
    settings = json.loads(json.dumps(rows[1], default=str))
    ((again, _),) = StoredRows(str(write(tmp_path / "rows", found, settings))).images_rows()
    assert [target.detection for target in again.targets] == boxes
    # files of earlier versions have no such columns
    older = write(tmp_path / "older", found, settings, detection=None, confidence=None, anchor=None)
    ((again, _),) = StoredRows(str(older)).images_rows()
    assert [target.detection for target in again.targets] == [None, None]
