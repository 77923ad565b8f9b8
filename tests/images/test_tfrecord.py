"""Images in TFRecord files: the checksum against its published values and TensorFlow's, damage record by record."""

from __future__ import annotations

import gzip
import os
import random
import struct
import time
import tracemalloc

import pytest
from archive_files import example, png_bytes, read_all, record

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.crc32c import crc32c
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.images.tfrecord import bytes_features

EXAMPLES = [example(image__encoded=png_bytes((n, 0, 0)), image__format=b"png") for n in range(5)]


def slow_crc32c(data):
    """Bit by bit, as RFC 3720 has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_checksums_of_rfc_3720():
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("length", [0, 1, 3, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 4095, 4096, 4097, 20_000])
def test_checksums_of_every_length(length):
    data = bytes(random.Random(length).getrandbits(8) for _ in range(length))
    assert crc32c(data) == slow_crc32c(data)


def test_a_checksum_takes_less_time_than_decoding():
    data = os.urandom(1_000_000)
    crc32c(data)
    started = time.perf_counter()
    crc32c(data)
    assert time.perf_counter() - started < 0.5  # plain Python takes more


@pytest.mark.parametrize("packed", [False, True])
def test_records_without_names(tmp_path, packed):
    data = b"".join(map(record, EXAMPLES))
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(data) if packed else data)
    expected = {f"{n:08d}": (n, 0, 0) for n in range(5)}
    assert read_all(tmp_path / "a.tfrecord") == expected
    (tmp_path / "a.tfrecord").rename(tmp_path / "train-00000-of-00001")
    assert read_all(tmp_path / "train-00000-of-00001") == expected
    images = list(iter_images(tmp_path / "train-00000-of-00001"))
    assert images[3].source == f"{tmp_path / 'train-00000-of-00001'}!/3"
    assert (images[3].held > 0) == packed


def test_names_in_records(tmp_path):
    names = [b"n01/cat.JPEG", b"n01/cat.JPEG", b"/etc/../../passwd.png", b"", b"caf\xe9.png"]
    examples = [example(image__encoded=png_bytes((n, 0, 0)), image__filename=name) for n, name in enumerate(names)]
    (tmp_path / "a.tfrecord").write_bytes(b"".join(map(record, examples)))
    relatives = ["n01/cat.JPEG", "n01/cat-2.JPEG", "etc/passwd.png", "00000003", "caf\udce9.png"]
    assert read_all(tmp_path / "a.tfrecord") == {name: (n, 0, 0) for n, name in enumerate(relatives)}


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_record_is_lost_alone(tmp_path, packed):
    records = [bytearray(record(data)) for data in EXAMPLES]
    records[1][40] ^= 1  # in the data
    records[3][2] ^= 1  # in the length
    data = b"".join(records)
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(data) if packed else data)
    found = read_all(tmp_path / "a.tfrecord")
    assert [found[f"{n:08d}"] for n in (0, 2, 4)] == [(0, 0, 0), (2, 0, 0), (4, 0, 0)]
    assert "a.tfrecord!/1' is damaged: its checksum is wrong" in found["00000001"]
    assert "a.tfrecord!/3' is damaged: the checksum of its length is wrong" in found["00000003"]


def test_behind_much_garbage_the_next_record_is_found(tmp_path):
    for length in (5_000_000, *range(131_055, 131_080)):  # about the edge of a block
        data = record(EXAMPLES[0]) + os.urandom(length) + record(EXAMPLES[4])
        (tmp_path / "a.tfrecord").write_bytes(data)
        found = read_all(tmp_path / "a.tfrecord")
        assert (found["00000000"], found["00000002"], len(found)) == ((0, 0, 0), (4, 0, 0), 3)


def test_records_cut_off_anywhere(tmp_path):
    data = b"".join(map(record, EXAMPLES[:2]))
    first = len(record(EXAMPLES[0]))
    for length in range(1, len(data), 3):
        (tmp_path / "a.tfrecord").write_bytes(data[:length])
        found = read_all(tmp_path / "a.tfrecord")
        assert (found["00000000"] == (0, 0, 0)) == (length >= first)
        if length != first:
            assert "is cut off: the file ends in the middle of it" in list(found.values())[-1]
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(data)[:-30])
    assert "cannot be unpacked beyond byte" in read_all(tmp_path / "a.tfrecord")["a.tfrecord"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0f\xff", "is not a tf.train.Example: no protobuf field at byte 1"),
        (b"\x0a\xff\xff\xff", "is not a tf.train.Example: the data ends at byte 4 inside a number"),
        (b"\x0a\x7fabc", "is not a tf.train.Example: the field at byte 2 needs 127 bytes and 3 are left"),
        (b"", "has no image in 'image/encoded'; features of bytes: none"),
        (example(label=b"cat", image__encoded=b""), "has no image in 'image/encoded'; features of bytes: 'image/enc"),
        (example(image__encoded=png_bytes()[:-30]), "cannot be decoded"),
        (example(image__encoded=b"text"), "is not an image in a known format"),
    ],
)
def test_records_that_are_no_images(tmp_path, data, reason):
    (tmp_path / "a.tfrecord").write_bytes(record(data) + record(EXAMPLES[1]))
    found = read_all(tmp_path / "a.tfrecord")
    assert reason in found["00000000"]
    assert found["00000001"] == (1, 0, 0)


def test_a_record_that_claims_to_be_huge(tmp_path):
    from gradcam_tf1.images.crc32c import masked

    length = struct.pack("<Q", 1 << 60)
    (tmp_path / "a.tfrecord").write_bytes(record(EXAMPLES[0]) + length + struct.pack("<L", masked(length)) + b"x")
    tracemalloc.start()
    try:
        found = read_all(tmp_path / "a.tfrecord")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert "bytes, more than the 400,000,000 that are read" in found["00000001"]


def test_what_is_no_tfrecord_file(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(os.urandom(500))
    assert "checksum of its length is wrong" in read_all(tmp_path / "a.tfrecord")["00000000"]
    (tmp_path / "b.tfrecord").touch()
    with pytest.raises(ImageFileError, match=r"b.tfrecord' is empty \(0 bytes\)"):
        iter_images(tmp_path / "b.tfrecord")


def test_numbers_and_unknown_fields_of_an_example_are_passed_over():
    data = b"\x10\x96\x01" + b"\x1d1234" + b"\x1912345678" + example(a=b"x")
    assert {name: bytes(value) for name, value in bytes_features(data).items()} == {"a": b"x"}


def test_files_that_tensorflow_writes(tmp_path):
    from gradcam_tf1.tf_runtime import tf

    def feature(kind, values):
        return tf.train.Feature(**{f"{kind}_list": getattr(tf.train, f"{kind.title()}List")(value=values)})

    with tf.python_io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for n in range(3):
            features = {
                "image/encoded": feature("bytes", [png_bytes((n, 9, 9), (200 + n, 100))]),
                "image/filename": feature("bytes", [b"%d.png" % n]),
                "image/height": feature("int64", [100, 1 << 40]),
                "image/object/bbox/xmin": feature("float", [0.5, 0.25]),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    assert read_all(tmp_path / "a.tfrecord") == {f"{n}.png": (n, 9, 9) for n in range(3)}
