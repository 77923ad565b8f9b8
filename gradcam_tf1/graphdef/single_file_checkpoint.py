"""Check single-file (V1) checkpoints before TensorFlow opens them: it does not check their sizes.

The file is a table of SavedTensorSlices: the empty key holds the shapes of all variables, then each variable has an
entry with its numbers.
Format: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/saved_tensor_slice.proto
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, Dict, Iterable

from google.protobuf.message import DecodeError

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.checkpoint_index import entries
from gradcam_tf1.graphdef.partitioned_variables import part_key
from gradcam_tf1.graphdef.tensor_sizes import check_tensor_shape
from gradcam_tf1.graphdef.wire import WireError
from gradcam_tf1.tf_runtime import saved_slices_message, tf

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import SavedSliceMeta, TensorProto

_FIELDS = {"float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val"}
_FIELDS.update({"string": "string_val", "complex64": "scomplex_val", "complex128": "dcomplex_val"})
_FIELDS.update({"float16": "half_val", "bfloat16": "half_val", "uint32": "uint32_val", "uint64": "uint64_val"})
_OTHER_FIELD = "int_val"  # of all other dtypes


def check_single_file(path: str) -> None:
    """Raise ModelFileError if a variable has an impossible shape, or its number of values does not fit its shape."""
    message = saved_slices_message()
    variables: Dict[bytes, SavedSliceMeta] = {}
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
        raise ModelFileError(f"{path} is damaged: {error}; copy the checkpoint again, or save it again") from error
    except (WireError, DecodeError, struct.error, ValueError) as error:
        raise ModelFileError(
            f"{path} is damaged: it cannot be read as a checkpoint ({error}); copy it again, or save it again"
        ) from error


def _variables(tensors: Iterable[SavedSliceMeta]) -> Dict[bytes, SavedSliceMeta]:
    """Return key -> variable. Raises ModelFileError if one is stored in parts."""
    variables = {}
    for tensor in tensors:
        check_tensor_shape(f"the variable {tensor.name!r}", tensor.shape, tensor.type)
        undivided = len(tensor.slice) == 1 and len(tensor.slice[0].extent) == len(tensor.shape.dim)
        if not undivided or any(extent.start or extent.HasField("length") for extent in tensor.slice[0].extent):
            raise ModelFileError(
                f"the variable {tensor.name!r} is stored in parts, which TensorFlow reads only from files in the "
                "format tf.train.SaverDef.V2"
            )
        variables[part_key(tensor.name.encode(), tensor.slice[0])] = tensor
    return variables


def _check_numbers(tensor: SavedSliceMeta, stored: TensorProto) -> None:
    kind = tf.as_dtype(tensor.type).name
    held = len(getattr(stored, _FIELDS.get(kind, _OTHER_FIELD))) // (2 if kind.startswith("complex") else 1)
    expected = 1
    for dim in tensor.shape.dim:
        expected *= dim.size
    if held != expected:
        raise ModelFileError(f"the variable {tensor.name!r} needs {expected} numbers of {kind}, the file holds {held}")
