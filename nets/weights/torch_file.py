"""Read files of torch.save without torch: the zip format of torch 1.6 and later, and the older plain format.

Format: https://github.com/pytorch/pytorch/blob/main/torch/serialization.py
"""

from __future__ import annotations

import collections
import zipfile
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Callable, Dict, List, Tuple

import numpy as np

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets.restricted_unpickler import RestrictedUnpickler
from gradcam_tf1.nets.vgg_layers import SIZE_LIMIT, check_size

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

_DTYPES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",  # the upper half of a float32
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True)
class _Storage:
    """A block of numbers, as a persistent id names it: its type, its key and how many numbers it has."""

    type_name: str
    key: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise WeightsError("a tensor without a storage")
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _parameter(data: Any, *_: Any) -> Any:
    return data


_ADMITTED: Dict[Tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


_STORAGE_TYPES = {("torch", name): name for name in _DTYPES}


def read_state_dict(path: str) -> Dict[str, np.ndarray]:
    """Read a state dict written by torch.save, also one wrapped as {"state_dict": ...}.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    dict
        Tensor name -> float32 array.

    Raises
    ------
    WeightsError
        If the file is damaged, names refused functions, or holds no dict of tensors.
    """
    with open(path, "rb") as stream:
        content, blocks = _read_zip(stream, path) if zipfile.is_zipfile(stream) else _read_legacy(stream, path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise WeightsError(f"{path} holds a {type(content).__name__}; expected a state dict, name -> tensor")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, _Tensor)}
    return {name: _array(tensor, blocks, f"{path}: {name}") for name, tensor in tensors.items()}


def _read_zip(stream: BinaryIO, path: str) -> Tuple[Any, Dict[str, np.ndarray]]:
    with zipfile.ZipFile(stream) as archive:
        size = sum(member.file_size for member in archive.infolist())
        check_size(size, path)
        names = archive.namelist()
        pickles = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise WeightsError(f"{path} is a zip without data.pkl: neither a torch file nor a .npz")
        root = pickles[0].split("/")[0]
        with archive.open(pickles[0]) as pickled:
            content, storages = _unpickle(pickled, path)
        swapped = f"{root}/byteorder" in names and archive.read(f"{root}/byteorder") == b"big"
        blocks = {s.key: _numbers(archive.read(f"{root}/data/{s.key}"), s, swapped, path) for s in storages}
    return content, blocks


def _read_legacy(stream: BinaryIO, path: str) -> Tuple[Any, Dict[str, np.ndarray]]:
    """Read five pickles (magic number, version, system, content, storage keys), then size and numbers of storages."""
    size = stream.seek(0, 2)
    stream.seek(0)
    if _unpickle(stream, path)[0] != LEGACY_MAGIC:
        raise WeightsError(f"{path} is a pickle, but not one written by torch.save")
    _, system = _unpickle(stream, path)[0], _unpickle(stream, path)[0]
    content, storages = _unpickle(stream, path)
    keys = _unpickle(stream, path)[0]
    by_key = {storage.key: storage for storage in storages}
    swapped = isinstance(system, dict) and system.get("little_endian") is False
    blocks = {}
    for key in map(str, keys if isinstance(keys, list) else ()):
        count = int.from_bytes(stream.read(8), "big" if swapped else "little", signed=True)
        if key not in by_key or not 0 <= count <= size:
            raise WeightsError(f"{path} is damaged: storage {key!r:.40} of {count} numbers")
        storage = by_key[key]
        data = stream.read(count * np.dtype(_DTYPES[storage.type_name]).itemsize)
        blocks[key] = _numbers(data, _Storage(storage.type_name, key, count), swapped, path)
    return content, blocks


def _unpickle(stream: IO[bytes], path: str) -> Tuple[Any, List[_Storage]]:
    """Read one pickle: its object, and the storages that it refers to."""
    storages: List[_Storage] = []

    def storage(pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or pid[1] not in _DTYPES:
            raise WeightsError(f"a persistent id that is no storage: {pid!r:.80}")
        storages.append(_Storage(pid[1], str(pid[2]), int(pid[4])))
        return storages[-1]

    return RestrictedUnpickler(stream, path, _ADMITTED, storage, _STORAGE_TYPES).read(), storages


def _numbers(data: bytes, storage: _Storage, swapped: bool, path: str) -> np.ndarray:
    dtype = np.dtype(_DTYPES[storage.type_name])
    if len(data) < storage.count * dtype.itemsize:
        raise WeightsError(f"{path} is cut short: storage {storage.key} ends after {len(data)} bytes")
    numbers = np.frombuffer(data, dtype.newbyteorder(">" if swapped else "<"), storage.count)
    if storage.type_name == "BFloat16Storage":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers


def _array(tensor: _Tensor, blocks: Dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return the numbers of one tensor as float32, after a check that its view stays inside its storage."""
    block = blocks.get(tensor.storage.key, np.zeros(0, np.float32))
    shape, strides = tensor.shape, tensor.strides
    sane = len(shape) == len(strides) and min((tensor.offset, *shape, *strides)) >= 0
    if not sane or 4 * int(np.prod(shape, dtype=np.float64)) > SIZE_LIMIT:
        raise WeightsError(f"{name} is damaged: shape {shape}, strides {strides}, offset {tensor.offset}")
    last = tensor.offset + sum((length - 1) * stride for length, stride in zip(shape, strides))
    if 0 not in shape and last >= block.size:
        raise WeightsError(f"{name} is damaged: it reaches to number {last} of a storage of {block.size}")
    view = np.lib.stride_tricks.as_strided(
        block[tensor.offset :], shape, [stride * block.itemsize for stride in strides], writeable=False
    )
    return np.ascontiguousarray(view, np.float32)
