"""Images named line by line, in a file and on standard input."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from archive_files import colours_of, peak_of_listing, png_bytes

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.list_files import piped_images
from gradcam_tf1.images.source_kinds import iter_images

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    (tmp_path / "photos" / "a b.png").write_bytes(png_bytes(RED))
    (tmp_path / "photos" / "sub" / "new\nline.png").write_bytes(png_bytes(BLUE))
    return tmp_path


def write(photos, data, name="list.txt"):
    (photos / "photos" / name).write_bytes(data)
    return f"@{photos / 'photos' / name}"


def test_relative_paths_start_at_the_list_and_lost_ones_are_images(photos):
    absolute = os.fsencode(str(photos / "photos" / "a b.png"))
    found = colours_of(iter_images(write(photos, b"a b.png\r\n\nsub/../a b.png\n../x.png\n" + absolute)))
    relatives = ["a b.png", "sub/a b.png", "x.png", str(photos / "photos" / "a b.png")[1:]]
    assert list(found) == relatives
    assert [found[relative] for relative in relatives if relative != "x.png"] == [RED] * 3
    assert "cannot be opened: No such file" in found["x.png"]


def test_paths_ended_by_nul_may_have_new_lines(photos):
    source = write(photos, b"a b.png\0sub/new\nline.png\0")
    assert colours_of(iter_images(source)) == {"a b.png": RED, "sub/new\nline.png": BLUE}


def test_a_byte_order_mark_is_no_part_of_a_name(photos):
    assert list(colours_of(iter_images(write(photos, b"\xef\xbb\xbfa b.png\n")))) == ["a b.png"]
    with pytest.raises(ImageFileError, match="is a list in UTF-16; save it as UTF-8"):
        iter_images(write(photos, "a b.png".encode("utf-16")))


def test_lines_that_are_no_paths(photos):
    found = colours_of(iter_images(write(photos, b"x" * 200_000 + b"\na b.png\n" + b"y" * 40_000)))
    assert [*found] == ["1", "a b.png", "3"]
    assert "list.txt!/1' is longer than any path" in found["1"]
    assert found["a b.png"] == RED
    odd = colours_of(
        iter_images(write(photos, b"caf\xe9.png\nsub\n\x00-in-the-first-block.png".replace(b"\x00", b"z")))
    )
    assert "No such file" in odd["caf\udce9.png"]
    assert "is a folder" in odd["sub"]


def test_lists_that_cannot_be_read(photos):
    with pytest.raises(ImageFileError, match="no such file or folder: '.*nowhere.txt'"):
        iter_images(f"@{photos / 'nowhere.txt'}")
    with pytest.raises(ImageFileError, match="photos' is a folder, not a list of paths"):
        iter_images(f"@{photos / 'photos'}")
    with pytest.raises(ImageFileError, match="no images in the list of paths"):
        iter_images(write(photos, b"\n\n"))


def test_the_same_path_again_has_its_place_in_its_name(photos):
    assert [*colours_of(iter_images(write(photos, b"a b.png\n" * 3)))] == ["a b.png", "a b-2.png", "a b-3.png"]


def test_memory_for_a_list_is_that_of_its_hashes(photos):
    def peak(count):
        source = write(photos, b"".join(b"%050d.png\n" % n for n in range(count)))
        return peak_of_listing(source, count)

    peak(10)
    few, many = peak(5_000), peak(50_000)
    assert many - few < 40 * 45_000


class Pipe(io.RawIOBase):
    """Gives a few bytes at a time, as a pipe does."""

    def __init__(self, data, step):
        super().__init__()
        self._data, self._step = data, step

    def readable(self):
        return True

    def readinto(self, buffer):
        part, self._data = self._data[: self._step], self._data[self._step :]
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("step", [1, 2, 7, 4096])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_standard_input_in_pieces(photos, monkeypatch, step, end):
    monkeypatch.chdir(photos / "photos")
    stream = io.BufferedReader(Pipe(end.join([b"a b.png", b"", b"nowhere.png", b"a b.png"]), step), 8)
    found = colours_of(piped_images(stream))
    assert [*found] == ["a b.png", "nowhere.png", "a b-3.png"]
    assert found["a b.png"] == RED


def test_standard_input_of_a_process(photos):
    code = (
        "from gradcam_tf1.images.source_kinds import iter_images\n"
        "for p in iter_images('-'): print(p.relative, p.read()[0, 0])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=str(photos / "photos"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _ = process.communicate(b"a b.png\0sub/new\nline.png")
    assert out.decode() == "a b.png [255   0   0]\nsub/new\nline.png [  0   0 255]\n"
    assert process.returncode == 0
