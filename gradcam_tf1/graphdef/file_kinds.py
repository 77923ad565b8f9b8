"""What a model path holds, judged by its content; the file name only breaks ties. No TensorFlow here.

Protobuf parses many wrong files without complaint, so the outermost records are compared with those of each message.
"""

from __future__ import annotations

import mmap
import os
import re
from typing import Any, Container, List, NamedTuple

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.wire import LENGTH, WireError, WireField, records

POSSIBLE = (
    "a frozen graph (.pb, .pbtxt), a checkpoint (its prefix, its folder, or its .meta, .index, .data-... or "
    "`checkpoint` file), a TF1 SavedModel (its folder or saved_model.pb), a Keras .h5, a tf.keras model, a GraphDef, "
    "a tf.Session, or a (graph, session) pair"
)

_ZIP = "a zip archive (a .npz or .pth file, or a packed model: unpack it)"
_KERAS_3 = (
    "a .keras file of Keras 3, which Keras alone opens: in Python with TensorFlow 2 load it, "
    "model = keras.models.load_model(PATH), and give GradCamGraph(model), or write model.export(FOLDER) and give that "
    "folder"
)
_IN_KERAS_3 = (b"config.json", b"model.weights.h5")
_DIRECTORY = 1 << 16  # bytes at the end of a zip archive, where its names stand
_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"PK\x03\x04", _ZIP),
    (b"\x1f\x8b", "a gzip archive (unpack it first)"),
    (b"BZh", "a bzip2 archive (unpack it first)"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
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
_TABLE_MAGIC = bytes.fromhex(
    "57fb808b247547db"
)  # last bytes of every TensorFlow table: .index files and V1 checkpoints
_SHARD = re.compile(r"\.data-\d{5}-of-\d{5}$")


class Content(NamedTuple):
    """A path and what is there: "missing", "folder", "HDF5", "graph", ... or words that only describe a wrong file."""

    path: str
    kind: str


def identify(path: Any) -> Content:
    """Look at a path without parsing it. Raises ModelFileError for unreadable, empty and truncated files."""
    path = os.fspath(path)
    if os.path.isdir(path):
        return Content(path, "folder")
    if not os.path.exists(path):
        return Content(path, "missing")
    if not os.path.isfile(path):
        raise ModelFileError(f"{path} is no regular file (a pipe or a device?); expected {POSSIBLE}")
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


def _kind(path: str, data: Any) -> str:
    head = data[:4096]
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return _KERAS_3 if kind == _ZIP and all(name in data[-_DIRECTORY:] for name in _IN_KERAS_3) else kind
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
    return {"ONNX": "an ONNX model", "unknown": "a binary file of no known kind"}.get(kind, kind)


def _text_kind(head: str) -> str:
    body = re.sub(r"^(\s|#[^\n]*\n)*", "", head.lstrip("\ufeff"))
    for pattern, kind in _TEXTS:
        if re.match(pattern, body):
            return kind
    return "a text file of no known kind"


def wrong(content: Content, expected: str = POSSIBLE) -> ModelFileError:
    """The error for a file that is something else, or a folder that holds no model."""
    if content.kind == "folder":
        return _wrong_folder(content.path)
    return ModelFileError(f"{content.path} is {content.kind}; expected {expected}")


def _wrong_folder(path: str) -> ModelFileError:
    names = sorted(os.listdir(path))
    versions = [name for name in names if os.path.isfile(os.path.join(path, name, "saved_model.pb"))]
    if versions:
        return ModelFileError(f"{path} is not a model itself; SavedModels lie in its folders: {', '.join(versions)}")
    held = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"
    return ModelFileError(f"{path} is a folder without a model (it holds: {held}); expected {POSSIBLE}")


_NODE_NAME = re.compile(rb"[A-Za-z0-9.][A-Za-z0-9_.\\/>\-]*\Z")
_OP_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_>]*\Z")


def _inside(data: Any, record: WireField) -> List[WireField]:
    return list(records(data, record.start, record.end))


def _only(found: List[WireField], fields: Container[int], varints: Container[int] = ()) -> bool:
    return all((r.wire_type == LENGTH and r.field in fields) or r.field in varints for r in found)


def _is_node(data: Any, record: WireField) -> bool:
    try:
        found = _inside(data, record)
    except WireError:
        return False
    texts = {r.field: bytes(data[r.start : r.end]) for r in found if r.wire_type == LENGTH and r.field in (1, 2)}
    named = _NODE_NAME.match(texts.get(1, b"")) and _OP_NAME.match(texts.get(2, b""))
    return bool(named) and _only(found, range(1, 8))


def _is_graph(data: Any, found: List[WireField]) -> bool:
    nodes = [r for r in found if r.field == 1]
    return _only(found, (1, 2, 4, 5), (3,)) and all(_is_node(data, node) for node in nodes[:1] + nodes[-1:])


def _is_meta_graph(data: Any, found: List[WireField]) -> bool:
    graphs = [r for r in found if r.field == 2]
    return len(graphs) == 1 and _only(found, range(1, 9)) and _is_graph(data, _inside(data, graphs[0]))


def _is_saved_model(data: Any, found: List[WireField]) -> bool:
    metas = [r for r in found if r.field == 2]
    return bool(metas) and _only(found, (2,), (1,)) and _is_meta_graph(data, _inside(data, metas[0]))


def _is_onnx(_: Any, found: List[WireField]) -> bool:
    fields = {r.field for r in found}
    return {1, 7} <= fields and any(r.field == 1 and r.wire_type == 0 for r in found)


_KINDS = (("graph", _is_graph), ("meta graph", _is_meta_graph), ("SavedModel", _is_saved_model), ("ONNX", _is_onnx))


def message_kind(data: Any) -> str:
    """ "graph", "meta graph", "SavedModel", "ONNX" or "unknown" for a binary protobuf file. Raises WireError."""
    found = list(records(data))
    for kind, fits in _KINDS:
        try:
            if fits(data, found):
                return kind
        except WireError:  # a payload that is no message: then it is not this kind
            continue
    return "unknown"
