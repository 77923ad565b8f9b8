"""Images in tar archives, packed and not: what Python writes, and damage and lies header by header."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import tracemalloc

import pytest
from archive_files import (
    BLUE,
    COLOURS,
    GREEN,
    LONG,
    MEMBERS,
    RED,
    png_bytes,
    read_all,
    write_tar,
)

from gradcam_tf1.images.safe_open import MAX_BYTES
from gradcam_tf1.images.source_kinds import iter_images


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
    images = list(iter_images(tmp_path / "no-extension"))
    assert all((image.held > 0) == bool(packing) for image in images)
    assert images[0].source == f"{tmp_path / 'no-extension'}!/b/red.png"
    assert images[1].read().shape == images[1].read().shape == (90, 70, 3)


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
        assert "not an image in a known format" in read_all(tmp_path / "a.tar")["a.png"]


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
