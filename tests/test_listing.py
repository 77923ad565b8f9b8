"""Which pictures a run explains: never its own output."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.listing import list_pictures


@pytest.fixture
def photos(tmp_path):
    for name in ("photos/a.png", "photos/sub/b.png", "photos/out/old.png", "more/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    return tmp_path


def listed(imgs_path, out_folder):
    return [item.relative for item in list_pictures(imgs_path, str(out_folder))]


def test_an_output_folder_inside_the_pictures_is_left_out(photos):
    assert listed(str(photos / "photos"), photos / "photos" / "out") == ["a.png", "sub/b.png"]
    assert listed([str(photos / "more"), str(photos / "photos")], photos / "photos" / "out") == [
        "c.png",
        "a.png",
        "sub/b.png",
    ]
    assert listed(str(photos / "*" / "**"), photos / "photos" / "out") == [
        "more/c.png",
        "photos/a.png",
        "photos/sub/b.png",
    ]


def test_an_output_folder_elsewhere_changes_nothing(photos):
    everything = ["a.png", "out/old.png", "sub/b.png"]
    assert listed(str(photos / "photos"), photos / "elsewhere") == everything
    assert listed(str(photos / "photos"), photos) == everything  # above: nothing is written into photos/
    assert listed(str(photos / "photos"), photos / "photos-out") == everything


def test_a_picture_that_is_named_is_always_meant(photos):
    old = str(photos / "photos" / "out" / "old.png")
    assert listed(old, photos / "photos" / "out") == ["old.png"]
    assert listed([str(photos / "photos"), old], photos / "photos" / "out")[-1].endswith("old.png")


def test_a_link_to_the_output_folder_is_seen_through(photos):
    os.symlink(str(photos / "photos" / "out"), str(photos / "link"))
    assert listed(str(photos / "photos"), photos / "link") == ["a.png", "sub/b.png"]


@pytest.mark.parametrize("out", ["photos", "photos/../photos/", "photos/sub/.."])
def test_the_listed_folder_itself_is_refused(photos, out):
    with pytest.raises(
        OptionError, match=r"photos.* looks for pictures, so the next run would .*another output folder"
    ):
        listed(str(photos / "photos"), photos / out)
    with pytest.raises(OptionError, match="choose another output folder"):
        listed([str(photos / "more"), str(photos / "photos")], photos / out)


def test_a_pattern_that_finds_only_output_is_refused(photos):
    with pytest.raises(OptionError, match="choose another output folder"):
        listed(str(photos / "photos" / "out" / "*.png"), photos / "photos" / "out")


def test_no_pictures_at_all(photos):
    with pytest.raises(ImageFileError, match="no such file or folder"):
        listed(str(photos / "nowhere"), photos / "out")
