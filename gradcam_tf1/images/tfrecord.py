"""List the images in TFRecord files: tf.train.Examples with an encoded image in `image/encoded`. No TensorFlow here.

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
from typing import BinaryIO, Dict, Iterator, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.graphdef.wire import LENGTH, WireField, records
from gradcam_tf1.images.crc32c import masked, masked_columns
from gradcam_tf1.images.file_names import Relatives
from gradcam_tf1.images.image_source import ImageContent, ImageSource, InMemory, lost_image
from gradcam_tf1.images.packed_files import PACKED_ERRORS, Stream
from gradcam_tf1.images.safe_open import MAX_BYTES


def bytes_features(data: bytes) -> Dict[str, memoryview]:
    """Return name -> first value of each feature of an Example that holds bytes, as views without a copy.

    Raise ValueError where the data are not an Example.
    """
    view = memoryview(data)
    values_by_name: Dict[str, memoryview] = {}
    for features in _messages(view, WireField(0, LENGTH, 0, len(view)), 1):
        for entry in _messages(view, features, 1):
            key = b"".join(view[name.start : name.end] for name in _messages(view, entry, 1))
            for feature in _messages(view, entry, 2):
                for values in _messages(view, feature, 1):
                    value = next(_messages(view, values, 1), None)
                    if value is not None:
                        values_by_name[key.decode("utf-8", "replace")] = view[value.start : value.end]
    return values_by_name


def _messages(data: memoryview, outer: WireField, wanted: int) -> Iterator[WireField]:
    """Yield the fields with this number and a length within a message."""
    for record in records(data, outer.start, outer.end):
        if record.field == wanted and record.wire_type == LENGTH:
            yield record


_LENGTH = struct.Struct("<QL")
_CRC = struct.Struct("<L")
_BLOCK = 1 << 16
_ENCODED = ("image/encoded", "image_raw", "image", "jpg", "png")
_NAMES = ("image/filename", "filename", "image/source_id")


def is_tfrecord(head: bytes) -> bool:
    """Recognise a TFRecord file by a length with the right checksum."""
    return len(head) >= _LENGTH.size and _length(head[: _LENGTH.size]) is not None


def _length(header: bytes) -> Optional[int]:
    """Return the length of the record, None where the checksum is wrong."""
    size, crc = _LENGTH.unpack(header)
    return size if masked(header[:8]) == crc else None


def tfrecord_images(path: str) -> Iterator[ImageSource]:
    """Yield one image for each record, named by `image/filename` or else by its number, from 0.

    A damaged record becomes an image that cannot be read; after a damaged length the next record is searched.

    Parameters
    ----------
    path : str
        The TFRecord file.

    Yields
    ------
    ImageSource

    Raises
    ------
    ImageFileError
        If the file cannot be opened.
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


def _image(
    source: str, number: str, size: Optional[int], content: Optional[ImageContent], relatives: Relatives
) -> ImageSource:
    if size is None:
        return lost_image(source, relatives(number), "is damaged: the checksum of its length is wrong")
    if size > MAX_BYTES:
        return lost_image(source, relatives(number), f"has {size:,} bytes, more than the {MAX_BYTES:,} that are read")
    if content is None:
        return lost_image(source, relatives(number), "is cut off: the file ends in the middle of it")
    record = TFRecordEntry(source, content)
    return ImageSource(source, relatives(record.name() or number), record)


def _records(stream: Stream) -> Iterator[Tuple[Optional[int], Optional[ImageContent]]]:
    """Yield (length, content followed by its checksum) of each record; the length is None where it is damaged."""
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
    """Return the next 12 bytes that are a header, b"" at the end; a false hit has a probability of 1e-12 per byte."""
    block = b""
    while True:
        more = stream.read(_BLOCK)
        block += more
        starts = _headers(block)
        if len(starts):
            stream.put_back(block[starts[0] + _LENGTH.size :])
            return block[starts[0] : starts[0] + _LENGTH.size]
        if not more:
            return b""
        block = block[1 - _LENGTH.size :]


def _headers(block: bytes) -> np.ndarray:
    """Return the positions in the block where a length below 2 ** 40 is followed by its checksum."""
    if len(block) < _LENGTH.size:
        return np.zeros(0, np.int64)
    values = np.frombuffer(block, np.uint8)
    count = len(block) - _LENGTH.size + 1
    windows = np.stack([values[start : start + count] for start in range(_LENGTH.size)])
    checksums = sum(windows[8 + byte].astype(np.uint32) << np.uint32(8 * byte) for byte in range(4))
    return np.flatnonzero((masked_columns(windows[:8]) == checksums) & ~windows[5:8].any(axis=0))


@dataclass(frozen=True)
class TFRecordEntry(ImageContent):
    """A record followed by its checksum, in a file or in memory."""

    source: str
    content: ImageContent

    @property
    def held(self) -> int:
        """Number of bytes kept in memory."""
        return self.content.held

    def name(self) -> str:
        """Return the name of the file that the record was made from, "" where it has none or is damaged."""
        try:
            features = bytes_features(self._bytes()[: -_CRC.size])
        except (ValueError, ImageFileError):
            return ""
        return next((os.fsdecode(bytes(features[name])) for name in _NAMES if features.get(name)), "")

    def open(self) -> BinaryIO:
        """Open the encoded image; raise ImageFileError where the checksum is wrong or there is no image."""
        data = self._bytes()
        if masked(data[: -_CRC.size]) != _CRC.unpack(data[-_CRC.size :])[0]:
            raise ImageFileError(f"{self.source!r} is damaged: its checksum is wrong")
        try:
            features = bytes_features(data[: -_CRC.size])
        except ValueError as error:
            raise ImageFileError(f"{self.source!r} is not a tf.train.Example: {error}") from error
        encoded = next((features[name] for name in _ENCODED if features.get(name)), None)
        if encoded is None:
            names = ", ".join(map(repr, sorted(features)[:8])) or "none"
            raise ImageFileError(f"{self.source!r} has no image in 'image/encoded'; features of bytes: {names}")
        return io.BytesIO(encoded)

    def _bytes(self) -> bytes:
        if isinstance(self.content, InMemory):
            return self.content.data
        with self.content.open() as file:
            return bytes(file.read())
