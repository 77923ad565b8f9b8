"""What stands in files that targets name, and in arrays that they hold, is part of a run's settings."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from flat_options import grouped
from PIL import Image

from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.run.per_image import MaskFile, PerImage
from gradcam_tf1.run.settings import contents_sha256
from gradcam_tf1.targets import Anchor, Contrast, Region, Similar, Top


@pytest.mark.parametrize("targets", [None, 3, "cat", [Top(2), Contrast("a", "b"), [Anchor(1, index=4)]], PerImage()])
def test_targets_that_say_everything_themselves(targets):
    assert contents_sha256(targets) is None


@pytest.mark.parametrize(
    "wrap", [Similar, lambda array: Region(mask=array), lambda array: [1, [Region(2, mask=array)]]]
)
def test_arrays_count_to_their_last_number(wrap):
    array = np.zeros((300, 300), np.uint8)
    before = contents_sha256(wrap(array.copy()))
    assert contents_sha256(wrap(array.copy())) == before
    array[150, 150] = 1  # where numpy writes "..."
    assert contents_sha256(wrap(array)) != before
    assert contents_sha256(wrap(np.zeros((150, 600), np.uint8))) != before
    assert contents_sha256(wrap(np.zeros((300, 300), np.int8))) != before


def save(path, colour):
    Image.new("L", (4, 4), colour).save(str(path))


def test_files_count_by_their_content(tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    save(masks / "a.png", 0)
    save(masks / "b.png", 0)
    (tmp_path / "c.csv").write_text("a.png,1\n")
    named = {
        "folder": PerImage(masks=str(masks)),
        "pattern": PerImage(masks=str(masks / "*.png")),
        "file": [Region(mask=MaskFile(str(masks / "b.png")))],
        "table": PerImage(class_file=str(tmp_path / "c.csv")),
    }
    before = {name: contents_sha256(targets) for name, targets in named.items()}
    save(masks / "b.png", 1)
    after = {name: contents_sha256(targets) for name, targets in named.items()}
    assert [name for name in named if after[name] != before[name]] == ["folder", "pattern", "file"]
    (tmp_path / "c.csv").write_text("a.png,2\n")
    assert contents_sha256(named["table"]) != before["table"]


def test_a_run_is_not_resumed_with_another_class_file(tmp_path):
    out, table = str(tmp_path / "out"), tmp_path / "classes.csv"
    images = [scene.path for scene in demo_scenes()[:2]]
    names = [os.path.basename(path) for path in images]
    targets = PerImage(class_file=str(table))

    def run(classes, **options):
        table.write_text("".join(f"{name},{class_id}\n" for name, class_id in zip(names, classes)))
        return net.visualize_imgs(images, out, targets=targets, methods="gradcam", **grouped(**options))

    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        run((0, 1))
        with open(os.path.join(out, "run.json"), encoding="ascii") as stream:
            assert json.load(stream)["targets_sha256"] == contents_sha256(targets)
        assert run((0, 1), resume=True).complete
        with pytest.raises(OptionError, match="cannot be resumed, .*: targets_sha256 was .*, now it is "):
            run((0, 2), resume=True)
