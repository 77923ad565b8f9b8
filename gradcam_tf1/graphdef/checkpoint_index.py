"""Check the index of a checkpoint before TensorFlow opens it: invalid entries would end the whole program.

The index is a table of BundleEntryProtos in the format of LevelDB,
https://github.com/google/leveldb/blob/main/doc/table_format.md.
"""

from __future__ import annotations

import mmap
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Optional, Tuple, TypeVar, Union

from google.protobuf.message import DecodeError, Message

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.partitioned_variables import PART_MARK, check_parts
from gradcam_tf1.graphdef.tensor_sizes import MAX_BYTES, check_tensor_shape
from gradcam_tf1.graphdef.wire import WireError, read_varint
from gradcam_tf1.tf_runtime import bundle_entry_message, bundle_header_message

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import BundleEntryProto

Table = Union[bytes, mmap.mmap]
_Message = TypeVar("_Message", bound=Message)
_FOOTER, _TRAILER = 48, 5  # bytes; the trailer holds one byte for the compression and four of a checksum
_HEADER_KEY = b""
_REMEDY = "copy the checkpoint again, or save it again"
_MAX_SHARDS = 99_999  # five digits in the names of the data files


def check_index(path: str, shards: List[str]) -> None:
    """Check the entries of an index.

    Parameters
    ----------
    path : str
        The .index file.
    shards : list of str
        The data files, in order.

    Raises
    ------
    ModelFileError
        If an entry has an impossible shape or lies outside the data files.
    """
    files = [(shard, os.path.getsize(shard)) for shard in shards]
    partitioned: Dict[bytes, BundleEntryProto] = {}
    parts: Dict[bytes, BundleEntryProto] = {}
    with _damage_of(path):
        for key, value in _entries_in(path):
            if key == _HEADER_KEY:
                continue
            entry = _parse(bundle_entry_message(), value)
            what = f"the variable {key.decode('utf-8', 'replace')!r}"
            check_tensor_shape(what, entry.shape, entry.dtype)
            if entry.slices:
                partitioned[key] = entry
                continue
            _check_location(what, entry, files)
            if key.startswith(PART_MARK):
                parts[key] = entry
        check_parts(partitioned, parts)


def count_shards(path: str) -> int:
    """Return the number of data files that an index states. Raises ModelFileError if it is damaged."""
    with _damage_of(path):
        header = dict(_entries_in(path)).get(_HEADER_KEY)
        if header is None:
            raise ModelFileError("it does not say how many data files there are")
        count = int(_parse(bundle_header_message(), header).num_shards)
        if not 0 < count <= _MAX_SHARDS:
            raise ModelFileError(f"it states {count} data files; 1 to {_MAX_SHARDS:,} are possible")
    return count


def _parse(kind: Callable[[], _Message], value: bytes) -> _Message:
    """Parse a message; refuse bytes that protobuf would write differently, since another parser may read them so."""
    message = kind()
    message.ParseFromString(value)
    if message.SerializeToString() != value:
        raise WireError("an entry is not written as TensorFlow writes it")
    return message


@contextmanager
def _damage_of(path: str) -> Iterator[None]:
    try:
        yield
    except (WireError, DecodeError, struct.error) as error:
        raise ModelFileError(
            f"{path} is damaged: it cannot be read as the index of a checkpoint ({error}); {_REMEDY}"
        ) from error
    except ModelFileError as error:
        raise ModelFileError(f"{path} is damaged: {error}; {_REMEDY}") from error


def _entries_in(path: str) -> Iterator[Tuple[bytes, bytes]]:
    with open(path, "rb") as file:
        yield from entries(file.read())


def entries(data: Table) -> Iterator[Tuple[bytes, bytes]]:
    """Read a table.

    Parameters
    ----------
    data : bytes or mmap
        The whole file.

    Yields
    ------
    (bytes, bytes)
        Key and value, in the order of the keys.

    Raises
    ------
    WireError
        If the table is damaged, or if a binary search, as TensorFlow does it, would find other entries.
    """
    if len(data) < _FOOTER:
        raise WireError(f"it ends after {len(data)} bytes")
    at = len(data) - _FOOTER
    for _ in range(2):  # skip the handle of a block that is not used here
        _, at = read_varint(data, at, len(data))
    last: Optional[bytes] = None
    for _, handle in _block(data, *_handle(data, at)):
        for key, value in _block(data, *_handle(handle, 0)):
            if last is not None and key <= last:
                raise WireError(f"its keys are not in order: {key[:40]!r} comes after {last[:40]!r}")
            last = key
            yield key, value


def _handle(data: Table, at: int) -> Tuple[int, int]:
    start, at = read_varint(data, at, len(data))
    size, _ = read_varint(data, at, len(data))
    return start, size


def _block(data: Table, start: int, size: int) -> Iterator[Tuple[bytes, bytes]]:
    end = start + size
    if end + _TRAILER > len(data) or size < 4:
        raise WireError(f"a block of {size} bytes at {start}")
    if data[end] != 0:
        raise WireError("it is compressed, and TensorFlow never writes it so")
    (count,) = struct.unpack_from("<I", data, end - 4)
    end -= 4 * (count + 1)
    if end < start:
        raise WireError(f"a block of {size} bytes at {start} with {count} restart points")
    restarts = {start + offset for offset in struct.unpack_from(f"<{count}I", data, end)}
    key, at = b"", start
    while at < end:
        first = at
        shared, at = read_varint(data, at, end)
        more, at = read_varint(data, at, end)
        length, at = read_varint(data, at, end)
        if shared > len(key) or at + more + length > end:
            raise WireError(f"an entry of {more + length} bytes at {at}")
        if not shared:
            restarts.discard(first)
        key = key[:shared] + data[at : at + more]
        yield key, data[at + more : at + more + length]
        at += more + length
    if restarts - {end}:
        raise WireError(f"byte {min(restarts)} is a restart point, and no entry begins there")


def _check_location(what: str, entry: BundleEntryProto, shards: List[Tuple[str, int]]) -> None:
    if not 0 <= entry.shard_id < len(shards) or entry.offset < 0 or not 0 <= entry.size <= MAX_BYTES:
        location = f"byte {entry.offset} of data file {entry.shard_id}, {entry.size} bytes long"
        raise ModelFileError(f"{what} should lie at {location}; there are {len(shards)} data files")
    shard, held = shards[entry.shard_id]
    if entry.offset + entry.size > held:
        raise ModelFileError(f"{shard} has {held} bytes, {what} ends at byte {entry.offset + entry.size}")
