"""Pictures in tar and zip archives: what Python's own writers make, and what no honest program would."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest
from archive_files import colours_of, peak_of_listing, png_bytes, write_tar, write_zip

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.sources import iter_pictures
from gradcam_tf1.sources.files import MAX_BYTES

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
LONG = "folder-with-a-long-name/" * 9 + "picture-\xe9.png"
MEMBERS = [
    ("b/red.png", png_bytes(RED)),
    ("notes.txt", b"no picture" * 100),
    ("a/green.png", png_bytes(GREEN, (70, 90))),
    (".hidden/x.png", b"x"),
    ("__MACOSX/b/._red.png", b"x"),
    (LONG, png_bytes(BLUE)),
]
COLOURS = {"b/red.png": RED, "a/green.png": GREEN, LONG: BLUE}
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


def read_all(path):
    return colours_of(iter_pictures(path))


@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar(tmp_path, packing, form):
    members = (
        MEMBERS
        if form != tarfile.USTAR_FORMAT
        else [m for m in MEMBERS if m[0] != LONG] + [(LONG[-90:], MEMBERS[-1][1])]
    )
    path = tmp_path / f"photos.tar.{packing}".rstrip(".")
    write_tar(path, members, f"w:{packing}", format=form, encoding="utf-8")
    found = read_all(path)
    assert list(found.values()) == [RED, GREEN, BLUE]
    assert list(found)[:2] == ["b/red.png", "a/green.png"]
    if form != tarfile.USTAR_FORMAT:
        assert found == COLOURS
    path.rename(tmp_path / "no-extension")
    assert read_all(tmp_path / "no-extension") == found
    pictures = list(iter_pictures(tmp_path / "no-extension"))
    assert all((picture.held > 0) == bool(packing) for picture in pictures)
    assert pictures[0].source == f"{tmp_path / 'no-extension'}!/b/red.png"
    assert pictures[1].read().shape == pictures[1].read().shape == (90, 70, 3)


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


def test_a_long_name_cut_behind_a_slash_in_its_header_is_no_folder(tmp_path):
    name = "x" * 99 + "/red.png"
    write_tar(tmp_path / "a.tar", [(name, png_bytes(RED)), ("last.png", png_bytes(BLUE))], format=tarfile.GNU_FORMAT)
    assert read_all(tmp_path / "a.tar") == {name: RED, "last.png": BLUE}
    (tmp_path / "b.tar").write_bytes(header(b"folder.png/", 0) + header(b"a.png", 0))
    assert list(read_all(tmp_path / "b.tar")) == ["a.png"]


def test_what_is_no_file_in_a_tar(tmp_path):
    kinds = {
        "link": tarfile.SYMTYPE,
        "hard": tarfile.LNKTYPE,
        "fifo": tarfile.FIFOTYPE,
        "dev": tarfile.CHRTYPE,
        "blk": tarfile.BLKTYPE,
    }
    with tarfile.open(str(tmp_path / "a.tar"), "w") as archive:
        for name, kind in kinds.items():
            info = tarfile.TarInfo(f"{name}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("folder.png")
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        archive.addfile(tarfile.TarInfo("empty.png"))
        info = tarfile.TarInfo("last.png")
        info.size = len(png_bytes(RED))
        archive.addfile(info, io.BytesIO(png_bytes(RED)))
    found = read_all(tmp_path / "a.tar")
    assert found.pop("last.png") == RED
    reasons = {name: reason.split("png' ")[1] for name, reason in found.items()}
    assert reasons == {
        "link.png": "is a link in the archive; pack the files themselves",
        "hard.png": "is a hard link in the archive; pack the files themselves",
        "fifo.png": "is a named pipe",
        "dev.png": "is a device",
        "blk.png": "is a device",
        "empty.png": "is empty (0 bytes)",
    }


def test_sparse_members_of_a_tar_are_told(tmp_path):
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "a.png"}
    with tarfile.open(str(tmp_path / "a.tar"), "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    assert "stored as a sparse file" in read_all(tmp_path / "a.tar")["a.png"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_tar_cut_off_anywhere_gives_what_is_whole_and_says_so(tmp_path, mode):
    write_tar(tmp_path / "whole.tar", [(f"{n}.png", png_bytes((n, 0, 0))) for n in range(6)], mode)
    data = (tmp_path / "whole.tar").read_bytes()
    seen = set()
    for length in range(1, len(data), max(1, len(data) // 60)):
        (tmp_path / "cut.tar").write_bytes(data[:length])
        found = read_all(tmp_path / "cut.tar")
        whole = [relative for relative, colour in found.items() if isinstance(colour, tuple)]
        assert whole == [f"{n}.png" for n in range(len(whole))]
        assert [found[relative][0] for relative in whole] == list(range(len(whole)))
        assert len(found) - len(whole) <= 1
        seen.add(len(whole))
    assert len(seen) > (4 if mode == "w" else 1)


def test_behind_damage_in_a_tar_the_next_header_is_found(tmp_path):
    write_tar(tmp_path / "a.tar", [(f"{n}.png", png_bytes((n, 0, 0))) for n in range(5)])
    data = bytearray((tmp_path / "a.tar").read_bytes())
    data[1024 * 2 + 20] ^= 1  # in the header of the third
    (tmp_path / "a.tar").write_bytes(bytes(data))
    found = read_all(tmp_path / "a.tar")
    assert list(found) == ["0.png", "1.png", "a.tar", "3.png", "4.png"]
    assert "is damaged near byte 2,560" in found["a.tar"]


def header(name, size, kind=b"0"):
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    block = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + field + b"0" * 11 + b"\0" + b" " * 8 + kind
    block = block.ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (header(b"a.png", 8**11 - 1), "has 8,589,934,591 bytes, more than the 400,000,000 that are read"),
        (header(b"a.png", b"\x80" + b"\xff" * 11), "bytes, more than the 400,000,000"),
        (header(b"a.png", MAX_BYTES), "is cut off: the archive ends in the middle"),
        (header(b"a.txt", MAX_BYTES), "is damaged near byte"),
        (header(b"L", 8**10, b"L"), "cannot be unpacked beyond byte 1,024: a header of 1,073,741,824 bytes"),
        (header(b"x", 8**10, b"x"), "a header of 1,073,741,824 bytes"),
        (header(b"a.png", b"\xff" * 12), "is damaged near byte"),
    ],
    ids=["size", "base-256", "limit", "other", "long-name", "pax", "negative"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_sizes_that_a_tar_only_claims(tmp_path, member, reason, packed):
    data = header(b"good.png", 0) + member + b"some bytes"
    if packed:
        data = lzma.compress(data, preset=0)
    (tmp_path / "a.tar").write_bytes(data)
    tracemalloc.start()
    try:
        found = read_all(tmp_path / "a.tar")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reason in list(found.values())[1]
    assert peak < 6_000_000


def test_pax_headers_that_lie(tmp_path):
    for lines in (b"0 path=a.png\n", b"999999999 path=a.png\n", b"20 path\n", b"\xff" * 40, b"18 size=-1234567\n"):
        (tmp_path / "a.tar").write_bytes(
            header(b"x", len(lines), b"x") + lines.ljust(512, b"\0") + header(b"a.png", 100) + b"a" * 512
        )
        assert "not a picture in a known format" in read_all(tmp_path / "a.tar")["a.png"]


def test_an_xz_that_asks_for_much_memory(tmp_path):
    write_tar(tmp_path / "a.tar", MEMBERS)
    filters = [
        {"id": lzma.FILTER_LZMA2, "dict_size": 512 << 20, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3, "nice_len": 8}
    ]
    try:
        packer = lzma.LZMACompressor(filters=filters)
    except MemoryError:
        pytest.skip("no memory for the packer")
    data = packer.compress((tmp_path / "a.tar").read_bytes()) + packer.flush()
    (tmp_path / "a.tar.xz").write_bytes(data)
    assert "Memory usage limit" in read_all(tmp_path / "a.tar.xz")["a.tar.xz"]


def test_archives_of_several_packed_streams(tmp_path):
    write_tar(tmp_path / "a.tar", MEMBERS)
    data = (tmp_path / "a.tar").read_bytes()
    for pack in (bz2.compress, lzma.compress):
        (tmp_path / "b.tar").write_bytes(pack(data[:1500]) + pack(data[1500:]))
        assert len(read_all(tmp_path / "b.tar")) == 3


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
    (picture,) = iter_pictures(tmp_path / "a.zip")
    tracemalloc.start()
    try:
        with pytest.raises(ImageFileError, match="is damaged: its checksum or size"):
            picture.read()
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_zips_that_are_not_whole(tmp_path):
    write_zip(tmp_path / "a.zip", [(f"{n}.png", png_bytes((n, 0, 0))) for n in range(9)])
    data = (tmp_path / "a.zip").read_bytes()
    for length in (10, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.zip").write_bytes(data[:length])
        with pytest.raises(ImageFileError, match="cut.zip' is not a whole zip archive: its directory is missing"):
            iter_pictures(tmp_path / "cut.zip")
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    (tmp_path / "a.zip").write_bytes(data[:second] + b"XX" + data[second + 2 :])
    found = read_all(tmp_path / "a.zip")
    assert list(found) == ["0.png", "a.zip"]
    assert "has a directory that is damaged at entry 1" in found["a.zip"]
    (tmp_path / "a.zip").write_bytes(data[-22:-6] + b"\xff\xff\xff\x7f" + data[-2:])
    with pytest.raises(ImageFileError, match="its directory lies outside"):
        iter_pictures(tmp_path / "a.zip")


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_archives_without_pictures(tmp_path, write):
    write(tmp_path / "a", [("notes.txt", b"x")])
    with pytest.raises(ImageFileError, match=r"no pictures in the (zip|tar) archive '.*a'"):
        iter_pictures(tmp_path / "a")


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
    assert "no pictures in " in found["empty"]
    assert list(read_all(tmp_path / "*" / "*.zip")) == ["one/a.zip/x.png", "two/a.zip/x.png"]
    (tmp_path / "two" / "a.zip").write_bytes(b"PK")
    assert "not a whole zip archive" in read_all(tmp_path / "*" / "*.zip")["two/a.zip"]
    with pytest.raises(ImageFileError, match="no such file or folder: '.*nowhere'"):
        iter_pictures([tmp_path / "one", tmp_path / "nowhere"])
    with pytest.raises(ImageFileError, match="a folder, file, pattern or list of these, not 7"):
        iter_pictures([tmp_path / "one", 7])
    with pytest.raises(ImageFileError, match="the list of paths is empty"):
        iter_pictures([[], ()])
