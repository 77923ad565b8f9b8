"""Recognise what a model path holds by its content; the file name decides only between equal contents. No TensorFlow.

The tables: `_MAGIC` for first bytes, `_TEXTS` for text files, `_MESSAGES` for protobuf messages. A kind is the word by
which a loader takes the file ("HDF5", "graph"), or a phrase for an error message ("a PNG image").

Protobuf parses many wrong files without an error, so the outermost fields are compared with those of each message.
"""

from __future__ import annotations

import mmap
import os
import re
from typing import Callable, Container, List, NamedTuple, Tuple, Union

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.wire import LENGTH, Buffer, WireError, WireField, records

POSSIBLE = (
    "a frozen graph (.pb, .pbtxt), a checkpoint (its prefix, its folder, or its .meta, .index, .data-... or "
    "`checkpoint` file), a TF1 SavedModel (its folder or saved_model.pb), a Keras .h5 or .keras, an ONNX file, a file "
    "of torch.save(model), a tf.keras model, a GraphDef, a tf.Session, or a (graph, session) pair"
)

_ZIP = "a zip archive (a .npz file, or a packed model: unpack it)"
_IN_KERAS = (b"config.json", b"model.weights.h5")
_IN_TORCH = (b"/data.pkl", b"/constants.pkl", b"/archive_format")  # torch.save, torch.jit.save, torch.export.save
_DIRECTORY = 1 << 16  # bytes at the end of a zip archive, which list its names
_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"PK\x03\x04", _ZIP),
    (b"\x1f\x8b", "a gzip archive (unpack it first)"),
    (b"BZh", "a bzip2 archive (unpack it first)"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "torch"),  # the older form of torch.save begins with this number
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
)
_TEXTS = (
    (r"(node|library|versions)\s*[:{]|version\s*:", "graph text"),
    (r"(saved_model_schema_version\s*:|meta_graphs\s*[:{])", "SavedModel text"),
    (r"(meta_info_def|graph_def)\s*[:{]", "meta graph text"),
    (r"(all_)?model_checkpoint_path", "checkpoint state"),
    (r"[{\[]", "a JSON text"),
    (r"<", "an HTML or XML page (a failed download?)"),
    (r"version https://git-lfs", "a Git LFS pointer (the model itself was not downloaded: git lfs pull)"),
)
_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")  # last bytes of every .index file and of V1 checkpoints
_SHARD = re.compile(r"\.data-\d{5}-of-\d{5}$")


class Content(NamedTuple):
    """A path and what it holds.

    Attributes
    ----------
    path : str
        The path as it was given.
    kind : str
        "missing", "folder", "shard", "table", "HDF5", "Keras archive", "graph", "graph text", "meta graph",
        "meta graph text", "SavedModel", "SavedModel text", "checkpoint state", "ONNX", "torch", or a phrase that
        describes a file of another kind.
    """

    path: str
    kind: str


def identify(path: Union[str, os.PathLike[str]]) -> Content:
    """Recognise what a path holds, without parsing the file.

    Raises
    ------
    ModelFileError
        If the file is unreadable, empty or truncated, or no regular file.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        return Content(path, "folder")
    if not os.path.exists(path):
        return Content(path, "missing")
    if not os.path.isfile(path):
        raise ModelFileError(f"{path} is not a regular file (a pipe or a device?); expected {POSSIBLE}")
    if _SHARD.search(path):
        return Content(path, "shard")
    try:
        if os.path.getsize(path) == 0:
            raise ModelFileError(f"{path} is empty (0 bytes); expected {POSSIBLE}")
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return Content(path, _kind(path, data))
    except (OSError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path} cannot be read: {error}") from error


def _kind(path: str, data: mmap.mmap) -> str:
    head = data[:4096]
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return _zip_kind(head, data[-_DIRECTORY:]) if kind == _ZIP else kind
    if data[4:8] == b"TFL3":
        return "a TensorFlow Lite model (it has no gradients: give the graph that it was converted from)"
    if data[-8:] == _TABLE_MAGIC:
        return "table"
    if b"\x00" not in head and not re.search(rb"[\x01-\x08\x0e-\x1f]", head):
        return _text_kind(head.decode("utf-8", "replace"))
    try:
        kind = message_kind(data)
    except WireError as error:
        raise ModelFileError(
            f"{path} is truncated, damaged or not a TensorFlow file ({error}); expected {POSSIBLE}"
        ) from error
    return "a binary file of no known kind" if kind == "unknown" else kind


def _zip_kind(head: bytes, directory: bytes) -> str:
    if all(name in directory for name in _IN_KERAS):
        return "Keras archive"
    return "torch" if any(name in head + directory for name in _IN_TORCH) else _ZIP


def _text_kind(head: str) -> str:
    body = re.sub(r"^(\s|#[^\n]*\n)*", "", head.lstrip("\ufeff"))
    for pattern, kind in _TEXTS:
        if re.match(pattern, body):
            return kind
    return "a text file of no known kind"


def wrong(content: Content, expected: str = POSSIBLE) -> ModelFileError:
    """Return the error for a file of another kind, or for a folder without a model.

    Parameters
    ----------
    content : Content
        What was found.
    expected : str
        What is possible, for the message.

    Returns
    -------
    ModelFileError
        The error, to be raised.
    """
    if content.kind == "folder":
        return _wrong_folder(content.path)
    return ModelFileError(f"{content.path} is {content.kind}; expected {expected}")


def _wrong_folder(path: str) -> ModelFileError:
    names = sorted(os.listdir(path))
    versions = [name for name in names if os.path.isfile(os.path.join(path, name, "saved_model.pb"))]
    if versions:
        return ModelFileError(
            f"{path} is not a model; give one of its folders with a SavedModel: {', '.join(versions)}"
        )
    held = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"
    return ModelFileError(f"{path} is a folder without a model (it holds: {held}); expected {POSSIBLE}")


_NODE_NAME = re.compile(rb"[A-Za-z0-9.][A-Za-z0-9_.\\/>\-]*\Z")
_OP_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_>]*\Z")


def _inside(data: Buffer, field: WireField) -> List[WireField]:
    return list(records(data, field.start, field.end))


def _only(fields: List[WireField], messages: Container[int], varints: Container[int] = ()) -> bool:
    return all((f.wire_type == LENGTH and f.field in messages) or f.field in varints for f in fields)


def _is_node(data: Buffer, field: WireField) -> bool:
    try:
        fields = _inside(data, field)
    except WireError:
        return False
    texts = {f.field: bytes(data[f.start : f.end]) for f in fields if f.wire_type == LENGTH and f.field in (1, 2)}
    named = _NODE_NAME.match(texts.get(1, b"")) and _OP_NAME.match(texts.get(2, b""))
    return bool(named) and _only(fields, range(1, 8))


def _is_graph(data: Buffer, fields: List[WireField]) -> bool:
    nodes = [f for f in fields if f.field == 1]
    return _only(fields, (1, 2, 4, 5), (3,)) and all(_is_node(data, node) for node in nodes[:1] + nodes[-1:])


def _is_meta_graph(data: Buffer, fields: List[WireField]) -> bool:
    graphs = [f for f in fields if f.field == 2]
    return len(graphs) == 1 and _only(fields, range(1, 9)) and _is_graph(data, _inside(data, graphs[0]))


def _is_saved_model(data: Buffer, fields: List[WireField]) -> bool:
    metas = [f for f in fields if f.field == 2]
    return bool(metas) and _only(fields, (2,), (1,)) and _is_meta_graph(data, _inside(data, metas[0]))


def _is_onnx(_: Buffer, fields: List[WireField]) -> bool:
    return {1, 7} <= {f.field for f in fields} and any(f.field == 1 and f.wire_type == 0 for f in fields)


_MESSAGES: Tuple[Tuple[str, Callable[[Buffer, List[WireField]], bool]], ...] = (
    ("graph", _is_graph),
    ("meta graph", _is_meta_graph),
    ("SavedModel", _is_saved_model),
    ("ONNX", _is_onnx),
)


def message_kind(data: Buffer) -> str:
    """Recognise a binary protobuf file by its outermost fields.

    Parameters
    ----------
    data : bytes, memoryview or mmap
        The whole file.

    Returns
    -------
    str
        "graph", "meta graph", "SavedModel", "ONNX" or "unknown".

    Raises
    ------
    WireError
        If the file is no protobuf message.
    """
    fields = list(records(data))
    for kind, fits in _MESSAGES:
        try:
            if fits(data, fields):
                return kind
        except WireError:  # a payload is no message, so the file is not of this kind
            continue
    return "unknown"
