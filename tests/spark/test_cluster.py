"""A real standalone cluster: one master and two workers of one core each, on this machine."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter

import cv2
import numpy as np
import pytest
from image_folders import copy_scenes, write_noise
from small_nets import SmallNet
from spark_cluster import Cluster, has_java, spark_on, wait_for

pytest.importorskip("pyspark")
# where it must be there, as in .ci/run, its absence is a failure
NEEDED = "GRADCAM_TF1_NEEDS_JAVA" in os.environ
pytestmark = [pytest.mark.programs, pytest.mark.skipif(not has_java() and not NEEDED, reason="Spark needs Java")]

IMAGES = 5000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def spark(cluster):
    settings = {"spark.sql.files.maxPartitionBytes": "4m"}  # 20 tasks of 250 small images
    with spark_on(cluster.url, cluster.folder, settings) as spark:
        yield spark


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes, images of other kinds and sizes, and some that cannot be read."""
    folder = tmp_path_factory.mktemp("images")
    copy_scenes(folder, "scene_00.png", "scene_01.png", "scene_02.png")
    write_noise(folder / "deeper", {"wide.png": (40, 90), "TALL.JPG": (90, 40), "grey & ümlaut.bmp": (33, 21)})
    (folder / "cut.png").write_bytes((folder / "scene_00.png").read_bytes()[:2000])
    (folder / "text.jpg").write_bytes(b"no image at all")
    (folder / "notes.txt").write_bytes(b"not listed")
    return folder


def rows_of_run(results):
    """(file name, target, method) -> the record of the map, with its result and target; of failed images the result."""
    found = {}
    for result in results:
        for t, target in enumerate(result.targets):
            found.update({(result.source, t, record.method): (result, target, record) for record in target.maps})
        if not result.ok:
            found[result.source, None, None] = (result, None, None)
    return found


def test_the_rows_are_those_of_a_run(spark, folder, tmp_path):
    from gradcam_tf1 import GradCamGraph, RunOptions, Style
    from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model
    from gradcam_tf1.spark import explain_images, read_images
    from gradcam_tf1.spark.row_columns import raw_map
    from gradcam_tf1.spark.row_writer import encoded

    empty = tmp_path / "empty.png"  # which Spark leaves out of its listings
    empty.write_bytes(b"")
    asked = {"targets": ["cross", 0], "methods": ["gradcam", "guided_gradcam"], "run": RunOptions(batch_size=1)}
    named = {"preset": DEMO_PRESET, "labels": DEMO_CLASSES}
    with GradCamGraph(demo_model(), **named) as net:
        style = Style(raw=True, box=0.5)
        wanted = rows_of_run(net.visualize_imgs([str(folder), str(empty)], str(tmp_path / "run"), style=style, **asked))
    images = read_images(spark, str(folder))
    images = images.union(spark.createDataFrame([(str(empty), b"", 0)], images.schema))
    explained = explain_images(images, demo_model(), style=Style(box=0.5), **asked, **named)
    explained.write.parquet(str(tmp_path / "rows"))
    rows = spark.read.parquet(str(tmp_path / "rows")).collect()

    assert len(rows) == len(wanted) == 6 * 4 + 3
    for row in rows:
        result, target, record = wanted.pop((row.path.replace("file:", ""), row.target, row.method))
        if record is None:
            assert (row.status, row.error.replace("file:", "")) == ("error", result.error)
            continue
        assert (row.height, row.width, row.predicted) == (*result.size, result.predicted)
        assert (row.class_id, row.label, row.about) == (target.class_id, target.label, target.about)
        np.testing.assert_allclose([row.score, row.probability], [target.score, target.probability], rtol=1e-5)
        assert (row.status, row.error, row.layer, row.reason or "") == (
            record.status,
            None,
            record.layer,
            record.reason,
        )
        assert (row.peak and tuple(row.peak), row.box and tuple(row.box)) == (record.peak, record.box)
        np.testing.assert_allclose([row.minimum, row.maximum], [record.minimum, record.maximum], rtol=1e-4, atol=1e-6)
        top = json.loads(row.top)
        assert [entry["class_id"] for entry in top] == [entry.class_id for entry in result.top]
        assert [entry["label"] for entry in top] == [entry.label for entry in result.top]
        drawn = cv2.imread(record.files["pixels" if row.overlay is None else "heatmap"]).astype(int)
        assert np.abs(drawn - decoded(row.map)).max() <= 2
        if row.overlay is not None:
            as_jpeg = decoded(encoded("overlay", cv2.imread(record.files["overlay"])[..., ::-1]))
            assert np.abs(as_jpeg - decoded(row.overlay)).mean() < 1
        with np.load(record.files["raw"]) as raw:
            exact, placement = raw["map"], [*raw["original"], *raw["fitted"], *raw["seen"], *raw["inside"]]
        stored = raw_map(row.raw, row.raw_shape, row.raw_scale)
        np.testing.assert_allclose(stored, exact, atol=2**-11 * np.abs(exact).max())
        assert row.placement == placement
    assert wanted == {}


def test_detections_are_those_of_a_run_and_their_anchors_are_read_here(spark, tmp_path):
    from detector_nets import ANCHORS, scene, ssd
    from recipe_nets import write_frozen

    from gradcam_tf1 import Boxes, Detections, GradCamGraph
    from gradcam_tf1.spark import explain_images, read_images

    (tmp_path / "images").mkdir()
    for name, cells in {"a.png": [(0, 0), (3, 3)], "b.png": [], "c.png": [(2, 1)]}.items():
        cv2.imwrite(str(tmp_path / "images" / name), scene(red=cells)[..., ::-1])
    np.save(str(tmp_path / "anchors.npy"), ANCHORS)
    target = Detections(boxes=Boxes(anchors=str(tmp_path / "anchors.npy")))
    named = {"preset": "zero-one", "layer": "features"}
    model = str(tmp_path / "ssd.pb")
    write_frozen(ssd, model)
    with GradCamGraph(model, **named) as net:
        results = net.visualize_imgs(str(tmp_path / "images"), str(tmp_path / "run"), target, methods="odam")
    explained = explain_images(read_images(spark, str(tmp_path / "images")), model, target, methods="odam", **named)
    (tmp_path / "anchors.npy").unlink()  # executors have no such file
    rows = {(os.path.basename(row.path), row.target): row for row in explained.collect()}
    assert len(rows) == 4
    for result in results:
        for t, each in enumerate(result.targets):
            row = rows[os.path.basename(result.relative), t]
            assert (row.class_id, row.about, row.status) == (each.class_id, each.about, each.maps[0].status)
            if each.detection is None:
                assert (row.detection, row.confidence, row.anchor) == (None, None, None)
                continue
            np.testing.assert_allclose(row.detection, each.detection.box, atol=1e-4)
            assert row.confidence == pytest.approx(each.detection.confidence, rel=1e-5)
            assert row.anchor == each.detection.anchor


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)


def test_a_killed_executor_loses_and_repeats_nothing(cluster, spark, tmp_path):
    from spark_nets import CountedNet

    from gradcam_tf1.spark import explain_images, read_images

    net = SmallNet("gap")
    (tmp_path / "net.pb").write_bytes(net.graph().as_graph_def().SerializeToString())
    for part in range(50):
        write_noise(tmp_path / "images" / str(part), {f"{n:05d}.png": (8, 12) for n in range(part, IMAGES, 50)}, part)
    log, out = tmp_path / "opened.txt", tmp_path / "rows"
    images = read_images(spark, str(tmp_path / "images"))
    explained = explain_images(images, str(tmp_path / "net.pb"), methods="gradcam", net_class=CountedNet, log=str(log))

    job = threading.Thread(target=lambda: explained.write.parquet(str(out)))
    job.start()
    wait_for(lambda: len(list(out.rglob("part-*"))) >= 3, "the first results")
    cluster.executors()[0].send_signal(signal.SIGKILL)
    assert not (out / "_SUCCESS").exists()
    job.join()

    rows = spark.read.parquet(str(out)).select("path", "status").collect()
    paths = Counter(os.path.basename(row.path) for row in rows)
    assert set(paths) == {f"{n:05d}.png" for n in range(IMAGES)}
    assert set(paths.values()) == {1}
    opened = Counter(log.read_text().split())
    opened.pop(str(os.getpid()))  # the driver, which checks the request
    assert set(opened.values()) == {1}
    assert len(opened) in (2, 3)  # one Python worker for each executor, and for the one that replaced the killed one
    assert (out / "_SUCCESS").exists()


def test_what_cannot_be_listed_or_written_is_said(spark, tmp_path):
    from gradcam_tf1.errors import ImageFileError, OptionError, RunError
    from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model
    from gradcam_tf1.spark import explain_images, read_images, write_rows

    with pytest.raises(ImageFileError, match="Spark cannot list"):
        read_images(spark, str(tmp_path / "nowhere"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "notes.txt").write_bytes(b"text")
    with pytest.raises(ImageFileError, match="no images in"):
        read_images(spark, str(tmp_path / "photos"))
    scenes = copy_scenes(tmp_path / "scenes [1]", "a.png")  # no pattern
    images = read_images(spark, str(scenes))
    explained = explain_images(images, demo_model(), preset=DEMO_PRESET)
    with pytest.raises(OptionError, match="cannot be written .*; choose a new folder"):
        write_rows(explained, str(tmp_path / "photos"))
    (scenes / "a.png").unlink()
    with pytest.raises(RunError, match="the job failed, and wrote nothing: .*a.png"):
        write_rows(explained, str(tmp_path / "rows"))
    assert not (tmp_path / "rows").exists()  # so that the next try may have the name
    (scenes / "C:cat.png").write_bytes(b"text")
    with pytest.raises(ImageFileError, match="C:cat.png' has a colon in its name, which Spark cannot open"):
        read_images(spark, str(scenes))
