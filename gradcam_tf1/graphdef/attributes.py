"""Attributes that this runtime does not know: drop them if they change nothing, else raise an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Container, Dict, Iterable, List, Optional, Tuple, Union

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.tf_runtime import op_definition, tf

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import OpList

Defaults = Dict[Tuple[str, str], "tf.AttrValue"]  # (op, attribute) -> its default
Known = Optional[Container[str]]
_Value = Union[bool, int, float, bytes, str, List[str]]

# Attributes that TensorFlow added after 1.15 to older ops, with the value that keeps the old behaviour (from the
# registries of 1.15.5 and 2.21). A str is a dtype, bytes are a string.
_NEWER: Dict[str, _Value] = {
    "Tcomplex": "complex64",
    "Tk": "int32",
    "Treal": "float32",
    "Tsegmentids": "int32",
    "Tshape": "int32",
    "allowed_devices": [],
    "axis": -1,
    "bad_indices_policy": b"",
    "buffer_size_min": 0,
    "debug_name": b"",
    "dtype": "float32",
    "ensure_minimum_range": 0.01,
    "explicit_paddings": [],
    "exponential_avg_factor": 1.0,
    "force_synchronous": False,
    "grad_a": False,
    "grad_b": False,
    "grad_x": False,
    "grad_y": False,
    "half_pixel_centers": False,
    "incompatible_shape_error": True,
    "index_type": "int32",
    "metadata": b"",
    "narrow_range": False,
    "resize_if_index_out_of_bounds": False,
    "shape_type": "int32",
    "sparse_gradient": False,
    "validate_shape": False,
}

_OPERAND_HINTS = ("grad_a", "grad_b", "grad_x", "grad_y")


def _refuse(node: str, setting: str) -> None:
    raise ModelFileError(
        f"{node}: TensorFlow {tf.__version__} does not know {setting}, and would compute the net wrongly without it; "
        "load it with a newer TensorFlow"
    )


def here(op: str) -> Known:
    """Return the attributes of an op in this runtime, None if it does not have the op."""
    definition = op_definition(op)
    return None if definition is None else {attribute.name for attribute in definition.attr}


def drop_unknown(
    nodes: Iterable[tf.NodeDef],
    defaults: Defaults,
    known_of: Callable[[str], Known] = here,
    refused: Callable[[str, str], None] = _refuse,
) -> Optional[str]:
    """Drop unknown attributes that have their default value, in place.

    Parameters
    ----------
    nodes : iterable of NodeDef
        The nodes to change.
    defaults : dict
        (op, attribute) -> AttrValue, the defaults that the file itself states.
    known_of : callable
        Op -> the names of its attributes, None to leave its nodes as they are.
    refused : callable
        Called with the node and the attribute, in words, where the value is not the default; the attribute stays
        unless it raises an error.

    Returns
    -------
    str or None
        A sentence that lists the dropped attributes, None if there were none.

    Raises
    ------
    ModelFileError
        If an unknown attribute has another value; the message names the first node.
    """
    dropped: Dict[str, int] = {}
    known: Dict[str, Known] = {}
    for node in nodes:
        if node.op not in known:
            known[node.op] = known_of(node.op)
        attributes = known[node.op]
        if attributes is None:
            continue
        for name in [name for name in node.attr if name not in attributes and not name.startswith("_")]:
            if not _is_default(node, name, defaults):
                setting = f"the attribute {name!r} of op {node.op}, set to {_shown(node.attr[name])}"
                refused(f"node {node.name!r}", setting)
                continue
            del node.attr[name]
            dropped[f"{node.op}.{name}"] = dropped.get(f"{node.op}.{name}", 0) + 1
    if not dropped:
        return None
    return f"attributes of a newer TensorFlow, at their defaults, removed: {', '.join(sorted(dropped))}"


def _is_default(node: tf.NodeDef, name: str, defaults: Defaults) -> bool:
    value = node.attr[name]
    if name == "exponential_avg_factor" and "is_training" in node.attr and not node.attr["is_training"].b:
        return True  # it averages batch statistics, which inference does not use
    if name == "incompatible_shape_error":
        return True  # False only returns a value where True raises an error
    if name in _OPERAND_HINTS and "MatMul" in node.op:
        return True  # that an operand is a gradient, which lets AMD's library choose another routine
    if (node.op, name) in defaults:
        return bool(value == defaults[node.op, name])
    return name in _NEWER and bool(value == _attribute(_NEWER[name]))


def _attribute(value: _Value) -> tf.AttrValue:
    if isinstance(value, bool):
        return tf.AttrValue(b=value)
    if isinstance(value, int):
        return tf.AttrValue(i=value)
    if isinstance(value, float):
        return tf.AttrValue(f=value)
    if isinstance(value, bytes):
        return tf.AttrValue(s=value)
    if isinstance(value, list):
        return tf.AttrValue(list=tf.AttrValue.ListValue())
    return tf.AttrValue(type=tf.as_dtype(value).as_datatype_enum)


def _shown(value: tf.AttrValue) -> str:
    return " ".join(str(value).split())[:80]


def file_defaults(op_list: OpList) -> Defaults:
    """Return the defaults in the op definitions that a MetaGraph stores for its ops."""
    return {
        (op.name, attribute.name): attribute.default_value
        for op in op_list.op
        for attribute in op.attr
        if attribute.HasField("default_value")
    }
