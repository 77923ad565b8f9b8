"""The index of a checkpoint, looked through before TensorFlow opens it: absurd entries would end the whole program.

A table as LevelDB writes it, https://github.com/google/leveldb/blob/main/doc/table_format.md, of BundleEntryProtos.
"""

from __future__ import annotations

import os
import struct
from typing import Any, Iterator, List, Tuple

from google.protobuf.message import DecodeError

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.constants import MAX_BYTES, check_tensor_shape
from gradcam_tf1.tf_runtime import bundle_entry_message
from gradcam_tf1.wire import WireError, read_varint

_FOOTER, _TRAILER = 48, 5  # bytes; a trailer is one for the kind of compression and four of a checksum
_HEADER_KEY = b""


def check_index(path: str, shards: List[str]) -> None:
    """Raises ModelFileError where an entry of the index has no shape that can be, or lies outside the data files."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        for key, value in entries(data):
            if key != _HEADER_KEY:
                _check_entry(key.decode("utf-8", "replace"), bundle_entry_message().FromString(value), shards)
    except (WireError, DecodeError, struct.error) as error:
        raise ModelFileError(f"{path} is damaged: it cannot be read as the index of a checkpoint ({error})") from error
    except ModelFileError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from error


def entries(data: Any) -> Iterator[Tuple[bytes, bytes]]:
    """All keys and values of a table (bytes or mmap), in order."""
    if len(data) < _FOOTER:
        raise WireError(f"it ends after {len(data)} bytes")
    at = len(data) - _FOOTER
    for _ in range(2):  # the handle of a block that is not used here comes first
        _, at = read_varint(data, at, len(data))
    for _, handle in _block(data, *_handle(data, at)):
        yield from _block(data, *_handle(handle, 0))


def _handle(data: Any, at: int) -> Tuple[int, int]:
    start, at = read_varint(data, at, len(data))
    size, _ = read_varint(data, at, len(data))
    return start, size


def _block(data: Any, start: int, size: int) -> Iterator[Tuple[bytes, bytes]]:
    end = start + size
    if end + _TRAILER > len(data) or size < 4:
        raise WireError(f"a block of {size} bytes at {start}")
    if data[end] != 0:
        raise WireError("it is compressed, as TensorFlow never writes it")
    (restarts,) = struct.unpack_from("<I", data, end - 4)
    end -= 4 * (restarts + 1)
    key, at = b"", start
    while at < end:
        shared, at = read_varint(data, at, end)
        more, at = read_varint(data, at, end)
        length, at = read_varint(data, at, end)
        if shared > len(key) or at + more + length > end:
            raise WireError(f"an entry of {more + length} bytes at {at}")
        key = key[:shared] + data[at : at + more]
        yield key, data[at + more : at + more + length]
        at += more + length


def _check_entry(key: str, entry: Any, shards: List[str]) -> None:
    check_tensor_shape(f"the variable {key!r}", entry.shape, entry.dtype)
    if entry.slices:  # its parts have entries of their own
        return
    if not 0 <= entry.shard_id < len(shards) or entry.offset < 0 or not 0 <= entry.size <= MAX_BYTES:
        place = f"byte {entry.offset} of data file {entry.shard_id}, {entry.size} bytes long"
        raise ModelFileError(f"the variable {key!r} is said to lie at {place}; there are {len(shards)} such files")
    held = os.path.getsize(shards[entry.shard_id])
    if entry.offset + entry.size > held:
        raise ModelFileError(
            f"{shards[entry.shard_id]} ends after {held} bytes, the variable {key!r} at {entry.offset + entry.size}"
        )
