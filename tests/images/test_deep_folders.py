"""Folders in folders, deeper than Python calls itself: listed, read and explained."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.images.image_files import list_images
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.run.run_options import RunOptions

DEPTH = sys.getrecursionlimit() + 500


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A folder with an image at its top and one at the bottom of very many folders."""
    root, here = str(tmp_path_factory.mktemp("deep")), os.getcwd()
    Image.fromarray(np.full((32, 32, 3), 200, np.uint8)).save(os.path.join(root, "top.png"))
    try:
        os.chdir(root)
        for _ in range(DEPTH):
            os.mkdir("d")
            os.chdir("d")
        Image.fromarray(np.full((32, 32, 3), 100, np.uint8)).save("a.png")
        yield root
        for _ in range(DEPTH):  # the tests' own cleaning up calls itself
            for name in os.listdir("."):
                os.unlink(name) if os.path.isfile(name) else os.rmdir(name)
            os.chdir("..")
        os.rmdir("d")
    finally:
        os.chdir(here)


RELATIVES = ["d/" * DEPTH + "a.png", "top.png"]


def test_they_are_listed(deep):
    assert [item.relative for item in list_images(deep)] == RELATIVES
    assert [image.relative for image in iter_images(deep)] == RELATIVES
    assert [image.relative for image in iter_images(f"{deep}/**/*.png")] in (RELATIVES, RELATIVES[::-1])


@pytest.mark.parametrize("naming", ["source", "indexed"])
def test_they_are_explained(deep, tmp_path, naming):
    with GradCamGraph(demo_model(), preset="inception") as net:
        results = net.visualize_imgs(deep, str(tmp_path / "out"), methods="gradcam", run=RunOptions(naming=naming))
        again = net.visualize_imgs(
            deep, str(tmp_path / "out"), methods="gradcam", run=RunOptions(naming=naming, resume=True)
        )
    assert [(result.relative, result.error) for result in results] == [(relative, "") for relative in RELATIVES]
    assert [result.relative for result in again] == RELATIVES
    files = [cam.files["overlay"] for result in results for target in result.targets for cam in target.maps]
    assert len(set(files)) == 2
    assert all(os.path.isfile(path) for path in files)


def test_in_archives(tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "png")
    name = "d/" * DEPTH + "a.png"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, stream.getvalue())
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(stream.getvalue())
        archive.addfile(info, io.BytesIO(stream.getvalue()))
    for archive in ("a.zip", "a.tar"):
        images = list(iter_images(str(tmp_path / archive)))
        assert [image.read().shape for image in images] == [(4, 4, 3)]
