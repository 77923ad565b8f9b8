"""A bounded fuzz run over archives, records and lists: whatever bits are turned, only ImageFileError comes out."""

from __future__ import annotations

import random
import time

import pytest
from archive_files import example, png_bytes, record, write_tar, write_zip

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.source_kinds import iter_images

MEMBERS = [(f"{n}-{'long' * 40}.png", png_bytes((n, 0, 0))) for n in range(4)]
RUNS = 200


def sound(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        write_zip(path, MEMBERS)
    elif kind == "tfrecord":
        records = [record(example(image__encoded=data, image__filename=name.encode())) for name, data in MEMBERS]
        path.write_bytes(b"".join(records))
    else:
        write_tar(path, MEMBERS, {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[kind])
    return path


def outcome(path):
    """Images read, and reasons."""
    read = reasons = 0
    try:
        for image in iter_images(path):
            try:
                image.read()
                read += 1
            except ImageFileError:
                reasons += 1
    except ImageFileError:
        reasons += 1
    return read, reasons


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip", "tfrecord"])
def test_turned_bits_and_missing_ends(tmp_path, kind):
    path = sound(tmp_path, kind)
    data = path.read_bytes()
    assert outcome(path) == (4, 0)
    chance = random.Random(kind)
    started = time.perf_counter()
    damaged = 0
    for number in range(RUNS):
        changed = bytearray(data)
        for _ in range(chance.choice([1, 1, 2, 5])):
            place = chance.randrange(len(changed))
            size = chance.choice([1, 1, 1, 4, 8])
            fill = chance.choice([b"\xff" * size, bytes(size), bytes(chance.randrange(256) for _ in range(size))])
            changed[place : place + size] = fill
        if number % 4 == 0:
            del changed[chance.randrange(1, len(changed)) :]
        path.write_bytes(bytes(changed))
        read, reasons = outcome(path)
        assert read <= 8
        damaged += reasons > 0
    assert damaged > RUNS / 4
    assert time.perf_counter() - started < 60
