"""Checkpoints of the first format, looked through before TensorFlow opens them: it takes their sizes on trust.

A table of SavedTensorSlices: under the empty key the shapes of all variables, then an entry for each with its numbers.
Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/saved_tensor_slice.proto
"""

from __future__ import annotations

import mmap
import struct
from typing import Any, Dict

from google.protobuf.message import DecodeError

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.checkpoint_index import entries
from gradcam_tf1.graphdef.partitioned_variables import part_key
from gradcam_tf1.graphdef.tensor_sizes import check_tensor_shape
from gradcam_tf1.graphdef.wire import WireError
from gradcam_tf1.tf_runtime import saved_slices_message, tf

_FIELDS = {"float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val"}
_FIELDS.update({"string": "string_val", "complex64": "scomplex_val", "complex128": "dcomplex_val"})
_FIELDS.update({"float16": "half_val", "bfloat16": "half_val", "uint32": "uint32_val", "uint64": "uint64_val"})
_OTHERS = "int_val"


def check_single_file(path: str) -> None:
    """Raises ModelFileError where a variable has no shape that can be, or has not as many numbers as its shape."""
    message = saved_slices_message()
    variables: Dict[bytes, Any] = {}
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for key, value in entries(data):
                slices = message.FromString(value)
                if key == b"":
                    variables = _variables(slices.meta.tensor)
                elif key in variables:
                    _check_numbers(variables.pop(key), slices.data.data)
                else:
                    raise ModelFileError(f"it has numbers of {slices.data.name!r}, which its list of variables lacks")
        for variable in variables.values():
            raise ModelFileError(f"the numbers of {variable.name!r} are missing")
    except ModelFileError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from error
    except (WireError, DecodeError, struct.error, ValueError) as error:
        raise ModelFileError(f"{path} is damaged: it cannot be read as a checkpoint ({error})") from error


def _variables(tensors: Any) -> Dict[bytes, Any]:
    """Key -> variable, of those that are stored as a whole."""
    found = {}
    for tensor in tensors:
        check_tensor_shape(f"the variable {tensor.name!r}", tensor.shape, tensor.type)
        whole = len(tensor.slice) == 1 and len(tensor.slice[0].extent) == len(tensor.shape.dim)
        if not whole or any(extent.start or extent.HasField("length") for extent in tensor.slice[0].extent):
            raise ModelFileError(
                f"the variable {tensor.name!r} is stored in parts, which TensorFlow does not read from a single file; "
                "save the checkpoint again with tf.train.SaverDef.V2"
            )
        found[part_key(tensor.name.encode(), tensor.slice[0])] = tensor
    return found


def _check_numbers(tensor: Any, stored: Any) -> None:
    kind = tf.as_dtype(tensor.type).name
    held = len(getattr(stored, _FIELDS.get(kind, _OTHERS))) // (2 if kind.startswith("complex") else 1)
    wanted = 1
    for dim in tensor.shape.dim:
        wanted *= dim.size
    if held != wanted:
        raise ModelFileError(f"the variable {tensor.name!r} has {wanted} numbers of {kind}, {held} are there")
