"""Load frozen graphs: binary or text GraphDef files, and GraphDef objects."""

from __future__ import annotations

import os
from typing import Callable, TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.wire import parts
from gradcam_tf1.loaders.finish_loading import finish
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

PROTOBUF_LIMIT = 2**31 - 1
_Message = TypeVar("_Message", bound=Message)


def read_message(path: str, kind: Callable[[], _Message], text: bool = False) -> _Message:
    """Parse a protobuf file.

    Parameters
    ----------
    path : str
        The file.
    kind : callable
        The message class.
    text : bool
        Whether the file is in text format.

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
                for part in parts(file):
                    message.MergeFromString(part)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged: it does not parse as a {name} ({error}); copy it again, or export it again"
        ) from error
    return message


def load_graph_file(path: str, text: bool = False) -> LoadedModel:
    """Load a frozen graph from a binary (.pb) or text (.pbtxt) file. Raises ModelFileError if it is damaged."""
    return finish(read_message(path, tf.GraphDef, text), path, "frozen graph")


def load_graph_def(graph_def: tf.GraphDef) -> LoadedModel:
    """Load a frozen graph from a GraphDef object; the object is copied. Raises ModelFileError if it is damaged."""
    copy = tf.GraphDef()
    copy.CopyFrom(graph_def)
    return finish(copy, "GraphDef object", "frozen graph")
