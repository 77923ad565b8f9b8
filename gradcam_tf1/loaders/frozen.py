"""Load frozen graphs: binary or text GraphDef files, and GraphDef objects."""

from __future__ import annotations

import os
from typing import BinaryIO, Callable, TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.constant_in_file import read_constant
from gradcam_tf1.graphdef.large_constants import MIN_BYTES, ApartGraph, Contents, apart, has_one_dtype, is_weight
from gradcam_tf1.graphdef.wire import spans
from gradcam_tf1.loaders.finish_loading import finish
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

PROTOBUF_LIMIT = 2**31 - 1
_Message = TypeVar("_Message", bound=Message)


def _merge(message: Message, file: BinaryIO, start: int, end: int) -> None:
    file.seek(start)
    message.MergeFromString(file.read(end - start))


def read_message(
    path: str,
    kind: Callable[[], _Message],
    text: bool = False,
    merge: Callable[[_Message, BinaryIO, int, int], None] = _merge,
) -> _Message:
    """Parse a protobuf file.

    Parameters
    ----------
    path : str
        The file.
    kind : callable
        The message class.
    text : bool
        Whether the file is in text format.
    merge : callable
        Merges the part of a binary file between two bytes into the message.

    Returns
    -------
    message
        An object of `kind`.

    Raises
    ------
    ModelFileError
        If the file exceeds 2 GB or does not parse.
    """
    if os.path.getsize(path) > PROTOBUF_LIMIT:
        raise ModelFileError(
            f"{path} is larger than 2 GB, the limit of a protobuf file; keep the weights in a checkpoint"
        )
    message = kind()
    name = type(message).__name__
    try:
        if text:
            with open(path, encoding="utf-8") as file:
                text_format.Parse(file.read(), message, allow_unknown_field=True)
        else:
            with open(path, "rb") as file:
                for start, end in spans(file):
                    merge(message, file, start, end)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged: it does not parse as a {name} ({error}); copy it again, or export it again"
        ) from error
    return message


def read_graph(path: str) -> ApartGraph:
    """Parse a GraphDef file; its large values go into arrays as they are read. Raises as `read_message` does."""
    contents: Contents = {}

    def merge(graph_def: tf.GraphDef, file: BinaryIO, start: int, end: int) -> None:
        found = read_constant(file, start) if end - start >= MIN_BYTES else None
        if found is not None:
            graph_def.MergeFromString(found.field)
            node = graph_def.node[-1]
            if is_weight(node) and has_one_dtype(node) and node.name not in contents:
                contents[node.name] = found.content
                return
            del graph_def.node[-1]
        _merge(graph_def, file, start, end)

    return ApartGraph(read_message(path, tf.GraphDef, merge=merge), contents)


def load_graph_file(path: str, text: bool = False) -> LoadedModel:
    """Load a frozen graph from a binary (.pb) or text (.pbtxt) file. Raises ModelFileError if it is damaged."""
    return finish(apart(read_message(path, tf.GraphDef, text)) if text else read_graph(path), path, "frozen graph")


def load_graph_def(graph_def: tf.GraphDef) -> LoadedModel:
    """Load a frozen graph from a GraphDef object; the object is copied. Raises ModelFileError if it is damaged."""
    return finish(apart(graph_def), "GraphDef object", "frozen graph")
