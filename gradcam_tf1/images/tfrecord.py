"""Images in TFRecord files: tf.train.Examples with an encoded image in `image/encoded`, read without TensorFlow.

Each record: length (8 bytes, little-endian), its masked CRC-32C, the data, their masked CRC-32C.
Example{1: Features{1: map entry{1: key, 2: Feature{1: BytesList{1: value}}}}}
Sources: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details,
tensorflow/core/example/*.proto and https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Dict, Iterator, Optional

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.graphdef.wire import LENGTH, WireField, records
from gradcam_tf1.images.crc32c import masked, masked_columns
from gradcam_tf1.images.file_names import Relatives
from gradcam_tf1.images.image_source import ImageSource, InMemory, lost_image
from gradcam_tf1.images.packed_files import PACKED_ERRORS, Stream
from gradcam_tf1.images.safe_open import MAX_BYTES


def bytes_features(data: bytes) -> Dict[str, memoryview]:
    """Name -> first value of each feature that holds bytes, nothing copied.

    Raises: ValueError where it is no Example.
    """
    view, found = memoryview(data), {}
    for features in _messages(view, WireField(0, LENGTH, 0, len(view)), 1):
        for entry in _messages(view, features, 1):
            key = b"".join(view[name.start : name.end] for name in _messages(view, entry, 1))
            for feature in _messages(view, entry, 2):
                for values in _messages(view, feature, 1):
                    value = next(_messages(view, values, 1), None)
                    if value is not None:
                        found[key.decode("utf-8", "replace")] = view[value.start : value.end]
    return found


def _messages(data: memoryview, outer: WireField, wanted: int) -> Iterator[WireField]:
    """The fields of this number within a record, those that have a length."""
    for record in records(data, outer.start, outer.end):
        if record.field == wanted and record.wire_type == LENGTH:
            yield record


_LENGTH = struct.Struct("<QL")
_CRC = struct.Struct("<L")
_BLOCK = 1 << 16
_ENCODED = ("image/encoded", "image_raw", "image", "jpg", "png")
_NAMES = ("image/filename", "filename", "image/source_id")


def is_tfrecord(head: bytes) -> bool:
    """Whether it begins with a length and the checksum of that."""
    return len(head) >= _LENGTH.size and _length(head[: _LENGTH.size]) is not None


def _length(header: bytes) -> Optional[int]:
    """The length of the record, None where the checksum does not fit."""
    size, crc = _LENGTH.unpack(header)
    return size if masked(header[:8]) == crc else None


def tfrecord_images(path: str) -> Iterator[ImageSource]:
    """One image for each record, named by `image/filename` where it has one, else by its place, counted from 0.

    A record that is damaged is a lost image; behind a damaged length the next record is searched.
    Raises: ImageFileError where the file cannot be opened.
    """
    relatives = Relatives()
    number = 0
    with Stream(path) as stream:
        try:
            for size, content in _records(stream):
                yield _image(f"{path}!/{number}", f"{number:08d}", size, content, relatives)
                number += 1
        except PACKED_ERRORS as error:
            reason = f"cannot be unpacked beyond byte {stream.place:,}: {error}"
            yield lost_image(path, relatives(os.path.basename(path)), reason)


def _image(source: str, place: str, size: Optional[int], content: Any, relatives: Relatives) -> ImageSource:
    if size is None:
        return lost_image(source, relatives(place), "is damaged: the checksum of its length is wrong")
    if size > MAX_BYTES:
        return lost_image(source, relatives(place), f"has {size:,} bytes, more than the {MAX_BYTES:,} that are read")
    if content is None:
        return lost_image(source, relatives(place), "is cut off: the file ends in the middle of it")
    record = TFRecordEntry(source, content)
    return ImageSource(source, relatives(record.name() or place), record)


def _records(stream: Stream) -> Iterator[Any]:
    """(length, content with the checksum behind it) of each record; length None where it is damaged."""
    header = stream.read(_LENGTH.size)
    while header:
        if len(header) < _LENGTH.size:
            yield 0, None
            return
        size = _length(header)
        if size is None:
            yield None, None
            stream.put_back(header[1:])
            header = _search(stream)
            continue
        wanted = size <= MAX_BYTES
        content = stream.take(size + _CRC.size) if wanted else None
        whole = stream.skip(size + _CRC.size) if not wanted else content is not None
        yield size, content
        if not whole:
            return
        header = stream.read(_LENGTH.size)


def _search(stream: Stream) -> bytes:
    """The next 12 bytes that are a header; b"" at the end. A chance hit: one in a million million positions."""
    block = b""
    while True:
        more = stream.read(_BLOCK)
        block += more
        found = _headers(block)
        if len(found):
            stream.put_back(block[found[0] + _LENGTH.size :])
            return block[found[0] : found[0] + _LENGTH.size]
        if not more:
            return b""
        block = block[1 - _LENGTH.size :]


def _headers(block: bytes) -> np.ndarray:
    """Where in the block 8 bytes, a length below 2 ** 40, are followed by their checksum."""
    if len(block) < _LENGTH.size:
        return np.zeros(0, np.int64)
    values = np.frombuffer(block, np.uint8)
    count = len(block) - _LENGTH.size + 1
    windows = np.stack([values[place : place + count] for place in range(_LENGTH.size)])
    there = sum(windows[8 + place].astype(np.uint32) << np.uint32(8 * place) for place in range(4))
    return np.flatnonzero((masked_columns(windows[:8]) == there) & ~windows[5:8].any(axis=0))


@dataclass(frozen=True)
class TFRecordEntry:
    """A record and the checksum behind it, in a file or in memory."""

    source: str
    content: Any

    @property
    def held(self) -> int:
        """Bytes of memory."""
        return getattr(self.content, "held", 0)

    def name(self) -> str:
        """What it says its file was called, "" where it says nothing or cannot be understood."""
        try:
            features = bytes_features(self._bytes()[: -_CRC.size])
        except (ValueError, ImageFileError):
            return ""
        return next((os.fsdecode(bytes(features[name])) for name in _NAMES if features.get(name)), "")

    def open(self) -> BinaryIO:
        """The encoded image. Raises: ImageFileError where the checksum is wrong or there is no image."""
        data = self._bytes()
        if masked(data[: -_CRC.size]) != _CRC.unpack(data[-_CRC.size :])[0]:
            raise ImageFileError(f"{self.source!r} is damaged: its checksum is wrong")
        try:
            features = bytes_features(data[: -_CRC.size])
        except ValueError as error:
            raise ImageFileError(f"{self.source!r} is not a tf.train.Example: {error}") from error
        encoded = next((features[name] for name in _ENCODED if features.get(name)), None)
        if encoded is None:
            there = ", ".join(map(repr, sorted(features)[:8])) or "none"
            raise ImageFileError(f"{self.source!r} has no image in 'image/encoded'; features of bytes: {there}")
        return io.BytesIO(encoded)

    def _bytes(self) -> bytes:
        if isinstance(self.content, InMemory):
            return self.content.data
        with self.content.open() as file:
            return file.read()
