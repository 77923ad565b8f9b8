"""Attributes that this runtime does not know: dropped where they change nothing, named in an error where they do."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Optional, Set, Tuple

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.tf_runtime import op_definition, tf

Defaults = Dict[Tuple[str, str], Any]

# Attributes added after 1.15 to ops that 1.15 has, with the value at which the op does what it always did
# (read off the registries of 1.15.5 and 2.21). Types are strings, strings are bytes.
_NEWER: Dict[str, Any] = {
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


def drop_unknown(nodes: Iterator[Any], defaults: Defaults) -> Optional[str]:
    """Drop, in place, attributes unknown here that stand at their default.

    defaults: (op, attribute) -> AttrValue, where the file brings its own op definitions.
    Raises ModelFileError naming the first node whose attribute has a meaning that would be lost.
    """
    dropped: Dict[str, int] = {}
    known: Dict[str, Optional[Set[str]]] = {}
    for node in nodes:
        if node.op not in known:
            definition = op_definition(node.op)
            known[node.op] = None if definition is None else {attribute.name for attribute in definition.attr}
        attributes = known[node.op]
        if attributes is None:
            continue
        for name in [name for name in node.attr if name not in attributes and not name.startswith("_")]:
            if not _means_nothing(node, name, defaults):
                raise ModelFileError(
                    f"node {node.name!r}: TensorFlow {tf.__version__} does not know the attribute {name!r} of op "
                    f"{node.op}, set to {_shown(node.attr[name])}; without it the net would be computed wrongly: "
                    "load it with a newer TensorFlow"
                )
            del node.attr[name]
            dropped[f"{node.op}.{name}"] = dropped.get(f"{node.op}.{name}", 0) + 1
    if not dropped:
        return None
    return f"attributes of a newer TensorFlow, at their defaults, removed: {', '.join(sorted(dropped))}"


def _means_nothing(node: Any, name: str, defaults: Defaults) -> bool:
    value = node.attr[name]
    if (node.op, name) in defaults:
        return bool(value == defaults[node.op, name])
    if name == "exponential_avg_factor" and "is_training" in node.attr and not node.attr["is_training"].b:
        return True  # it averages batch statistics, and there are none
    if name == "incompatible_shape_error":
        return True  # False only turns an error into an answer
    return name in _NEWER and bool(value == _attribute(_NEWER[name]))


def _attribute(value: Any) -> Any:
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


def _shown(value: Any) -> str:
    return " ".join(str(value).split())[:80]


def file_defaults(op_list: Any) -> Defaults:
    """The defaults in the op definitions that a MetaGraph carries for the ops it uses."""
    return {
        (op.name, attribute.name): attribute.default_value
        for op in op_list.op
        for attribute in op.attr
        if attribute.HasField("default_value")
    }
