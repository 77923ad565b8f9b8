"""The bytes features of a serialized tf.train.Example, without TensorFlow.

Example{1: Features{1: map entry{1: key, 2: Feature{1: BytesList{1: value}}}}}
Sources: tensorflow/core/example/*.proto and https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Dict, Iterator

from gradcam_tf1.wire import LENGTH, Record, records


def bytes_features(data: bytes) -> Dict[str, memoryview]:
    """Name -> first value of each feature that holds bytes, nothing copied.

    Raises: ValueError where it is no Example.
    """
    view, found = memoryview(data), {}
    for features in _messages(view, Record(0, LENGTH, 0, len(view)), 1):
        for entry in _messages(view, features, 1):
            key = b"".join(view[name.start : name.end] for name in _messages(view, entry, 1))
            for feature in _messages(view, entry, 2):
                for values in _messages(view, feature, 1):
                    value = next(_messages(view, values, 1), None)
                    if value is not None:
                        found[key.decode("utf-8", "replace")] = view[value.start : value.end]
    return found


def _messages(data: memoryview, outer: Record, wanted: int) -> Iterator[Record]:
    """The fields of this number within a record, those that have a length."""
    for record in records(data, outer.start, outer.end):
        if record.field == wanted and record.wire_type == LENGTH:
            yield record
