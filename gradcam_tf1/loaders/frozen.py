"""Frozen graphs: binary or text GraphDef files, and ready GraphDef objects."""

from __future__ import annotations

import os
from typing import Any, Callable, TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders.finish_loading import finish
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

PROTOBUF_LIMIT = 2**31 - 1
Message = TypeVar("Message")


def read_message(path: str, kind: Callable[[], Message], text: bool = False) -> Message:
    """Parse a protobuf file. Raises ModelFileError for files over 2 GB and for what does not parse."""
    if os.path.getsize(path) > PROTOBUF_LIMIT:
        raise ModelFileError(
            f"{path} is larger than 2 GB, the limit of a protobuf file; keep the weights in a checkpoint"
        )
    message: Any = kind()
    name = type(message).__name__
    try:
        if text:
            with open(path, encoding="utf-8") as file:
                text_format.Parse(file.read(), message, allow_unknown_field=True)
        else:
            with open(path, "rb") as file:
                message.ParseFromString(file.read())
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: it does not parse as a {name} ({error})") from error
    return message


def load_graph_file(path: str, text: bool = False) -> LoadedModel:
    """A frozen graph from a .pb (binary) or .pbtxt (text) file."""
    return finish(read_message(path, tf.GraphDef, text), path, "frozen graph")


def load_graph_def(graph_def: Any) -> LoadedModel:
    """A frozen graph from a GraphDef object, which is copied."""
    copy = tf.GraphDef()
    copy.CopyFrom(graph_def)
    return finish(copy, "GraphDef object", "frozen graph")
