"""Results show themselves and become a table, also when images failed or files are gone."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from html_tables import ShownTable
from PIL import Image

from gradcam_tf1 import MapRecord, Result, Results, Style, TargetRecord
from gradcam_tf1.drawing.notebook_view import ROWS
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.run import results as results_module
from gradcam_tf1.run.result_rows import RESULT_COLUMNS

HOSTILE = "<b>bad\n'\"&.png"


@pytest.fixture(scope="module")
def run(net, tmp_path_factory):
    """A run over two scenes and a file that is no image: its results, and the folder of the outputs."""
    folder = tmp_path_factory.mktemp("photos")
    for scene in demo_scenes()[:2]:
        shutil.copy(scene.path, str(folder))
    (folder / HOSTILE).write_text("no image")
    out = str(tmp_path_factory.mktemp("out"))
    return net.visualize_imgs(str(folder), out, ["ring", "star"], style=Style(box=0.2)), out


def shown(results) -> ShownTable:
    return ShownTable(results._repr_html_())


def test_the_first_maps_are_shown_with_their_files(run):
    results, out = run
    page = shown(results)
    assert f"3 images, 1 failed; files in {out}" in page.outside
    assert page.rows[1][:2] == ["no map", "<b>bad '\"&.png"]
    assert page.rows[1][5].startswith("error: ")
    assert page.rows[2][1:3] == ["scene_00.png", "1 ring"]
    assert [row[6] for row in page.rows[2:4]] == ["gradcam", "guided_gradcam"]
    written = np.asarray(Image.open(results[1].maps[0].files["overlay"]).convert("RGB").resize((96, 72)))
    assert np.abs(written.astype(int) - page.images[0]).mean() < 8
    assert page.tags == {"div", "table", "thead", "tbody", "tr", "th", "td", "img", "em"}


def test_files_that_are_gone_are_said_to_be(run, tmp_path):
    results, out = run
    moved = str(tmp_path / "moved")
    shutil.move(out, moved)
    try:
        page = shown(results)
        assert page.images == []
        assert "scene_00.png.c1-ring.gradcam.png' cannot be opened: No such file" in page.rows[2][0][-120:] or (
            page.rows[2][0].startswith("'") and "…" in page.rows[2][0]
        )
        assert len(page.rows) == 1 + 1 + 8
    finally:
        shutil.move(moved, out)


def test_records_that_cannot_be_read_back_end_the_table(net, tmp_path, monkeypatch):
    monkeypatch.setattr(results_module, "KEPT", 3)
    photos = str(tmp_path / "photos")
    os.mkdir(photos)
    for scene in demo_scenes()[:3]:
        shutil.copy(scene.path, photos)
    results = net.visualize_imgs(photos, str(tmp_path / "out"), methods="gradcam")
    os.remove(results.manifest)
    page = shown(results)
    assert page.rows[1][1] == "scene_00.png"
    assert "manifest" in page.rows[-1][0]
    assert "... and 2 more images" in page.outside


def record(**files):
    return MapRecord("gradcam", "conv:0", "ok", "", 0.0, 1.0, (1, 2), files)


def made(count, maps=1, **files):
    target = TargetRecord(3, None, 1.5, None, (record(**files),) * maps)
    return Results([Result(3, relative=f"{n}.png", index=n, size=(4, 5), targets=(target,)) for n in range(count)])


def test_many_images_are_counted_and_not_shown():
    assert "... and 88 more images: see the files" in shown(made(100)).outside
    page = shown(made(100, maps=20))
    assert len(page.rows) == 1 + ROWS
    assert "... and 99 more images, 8 more maps of the last one" in page.outside
    assert "more" not in shown(made(ROWS)).outside
    assert shown(Results([])).rows == [["", "image", "class", "score", "probability", "status", "method", "layer"]]


def test_a_map_without_a_drawn_file(tmp_path):
    assert shown(made(1)).rows[1][0] == "no image was written"
    clip = {"heatmap.f0007": "h.png", "overlay.f0007": str(tmp_path / "frame.png")}
    Image.new("RGB", (20, 10), (255, 0, 0)).save(clip["overlay.f0007"])
    (image,) = shown(made(1, **clip)).images
    assert image.shape == (10, 20, 3)
    assert image[5, 5, 0] > 240


def test_the_peak_of_a_clip_has_its_frame():
    pytest.importorskip("pandas")
    peak = MapRecord("gradcam", "conv:0", "ok", "", 0.0, 1.0, (7, 1, 2))
    frame = Results([Result(3, targets=(TargetRecord(3, None, 1.5, None, (peak,)),))]).to_dataframe()
    assert frame[["peak_frame", "peak_row", "peak_column"]].iloc[0].tolist() == [7, 1, 2]


def test_a_drawn_file_that_was_replaced_by_rubbish(tmp_path):
    (tmp_path / "a.png").write_text("<svg onload=alert(1)>")
    page = shown(made(1, overlay=str(tmp_path / "a.png")))
    assert page.images == []
    assert "a.png" in page.rows[1][0]


def test_a_dataframe_has_the_numbers_of_the_manifest(run):
    pandas = pytest.importorskip("pandas")
    results, _ = run
    frame = results.to_dataframe()
    assert tuple(frame.columns) == RESULT_COLUMNS
    assert len(frame) == 1 + 2 * 2 * 2
    failed = frame.iloc[0]
    assert (failed["status"], failed["relative"], failed["index"]) == ("error", HOSTILE, 0)
    assert failed["reason"] == results[0].error
    assert pandas.isna(failed["predicted"])
    assert pandas.isna(failed["score"])
    row, record = frame.iloc[3], results[1].targets[1].maps[0]
    assert (row["target"], row["label"], row["score"]) == (1, "star", results[1].targets[1].score)
    assert (row["height"], row["width"]) == results[1].size
    assert (row["peak_row"], row["peak_column"]) == record.peak
    assert tuple(row[f"box_{side}"] for side in ("top", "left", "bottom", "right")) == record.box
    assert pandas.isna(row["peak_frame"])
    assert row["files"] == record.files
    assert str(frame["peak_row"].dtype) == str(frame["predicted"].dtype) == "Int64"
    assert results[1:2].to_dataframe()["relative"].unique().tolist() == ["scene_00.png"]
