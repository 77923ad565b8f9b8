"""Archives of either kind: names of members are never paths, memory, several sources in one run."""

from __future__ import annotations

import os

import pytest
from archive_files import BLUE, GREEN, RED, peak_of_listing, png_bytes, read_all, write_tar, write_zip

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.source_kinds import iter_images

HOSTILE = [
    "/etc/a.png",
    "../../a.png",
    "a.png",
    "./a.png",
    "x/../../a.png",
    "C:\\a.png",
    "\n/x..png/../b.png",
    "..\\..\\c.png",
]


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_names_of_members_are_never_paths(tmp_path, kind):
    path = tmp_path / "in" / f"a.{kind}"
    path.parent.mkdir()
    members = [(name, png_bytes((number, 0, 0))) for number, name in enumerate(HOSTILE)]
    write_zip(path, members) if kind == "zip" else write_tar(path, members, "w:gz" if kind == "tar.gz" else "w")
    found = read_all(path)
    assert [colour[0] for colour in found.values()] == list(range(len(HOSTILE)))
    for relative in found:
        assert not os.path.isabs(relative)
        assert not {"", ".", ".."} & set(relative.split("/"))
    assert list(found)[:5] == ["etc/a.png", "a.png", "a-3.png", "a-4.png", "x/a.png"]
    assert os.listdir(str(tmp_path / "in")) == [path.name]


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_archives_without_images(tmp_path, write):
    write(tmp_path / "a", [("notes.txt", b"x")])
    with pytest.raises(ImageFileError, match=r"no images in the (zip|tar) archive '.*a'"):
        iter_images(tmp_path / "a")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_memory_for_an_archive_does_not_depend_on_its_members(tmp_path, kind):
    def peak(count):
        path = tmp_path / f"{count}.{kind}"
        members = ((f"{number:09d}-a-name-of-some-length.png", b"x") for number in range(count))
        write_zip(path, members) if kind == "zip" else write_tar(path, members, "w:gz" if kind == "tar.gz" else "w")
        return peak_of_listing(path, count)

    peak(10)
    few, many = peak(500), peak(5_000)
    assert many - few < 40 * 4_500  # hashes, 16 bytes each, and as much again while the table grows


def test_several_sources_each_have_their_folder(tmp_path):
    write_zip(tmp_path / "one" / "a.zip" if (tmp_path / "one").mkdir() is None else None, [("x.png", png_bytes(RED))])
    write_tar(tmp_path / "a.tar", [("x.png", png_bytes(GREEN)), ("d/y.png", png_bytes(RED))])
    (tmp_path / "two").mkdir()
    write_zip(tmp_path / "two" / "a.zip", [("x.png", png_bytes(BLUE))])
    (tmp_path / "x.png").write_bytes(png_bytes(BLUE))
    (tmp_path / "empty").mkdir()
    sources = ["one/a.zip", "a.tar", "two/a.zip", "x.png", "x.png", "empty"]
    found = read_all([tmp_path / source for source in sources])
    assert {name: colour for name, colour in found.items() if name != "empty"} == {
        "a.zip/x.png": RED,
        "a.tar/x.png": GREEN,
        "a.tar/d/y.png": RED,
        "a-3.zip/x.png": BLUE,
        "x.png": BLUE,
        "x-5.png": BLUE,
    }
    assert "no images in " in found["empty"]
    assert list(read_all(tmp_path / "*" / "*.zip")) == ["one/a.zip/x.png", "two/a.zip/x.png"]
    (tmp_path / "two" / "a.zip").write_bytes(b"PK")
    assert "not a whole zip archive" in read_all(tmp_path / "*" / "*.zip")["two/a.zip"]
    with pytest.raises(ImageFileError, match="no such file or folder: '.*nowhere'"):
        iter_images([tmp_path / "one", tmp_path / "nowhere"])
    with pytest.raises(ImageFileError, match="a folder, file, pattern or list of these, not 7"):
        iter_images([tmp_path / "one", 7])
    with pytest.raises(ImageFileError, match="the list of paths is empty"):
        iter_images([[], ()])
