"""The formats of drawn images: what is written how, that all who read a folder follow, and what is refused."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest
from command_line import command, run
from image_folders import copy_scenes
from made_explanations import GRAY, hot_cell, one_explanation
from PIL import Image
from report_files import maps_of, records_of

from gradcam_tf1 import OptionError, RunOptions, Style, write_report
from gradcam_tf1.drawing.image_formats import IMAGE_FORMATS, write_image
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.writing import MapWriter

BOTH = {("gradcam", "conv:0"): [hot_cell(0, 3)]}
KINDS = {"jpeg": ("JPEG", ".jpg"), "webp": ("WEBP", ".webp")}
METHODS = ["gradcam", "guided_gradcam"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return copy_scenes(tmp_path_factory.mktemp("photos"), "0.png", "1.png")


def overlay_of(folder, name, style=None, image=GRAY):
    writer = MapWriter(str(folder), Namer("source", IMAGE_FORMATS[name].ending), style or Style(), name)
    folder.mkdir()
    (record,) = writer.write(image, "a.jpg", one_explanation(BOTH), 0)
    return record.maps[0].files


def rows(out):
    with open(os.path.join(out, "manifest.jsonl"), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", list(KINDS))
def test_overlays_look_the_same_and_heat_maps_stay_exact(tmp_path, name):
    exact, files = overlay_of(tmp_path / "png", "png"), overlay_of(tmp_path / name, name)
    kind, ending = KINDS[name]
    assert files["overlay"].endswith("a.jpg.c3.gradcam" + ending)
    with Image.open(files["overlay"]) as drawn, Image.open(exact["overlay"]) as expected:
        assert (drawn.format, expected.format) == (kind, "PNG")
        assert np.abs(np.asarray(drawn.convert("RGB"), float) - np.asarray(expected, float)).mean() < 3
    with open(files["heatmap"], "rb") as ours, open(exact["heatmap"], "rb") as theirs:
        assert ours.read() == theirs.read()


def test_red_stays_red(tmp_path):
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = 200
    for name, (_, ending) in KINDS.items():
        write_image(str(tmp_path / f"x{ending}"), image, name)
        with Image.open(tmp_path / f"x{ending}") as read:
            assert np.abs(np.asarray(read.convert("RGB"), int) - image).max() < 12


def test_the_edge_of_mask_only_is_kept(tmp_path):
    files = overlay_of(tmp_path / "out", "jpeg", Style(style="mask-only"))
    assert files["overlay"].endswith(".png")


def test_what_is_too_large_for_a_format_is_png(tmp_path, monkeypatch):
    monkeypatch.setitem(IMAGE_FORMATS, "webp", IMAGE_FORMATS["webp"]._replace(longest=50))
    assert overlay_of(tmp_path / "out", "webp")["overlay"].endswith(".png")  # 60 pixels wide


@pytest.mark.parametrize("name", list(KINDS))
def test_the_longest_sides_are_those_of_the_encoders(tmp_path, name):
    longest = IMAGE_FORMATS[name].longest
    path = str(tmp_path / ("x" + IMAGE_FORMATS[name].ending))
    write_image(path, np.zeros((1, longest, 3), np.uint8), name)
    assert cv2.imread(path).shape == (1, longest, 3)


def test_a_folder_named_like_a_written_file_is_set_apart():
    assert Namer("source", ".webp").stem("a.webp/b.png", 0) == "a.webp_/b.png"
    assert Namer("source").stem("a.webp/b.png", 0) == "a.webp/b.png"  # as before


@pytest.mark.parametrize("wrong", ["JPEG", "gif", "", None, 3, ["png"]])
def test_unknown_formats_are_refused(wrong):
    with pytest.raises(OptionError, match="possible: png, jpeg, webp"):
        RunOptions(image_format=wrong)


def test_readers_of_a_folder_follow(net, photos, tmp_path):
    out = str(tmp_path / "out")
    options = RunOptions(image_format="jpeg", naming="indexed", report=True)
    net.visualize_imgs(str(photos), out, methods=METHODS, run=options)
    for row in rows(out):
        gradcam, guided = row["targets"][0]["maps"]
        assert gradcam["files"]["overlay"].endswith(".jpg")
        assert gradcam["files"]["heatmap"].endswith(".heatmap.png")
        assert guided["files"]["pixels"].endswith(".jpg")
        assert row["figures"]["original"].endswith(".png")
        assert all(
            os.path.isfile(os.path.join(out, map["files"][kind])) for map in (gradcam, guided) for kind in map["files"]
        )
    kept = records_of(out)
    assert [map["pixels"] for record in kept for map in maps_of(record)[1:]] == [
        f"../{row['targets'][0]['maps'][1]['files']['pixels']}" for row in rows(out)
    ]
    write_report(out)
    grids = [[maps_of(record)[0]["grid"] for record in records] for records in (kept, records_of(out))]
    assert None not in grids[0] + grids[1]


def test_a_run_is_resumed_in_its_own_format_only(net, photos, tmp_path):
    out = str(tmp_path / "out")
    net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(image_format="webp", n_images=2))
    again = net.visualize_imgs(
        str(photos), out, methods="gradcam", run=RunOptions(image_format="webp", n_images=2, resume=True)
    )
    assert len(again) == 2
    with pytest.raises(OptionError, match='image_format was "webp", now it is "png"'):
        net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(n_images=2, resume=True))


class TestAnotherFormatInTheSameFolder:
    @staticmethod
    def drawn(out):
        return sorted(path.name for path in out.glob("*.gradcam.*") if "heatmap" not in path.name)

    def run(self, net, photos, out, image_format, **options):
        return net.visualize_imgs(
            str(photos), str(out), methods="gradcam", run=RunOptions(image_format=image_format, **options)
        )

    def test_the_files_of_the_earlier_format_go(self, net, photos, tmp_path):
        for image_format, ending in [("png", ".png"), ("jpeg", ".jpg"), ("webp", ".webp"), ("png", ".png")]:
            results = self.run(net, photos, tmp_path, image_format)
            assert self.drawn(tmp_path) == sorted(os.path.basename(r.maps[0].files["overlay"]) for r in results)
            assert all(name.endswith(ending) for name in self.drawn(tmp_path))
            assert len(list(tmp_path.glob("*.heatmap.png"))) == 2

    def test_other_files_stay(self, net, photos, tmp_path):
        self.run(net, photos, tmp_path, "png", n_images=1)
        (name,) = self.drawn(tmp_path)
        others = {
            "my.png": b"mine",
            name[: -len("png")] + "webp": b"of no run",
            "x.c1.gradcam.png": b"of another image",
        }
        for other, data in others.items():
            (tmp_path / other).write_bytes(data)
        self.run(net, photos, tmp_path, "jpeg", n_images=1)
        assert not (tmp_path / name).exists()
        assert all((tmp_path / other).read_bytes() == data for other, data in others.items())

    def test_a_folder_without_a_run_keeps_all(self, net, photos, tmp_path):
        self.run(net, photos, tmp_path / "first", "png", n_images=1)
        (name,) = self.drawn(tmp_path / "first")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / name).write_bytes(b"mine")
        self.run(net, photos, tmp_path / "out", "jpeg", n_images=1)
        assert (tmp_path / "out" / name).read_bytes() == b"mine"

    def test_a_resumed_run_goes_on_replacing(self, net, photos, tmp_path):
        self.run(net, photos, tmp_path, "png")
        self.run(net, photos, tmp_path, "jpeg")
        whole = (tmp_path / "manifest.jsonl").read_bytes()
        second = json.loads(whole.splitlines()[1])["targets"][0]["maps"][0]["files"]["overlay"]
        (tmp_path / "manifest.jsonl").write_bytes(whole.splitlines(keepends=True)[0])  # killed after one image
        left = tmp_path / second.replace(".jpg", ".png")
        (tmp_path / second).rename(left)
        self.run(net, photos, tmp_path, "jpeg", resume=True)
        assert (tmp_path / "manifest.jsonl").read_bytes() == whole
        assert not left.exists()
        assert len(self.drawn(tmp_path)) == 2


def test_the_command_line_and_run_files_know_it(photos, tmp_path):
    run(photos, tmp_path / "typed", "--method", "gradcam", "-q", "--image-format", "jpeg")
    assert len(list((tmp_path / "typed").glob("*.gradcam.jpg"))) == 2
    config, written = tmp_path / "run.yml", tmp_path / "written"
    config.write_text("image_format: webp\nmethod: gradcam\npreset: inception\n")
    command("run", "--config", config, demo_model(), photos, "--out", written, "-q")
    assert len(list(written.glob("*.gradcam.webp"))) == 2
    assert "'png', 'jpeg', 'webp'" in run(photos, tmp_path / "no", "--image-format", "gif", code=2)
    config.write_text("image_format: gif\n")
    assert "run.yml" in command("run", "--config", config, demo_model(), photos, "--out", tmp_path / "no", code=2)
