"""What is found in folders, patterns and lists, under which name and in which order."""

from __future__ import annotations

import numpy as np
import pytest
from image_files import lock, relatives, touch

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import EXTENSIONS, ImageFile, list_images, read_image


def test_folder_is_recursive_sorted_and_without_hidden_or_other_files(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "sub/c.TiFF", "sub/deep/d.webp", "notes.txt", ".hidden.jpg", ".git/e.jpg", "jpg")
    assert relatives(tmp_path) == ["a.png", "b.JPG", "sub/c.TiFF", "sub/deep/d.webp"]
    assert list_images(str(tmp_path))[3] == ImageFile(str(tmp_path / "sub" / "deep" / "d.webp"), "sub/deep/d.webp")


def test_every_known_extension(tmp_path):
    touch(tmp_path, *(f"{i:02}.{extension}" for i, extension in enumerate(EXTENSIONS)))
    assert len(relatives(tmp_path)) == len(EXTENSIONS) == 21


def test_one_file_of_any_extension_even_hidden(tmp_path):
    touch(tmp_path, ".photo.dat")
    assert list_images(tmp_path / ".photo.dat") == [ImageFile(str(tmp_path / ".photo.dat"), ".photo.dat")]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["a.jpg"]),
        ("*", ["a.jpg", "b.png"]),
        ("**", ["a.jpg", "b.png", "x/c.jpg", "x/y/d.jpg", "z/c.jpg"]),
        ("**/*.jpg", ["a.jpg", "x/c.jpg", "x/y/d.jpg", "z/c.jpg"]),
        ("*/c.jpg", ["x/c.jpg", "z/c.jpg"]),
        ("[x]/**/*.jp?", ["x/c.jpg", "x/y/d.jpg"]),
        ("x/*.jpg", ["c.jpg"]),
    ],
)
def test_patterns(tmp_path, pattern, expected):
    touch(tmp_path, "a.jpg", "b.png", "x/c.jpg", "x/y/d.jpg", "z/c.jpg", "x/readme.md", ".h/e.jpg")
    assert relatives(tmp_path / pattern) == expected


def test_pattern_in_the_working_folder(tmp_path, monkeypatch):
    touch(tmp_path, "a.jpg", "x/b.jpg")
    monkeypatch.chdir(tmp_path)
    assert relatives("*.jpg") == ["a.jpg"]
    assert relatives("**/*.jpg") == ["a.jpg", "x/b.jpg"]


def test_a_name_with_brackets_that_exists_is_no_pattern(tmp_path):
    touch(tmp_path, "cat[1].jpg", "cat1.jpg")
    assert relatives(tmp_path / "cat[1].jpg") == ["cat[1].jpg"]


def test_home_folder(tmp_path, monkeypatch):
    touch(tmp_path, "a.jpg")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert list_images("~/a.jpg") == [ImageFile(str(tmp_path / "a.jpg"), "a.jpg")]


def test_list_keeps_its_order_and_takes_every_form(tmp_path):
    touch(tmp_path, "z.jpg", "sub/b.jpg", "sub/a.jpg", "other/c.png")
    source = (str(tmp_path / "z.jpg"), tmp_path / "sub", [str(tmp_path / "other" / "*.png")])
    assert relatives(source) == ["z.jpg", "a.jpg", "b.jpg", "c.png"]


def test_equal_names_of_different_folders_stay_apart(tmp_path):
    touch(tmp_path, "one/cat.jpg", "two/cat.jpg", "two/dog.jpg", "deep/one/cat.jpg")
    source = [tmp_path / "one", tmp_path / "two" / "cat.jpg", tmp_path / "two" / "dog.jpg", tmp_path / "deep" / "one"]
    assert relatives(source) == ["one/cat.jpg", "two/cat.jpg", "dog.jpg", "one/cat-2.jpg"]
    assert relatives(source) == relatives(source)


def test_a_file_given_twice_is_listed_twice_under_two_names(tmp_path):
    touch(tmp_path, "one/cat.jpg")
    assert relatives([tmp_path / "one" / "cat.jpg"] * 3) == ["one/cat.jpg", "one/cat-2.jpg", "one/cat-3.jpg"]


def test_a_new_name_never_takes_one_that_is_there(tmp_path):
    touch(tmp_path, "all/one/cat.jpg", "one/cat.jpg", "two/cat.jpg")
    names = relatives([tmp_path / "all", tmp_path / "one" / "cat.jpg", tmp_path / "two" / "cat.jpg"])
    assert names == ["one/cat.jpg", "one/cat-2.jpg", "two/cat.jpg"]


def test_symlink_loops_end_and_each_folder_is_listed_once(tmp_path):
    touch(tmp_path, "a/one.jpg", "b/two.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    assert relatives(tmp_path) == ["a/one.jpg", "b/two.jpg"]
    assert relatives(tmp_path / "**" / "*.jpg") == ["a/one.jpg", "b/two.jpg"]


def test_linked_folders_and_files_are_followed(tmp_path):
    touch(tmp_path, "elsewhere/one.jpg", "photos/two.jpg")
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "same.jpg").symlink_to(tmp_path / "photos" / "two.jpg")
    assert relatives(tmp_path / "photos") == ["link/one.jpg", "same.jpg", "two.jpg"]


def test_an_unreadable_folder_stays_in_the_listing_with_its_reason(tmp_path, monkeypatch):
    touch(tmp_path, "a.jpg", "locked/b.jpg")
    lock(monkeypatch, "locked")
    assert relatives(tmp_path) == ["a.jpg", "locked"]
    assert relatives(tmp_path / "locked*" / "*.jpg") == ["locked"]
    with pytest.raises(ImageFileError, match=r"locked' is a folder, not an image file"):
        read_image(list_images(tmp_path)[1].path)


def test_nothing_found_says_where_and_what_is_known(tmp_path):
    touch(tmp_path, "a.txt", "sub/b.heic")
    for source in (tmp_path, tmp_path / "**"):
        with pytest.raises(ImageFileError, match=r"no images in '.*': 2 other files there; .*: jpg jpeg .* ppm pgm"):
            list_images(source)


def test_missing_path(tmp_path):
    with pytest.raises(ImageFileError, match=r"no such file or folder: '.*nowhere'"):
        list_images(tmp_path / "nowhere")


def test_empty_list():
    with pytest.raises(ImageFileError, match="the list of paths is empty"):
        list_images([])


@pytest.mark.parametrize("source", [None, 7, b"photos", np.zeros((2, 2, 3))])
def test_something_else_than_paths(source):
    with pytest.raises(ImageFileError, match="a folder, file, pattern or list of these"):
        list_images(source)
