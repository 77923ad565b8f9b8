"""Folders and patterns, one image at a time: the order, what is left out, and the memory that a million take."""

from __future__ import annotations

import itertools
import os
import subprocess

import pytest
from archive_files import peak_of_listing
from image_files import lock, touch

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images import folder_walk
from gradcam_tf1.images.file_names import Seen, archive_extension, is_image_name
from gradcam_tf1.images.source_kinds import iter_images


def relatives(source, out=""):
    return [image.relative for image in iter_images(source, str(out))]


def test_the_order_is_that_of_the_sorted_paths(tmp_path):
    names = [
        "sub-1/x.png",
        "sub/x.png",
        "sub/a/y.png",
        "sub.png",
        "sub0.png",
        "a.png",
        "Z.png",
        "sub/a.png",
        "\xe9.png",
    ]
    touch(tmp_path, *names)
    assert relatives(tmp_path) == sorted(names)
    assert relatives(tmp_path / "**" / "*.png") != []
    assert sorted(relatives(tmp_path / "**" / "*.png")) == sorted(names)


def test_a_folder_larger_than_the_window_is_read_in_several_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_walk, "CHUNK", 4)
    names = [f"{number:03d}.png" for number in range(41)] + ["005/a.png", "011.png.d/b.png", "040/c.png"]
    touch(tmp_path, *names)
    assert relatives(tmp_path) == sorted(names)
    for count in range(14):  # about the edges of one and two windows
        folder = tmp_path / f"f{count}"
        touch(folder, *(f"{number:02d}.png" for number in range(count)))
        assert list(folder_walk.entries(str(folder)) if count else []) == [
            f"{number:02d}.png" for number in range(count)
        ]


def test_memory_does_not_depend_on_the_number_of_images(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_walk, "CHUNK", 128)

    def peak(count):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:07d}.png").touch()
        return peak_of_listing(folder, count)

    peak(10)
    few, many = peak(600), peak(3_000)
    assert many < few + 20_000


def test_nothing_is_listed_before_it_is_asked_for(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.png", "b/2.png", "c/3.png")
    listed = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(os.path.basename(folder)) or real(folder))
    images = iter_images(tmp_path)
    assert next(images).relative == "a/1.png"
    assert listed[1:] == ["a"]
    assert [image.relative for image in images] == ["b/2.png", "c/3.png"]


def test_loops_and_links(tmp_path):
    touch(tmp_path, "photos/b/1.png", "outside/sub/2.png", "photos/.cache/3.png")
    for name, target in [("a", "photos"), ("c", "outside/sub"), ("d", "outside"), ("e", "photos/.cache"), ("f", "c")]:
        (tmp_path / "photos" / name).symlink_to(tmp_path / target)
    (tmp_path / "photos" / "f").unlink()
    (tmp_path / "photos" / "f").symlink_to(tmp_path / "outside" / "sub")
    (tmp_path / "outside" / "back").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "self.png").symlink_to("self.png")
    assert relatives(tmp_path / "photos") == ["b/1.png", "c/2.png", "e/3.png", "self.png"]


def test_links_that_double_at_each_step_are_walked_once(tmp_path):
    for level in range(20):
        (tmp_path / f"outside{level}").mkdir()
        for name in "xy":
            (tmp_path / f"outside{level}" / name).symlink_to(tmp_path / f"outside{level + 1}")
    touch(tmp_path, "outside20/1.png", "photos/0.png")
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "outside0")
    assert relatives(tmp_path / "photos") == ["0.png", "link/" + "x/" * 20 + "1.png"]


def test_a_tree_deeper_than_the_stack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs("root")
    os.chdir("root")
    for _ in range(1_100):
        os.mkdir("d")
        os.chdir("d")
    open("1.png", "wb").close()
    monkeypatch.chdir(tmp_path)
    try:
        assert relatives("root") == ["d/" * 1_100 + "1.png"]
    finally:
        subprocess.run(["rm", "-r", "root"], check=True)  # shutil.rmtree would need the stack


def test_a_folder_named_like_an_image_is_listed_unless_images_are_in_it(tmp_path):
    touch(tmp_path, "b.jpg/inner.jpg", "c.jpg/readme.txt", "d.txt/no")
    (tmp_path / "a.jpg").mkdir()
    assert relatives(tmp_path) == ["a.jpg", "b.jpg/inner.jpg", "c.jpg"]
    with pytest.raises(ImageFileError, match="is a folder, not an image file"):
        next(iter_images(tmp_path)).read()


def test_a_folder_that_cannot_be_listed_is_a_lost_image(tmp_path, monkeypatch):
    touch(tmp_path, "a.jpg", "locked/b.jpg")
    lock(monkeypatch, "locked")
    for source in (tmp_path, tmp_path / "**", tmp_path / "**" / "*.jpg"):
        first, lost = iter_images(source)
        assert (first.relative, lost.relative) == ("a.jpg", "locked")
        with pytest.raises(ImageFileError, match="locked' cannot be listed: Permission denied"):
            lost.read()
    (lost,) = iter_images(tmp_path / "locked")
    assert lost.relative == "locked"


def test_a_pattern_gives_each_file_once(tmp_path):
    touch(tmp_path, "a/b/b/1.png", "a/b/2.png", "a/c.png")
    assert relatives(tmp_path / "a" / "**" / "b" / "**") == ["b/2.png", "b/b/1.png"]
    assert relatives(tmp_path / "**" / "**" / "*.png") == ["a/c.png", "a/b/2.png", "a/b/b/1.png"]


@pytest.mark.parametrize("pattern", ["**/**/*.png", "**/d/**", "**/d/**/*.png", "**/*/**/d/**/*.png"])
def test_a_folder_is_listed_a_few_times_however_many_wildcards_lead_to_it(tmp_path, monkeypatch, pattern):
    touch(tmp_path, *("d/" * depth + "1.png" for depth in range(60)), "d/e/d/f/2.png", "e/3.png")
    listed = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or real(folder))
    found = set(relatives(tmp_path / pattern))
    assert {f"{'d/' * depth}1.png" for depth in range(2, 60)} | {"d/e/d/f/2.png"} <= found
    assert ("e/3.png" in found) == (pattern == "**/**/*.png")
    assert len(listed) < 65 * 6


def test_the_output_folder_is_left_out(tmp_path):
    touch(tmp_path, "photos/a.png", "photos/sub/b.png", "photos/out/old.png", "photos/out/deep/old.png", "more/c.png")
    photos, out = tmp_path / "photos", tmp_path / "photos" / "out"
    (tmp_path / "photos" / "zlink").symlink_to(out / "deep")
    expected = ["a.png", "sub/b.png"]
    assert relatives(photos, out) == relatives(photos / "**", out) == expected
    assert relatives(photos / "*" / "*.png", out) == ["sub/b.png"]
    assert relatives([photos, tmp_path / "more"], out) == ["photos/a.png", "photos/sub/b.png", "more/c.png"]
    assert relatives(out / "old.png", out) == ["old.png"]  # named itself, so it is meant
    assert relatives(out / "deep", out) == ["old.png"]
    assert len(relatives(photos, tmp_path / "elsewhere")) == 4
    for source in (out, [tmp_path / "more", out], out / "*.png", [out / "*.png"]):
        with pytest.raises(OptionError, match="where .* looks for images.*choose another output folder"):
            iter_images(source, str(out))
    with pytest.raises(OptionError, match="in output folders only"):
        iter_images(photos / "o*" / "*.png", str(out))


@pytest.mark.parametrize("source", ["empty", "empty/**"])
def test_nothing_there(tmp_path, source):
    touch(tmp_path, "empty/notes.txt")
    with pytest.raises(ImageFileError, match=r"no images in '.*empty.*': 1 other files there; known extensions: jpg"):
        iter_images(tmp_path / source)


def test_names():
    assert is_image_name("a.b.NII.gz")
    assert is_image_name(".JPG")
    assert not is_image_name("a.gz")
    assert not is_image_name("a.jpg\n")
    assert archive_extension("x/data.tfrecord-00000-of-00010") == "tfrecord"
    assert archive_extension("data.tfrecords") == "tfrecords"
    assert archive_extension("shards/*.TAR.gz") == "tar.gz"
    assert archive_extension("a.tar.old") == archive_extension("data.tfrecord-1/a.png") == ""


def test_seen_is_a_set():
    seen, twin = Seen(), set()
    for number in itertools.chain(range(5_000), range(2_500, 7_500)):
        text = f"{number}\udc80"
        assert (text in seen) == (text in twin)
        assert seen.add(text) == (text not in twin)
        twin.add(text)
    assert len(seen) == len(twin) == 7_500
