"""The bytes features of a serialized tf.train.Example, without TensorFlow.

Example{1: Features{1: map entry{1: key, 2: Feature{1: BytesList{1: value}}}}}
Sources: tensorflow/core/example/*.proto and https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Dict, Iterator, Tuple


def bytes_features(data: bytes) -> Dict[str, memoryview]:
    """Name -> first value of each feature that holds bytes, nothing copied.

    Raises: ValueError where it is no Example.
    """
    found = {}
    for features in _messages(memoryview(data), 1):
        for entry in _messages(features, 1):
            key = b"".join(_messages(entry, 1))
            for feature in _messages(entry, 2):
                for values in _messages(feature, 1):
                    value = next(_messages(values, 1), None)
                    if value is not None:
                        found[key.decode("utf-8", "replace")] = value
    return found


def _messages(data: memoryview, wanted: int) -> Iterator[memoryview]:
    """The payloads of one field that has a length."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("a field is longer than the record")
            if tag >> 3 == wanted:
                yield data[at : at + size]
            at += size
        elif tag & 7 == 0:
            _, at = _varint(data, at)
        elif tag & 7 in (1, 5):
            at += 8 if tag & 7 == 1 else 4
        else:
            raise ValueError(f"no protobuf wire type {tag & 7}")


def _varint(data: memoryview, at: int) -> Tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number does not end")
