"""Which images a run explains: never its own output."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.image_files import ImageFile
from gradcam_tf1.run.listing import draw_images, list_images


@pytest.fixture
def photos(tmp_path):
    for name in ("photos/a.png", "photos/sub/b.png", "photos/out/old.png", "more/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    return tmp_path


def listed(imgs_path, out_folder):
    return [item.relative for item in list_images(imgs_path, str(out_folder))[0]]


def test_an_output_folder_inside_the_images_is_left_out(photos):
    assert listed(str(photos / "photos"), photos / "photos" / "out") == ["a.png", "sub/b.png"]
    assert listed([str(photos / "more"), str(photos / "photos")], photos / "photos" / "out") == [
        "more/c.png",
        "photos/a.png",
        "photos/sub/b.png",
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


def test_an_image_that_is_named_is_always_meant(photos):
    old = str(photos / "photos" / "out" / "old.png")
    assert listed(old, photos / "photos" / "out") == ["old.png"]
    assert listed([str(photos / "photos"), old], photos / "photos" / "out")[-1].endswith("old.png")


def test_a_link_to_the_output_folder_is_seen_through(photos):
    os.symlink(str(photos / "photos" / "out"), str(photos / "link"))
    assert listed(str(photos / "photos"), photos / "link") == ["a.png", "sub/b.png"]


@pytest.mark.parametrize("out", ["photos", "photos/../photos/", "photos/sub/.."])
def test_the_listed_folder_itself_is_refused(photos, out):
    with pytest.raises(OptionError, match=r"photos.* looks for images, so the next run would .*another output folder"):
        listed(str(photos / "photos"), photos / out)
    with pytest.raises(OptionError, match="choose another output folder"):
        listed([str(photos / "more"), str(photos / "photos")], photos / out)


def test_a_pattern_that_finds_only_output_is_refused(photos):
    with pytest.raises(OptionError, match="choose another output folder"):
        listed(str(photos / "photos" / "out" / "*.png"), photos / "photos" / "out")


def test_no_images_at_all(photos):
    with pytest.raises(ImageFileError, match="no such file or folder"):
        listed(str(photos / "nowhere"), photos / "out")


# a seeded draw

MANY = [ImageFile(f"in/{i:03d}.jpg", f"{i:03d}.jpg") for i in range(100)]


def drawn(count, seed=0, files=MANY):
    return [file.relative for file in draw_images(files, count, seed)]


def test_a_draw_is_these_images_on_every_platform():
    assert drawn(5) == ["014.jpg", "020.jpg", "041.jpg", "042.jpg", "081.jpg"]
    assert drawn(5, seed=1) == ["011.jpg", "020.jpg", "033.jpg", "065.jpg", "095.jpg"]
    accents = [
        [ImageFile("x", name) for name in ("caf\xe9", "b", "c")],
        [ImageFile("x", n) for n in ("cafe\u0301", "b", "c")],
    ]
    picks = [[files.index(file) for file in draw_images(files, 1, seed)] for seed in range(9) for files in accents]
    assert picks[0::2] == picks[1::2]
    assert [0] in picks


def test_a_draw_is_in_the_order_of_the_listing_and_grows_with_its_number():
    assert drawn(20) == sorted(drawn(20))
    assert set(drawn(5)) < set(drawn(20)) < set(drawn(100)) == {file.relative for file in MANY}
    assert drawn(1000) == drawn(100)
    assert len(set(drawn(5)) - set(drawn(5, files=MANY[:-1]))) <= 1


def test_every_image_is_drawn_as_often():
    counts = {file.relative: 0 for file in MANY}
    for seed in range(400):
        for name in drawn(10, seed):
            counts[name] += 1
    assert min(counts.values()) > 15
    assert max(counts.values()) < 70


def test_a_draw_of_nothing_is_refused():
    with pytest.raises(OptionError, match="at least 1, not 0"):
        draw_images(MANY, 0)
