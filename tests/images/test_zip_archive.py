"""Images in zip archives: what Python writes, bombs, and directories that lie."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
import zlib

import pytest
from archive_files import (
    COLOURS,
    GREEN,
    MEMBERS,
    RED,
    png_bytes,
    read_all,
    write_zip,
)

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.safe_open import MAX_BYTES
from gradcam_tf1.images.source_kinds import iter_images


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zip(tmp_path, method):
    write_zip(tmp_path / "photos.zip", MEMBERS, method)
    assert read_all(tmp_path / "photos.zip") == COLOURS
    assert list(read_all(tmp_path / "photos.zip")) == list(COLOURS)
    data = (tmp_path / "photos.zip").read_bytes()
    (tmp_path / "photos.zip").write_bytes(b"#!/bin/sh a program that unpacks itself\n" + data)
    assert read_all(tmp_path / "photos.zip") == COLOURS


def test_zip64_and_a_comment(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 90)
    with zipfile.ZipFile(str(tmp_path / "a.zip"), "w") as archive:
        for name, data in MEMBERS:
            archive.writestr(name, data)
    monkeypatch.undo()
    assert b"PK\6\6" in (tmp_path / "a.zip").read_bytes()
    assert read_all(tmp_path / "a.zip") == COLOURS
    with zipfile.ZipFile(str(tmp_path / "a.zip"), "a") as archive:
        archive.comment = b"greetings " * 900
    assert read_all(tmp_path / "a.zip") == COLOURS


def zip_with(tmp_path, change, method=zipfile.ZIP_DEFLATED):
    """An archive of red.png and green.png whose first directory entry is changed by byte offsets."""
    write_zip(tmp_path / "a.zip", [("red.png", png_bytes(RED)), ("green.png", png_bytes(GREEN))], method)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    entry = data.index(b"PK\1\2")
    change(data, entry)
    (tmp_path / "a.zip").write_bytes(bytes(data))
    found = read_all(tmp_path / "a.zip")
    assert found["green.png"] == GREEN
    return found["red.png"]


def put(form, offset, value):
    return lambda data, entry: struct.pack_into(form, data, entry + offset, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("<H", 8, 1), "is encrypted; unpack the archive with its password first"),
        (put("<H", 8, 0x41), "is encrypted"),
        (put("<H", 10, 14), "is packed with method 14; possible: stored, deflate, bzip2"),
        (put("<H", 10, 12), "is damaged: Invalid data stream"),
        (put("<L", 16, 1), "is damaged: its checksum or size is not the archive's"),
        (put("<L", 20, 9), "is damaged: its checksum or size"),
        (put("<L", 24, 9), "is damaged: its checksum or size"),
        (put("<L", 24, 0), "is empty (0 bytes)"),
        (put("<L", 24, MAX_BYTES + 1), "has 400,000,001 bytes, more than the 400,000,000 that are read"),
        (put("<L", 42, 7), "is not where the archive's directory says"),
        (put("<L", 42, 0xFFFFFF), "is not where the archive's directory says"),
        (lambda data, entry: data.__setitem__(slice(40, 60), bytes(20)), "is damaged"),
        (lambda d, e: (put("<H", 4, 0x0314)(d, e), put("<L", 38, 0xA1FF << 16)(d, e)), "is a link in the archive"),
    ],
)
def test_members_of_a_zip_that_cannot_be_read(tmp_path, change, reason):
    assert reason in zip_with(tmp_path, change)


def test_a_member_that_lies_beyond_all_files(tmp_path):
    write_zip(tmp_path / "a.zip", [("a.png", png_bytes(RED))])
    data = (tmp_path / "a.zip").read_bytes()
    entry, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    extra = struct.pack("<2HQ", 1, 8, 2**64 - 1)
    fixed = data[entry : entry + 30] + struct.pack("<H", len(extra)) + data[entry + 32 : entry + 42] + b"\xff" * 4
    tail = bytearray(data[end:])
    struct.pack_into("<L", tail, 12, end - entry + len(extra))
    (tmp_path / "a.zip").write_bytes(data[:entry] + fixed + b"a.png" + extra + bytes(tail))
    assert "is not where the archive's directory says" in read_all(tmp_path / "a.zip")["a.png"]


def test_a_zip_bomb_unpacks_to_what_it_claims_and_no_further(tmp_path):
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packed.compress(bytes(200_000_000)) + packed.flush()
    write_zip(tmp_path / "a.zip", [("a.png", b"x" * len(bomb))], zipfile.ZIP_STORED)
    data = bytearray((tmp_path / "a.zip").read_bytes().replace(b"x" * len(bomb), bomb))
    entry = data.index(b"PK\1\2")
    struct.pack_into("<H", data, entry + 10, 8)
    struct.pack_into("<L", data, entry + 24, 1000)
    (tmp_path / "a.zip").write_bytes(bytes(data))
    (image,) = iter_images(tmp_path / "a.zip")
    tracemalloc.start()
    try:
        with pytest.raises(ImageFileError, match="is damaged: its checksum or size"):
            image.read()
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_zips_that_are_not_whole(tmp_path):
    write_zip(tmp_path / "a.zip", [(f"{n}.png", png_bytes((n, 0, 0))) for n in range(9)])
    data = (tmp_path / "a.zip").read_bytes()
    for length in (10, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.zip").write_bytes(data[:length])
        with pytest.raises(ImageFileError, match="cut.zip' is not a whole zip archive: its directory is missing"):
            iter_images(tmp_path / "cut.zip")
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    (tmp_path / "a.zip").write_bytes(data[:second] + b"XX" + data[second + 2 :])
    found = read_all(tmp_path / "a.zip")
    assert list(found) == ["0.png", "a.zip"]
    assert "has a directory that is damaged at entry 1" in found["a.zip"]
    (tmp_path / "a.zip").write_bytes(data[-22:-6] + b"\xff\xff\xff\x7f" + data[-2:])
    with pytest.raises(ImageFileError, match="its directory lies outside"):
        iter_images(tmp_path / "a.zip")
