"""Read an ONNX model as data: refuse what must not be converted, and say which way round its inputs lie.

Format: https://github.com/onnx/onnx/blob/main/docs/IR.md
"""

from __future__ import annotations

import functools
import operator
import os
import re
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.private_files import copy_file

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 2**31 - 1  # of all weights: a frozen graph is one protobuf message
MAX_NODES = 100_000
_DOMAINS = ("", "ai.onnx")
_OP = re.compile(r"[A-Za-z][A-Za-z0-9]{0,60}\Z")
_CONVOLUTIONS = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization")
_PIXEL_OPS = {"Add", "Sub", "Mul", "Div", "Cast", "Identity", "Clip", "Pad", "QuantizeLinear", "DequantizeLinear"}
_CHANNELS = (1, 2, 3, 4)


class OnnxInput(NamedTuple):
    """An input of an ONNX model.

    Attributes
    ----------
    name : str
        Its name in the file.
    shape : list
        Its sides; None for each that the file leaves open.
    dtype : str
        Numpy's name of its type.
    turned : bool
        Whether its channels are axis 1, so that they become the last axis.
    """

    name: str
    shape: List[Optional[int]]
    dtype: str
    turned: bool


def read_onnx(path: str, copy: str) -> onnx.ModelProto:
    """Read a model with its external data, after copying these next to `copy`.

    Parameters
    ----------
    path : str
        The file; data that it keeps in other files must lie in its folder or below.
    copy : str
        Where the whole model is written to, in a private folder.

    Returns
    -------
    onnx.ModelProto
        The model, without the values of external data.

    Raises
    ------
    ModelFileError
        If the file is damaged or too large, names files outside its folder, or has ops of no standard.
    """
    import onnx

    copy_file(path, copy)
    if os.path.getsize(copy) > MAX_BYTES:
        raise ModelFileError("the file is larger than 2 GB, the limit of a protobuf file")
    try:
        model = onnx.load(copy, load_external_data=False)
    except Exception as error:  # protobuf's errors have no common public base
        raise ModelFileError(
            f"the file is damaged ({type(error).__name__}); copy it again, or export it again"
        ) from error
    _check_nodes(model)
    _check_weights(model, os.path.dirname(os.path.abspath(path)), os.path.dirname(copy))
    return model


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and those inside its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _graphs(inner)


def _check_nodes(model: onnx.ModelProto) -> None:
    graphs = list(_graphs(model.graph))
    nodes = [node for graph in graphs for node in graph.node]
    if not nodes or not model.graph.output:
        raise ModelFileError("the file has no nodes or no outputs; expected a whole model, not weights alone")
    if len(nodes) > MAX_NODES:
        raise ModelFileError(f"the model has {len(nodes):,} nodes, {MAX_NODES:,} are allowed")
    attributes = [attribute for node in nodes for attribute in node.attribute]
    if any(graph.sparse_initializer for graph in graphs) or any(
        attribute.HasField("sparse_tensor") or attribute.sparse_tensors for attribute in attributes
    ):
        raise ModelFileError("the file has sparse weights, which onnx2tf does not convert; export it with dense ones")
    functions = {(function.domain, function.name) for function in model.functions}
    for node in nodes:
        own = (node.domain, node.op_type) in functions
        if node.domain not in _DOMAINS or own or not _OP.match(node.op_type):
            raise ModelFileError(
                f"the node {node.name!r} is a {node.op_type!r} of the domain {node.domain!r}, which is not among the "
                "ops of the ONNX standard; export the model again with standard ops only"
            )


def _check_weights(model: onnx.ModelProto, folder: str, target: str) -> None:
    total = 0
    files: Set[str] = set()
    for tensor in _tensors(model):
        size = _product(tensor.dims) * _bytes_of(tensor)
        if any(side < 0 for side in tensor.dims) or size > MAX_BYTES:
            raise ModelFileError(f"the weight {tensor.name!r} has the shape {list(tensor.dims)}, which cannot be right")
        total += size
        files.update(entry.value for entry in tensor.external_data if entry.key == "location")
    if total > MAX_BYTES:
        raise ModelFileError(f"its weights have {total:,} bytes; a frozen graph holds up to {MAX_BYTES:,}")
    for name in sorted(files):
        _copy_data(folder, name, target)


def _product(sides: Iterable[int]) -> int:
    return functools.reduce(operator.mul, sides, 1)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for node in graph.node:
            for attribute in node.attribute:
                yield from attribute.tensors
                if attribute.HasField("t"):
                    yield attribute.t


def _bytes_of(tensor: onnx.TensorProto) -> int:
    import onnx

    try:
        return int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    except KeyError:
        raise ModelFileError(f"the weight {tensor.name!r} has the unknown type {tensor.data_type}") from None


def _copy_data(folder: str, name: str, target: str) -> None:
    """Copy a file of external data; a model must not name a file outside its folder."""
    parts = re.split(r"[/\\]", name)
    path = os.path.join(folder, *parts)
    inside = os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))
    if os.path.isabs(name) or ":" in name or not set(parts).isdisjoint(("", "..")) or not inside:
        raise ModelFileError(
            f"its weights lie in {name!r}, which is not in the folder of the file; such a model is refused"
        )
    if not os.path.isfile(path):
        raise ModelFileError(f"its weights lie in {name!r}, which is missing beside it; copy that file there too")
    if os.path.getsize(path) > MAX_BYTES:
        raise ModelFileError(f"its weights in {name!r} are larger than 2 GB, more than a frozen graph holds")
    os.makedirs(os.path.dirname(os.path.join(target, *parts)), exist_ok=True)
    copy_file(path, os.path.join(target, *parts))


def fix_sides(model: onnx.ModelProto, sides: Optional[Sequence[int]]) -> None:
    """Give the first input, whose batch stays as it is, these sides. Refuse a model whose sides are left open.

    Raises
    ------
    ModelFileError
        If the sides contradict the file, or are open and not given.
    """
    first = inputs_of(model)[0]
    declared = [size(side) for side in first.type.tensor_type.shape.dim][1:]
    if sides is None:
        if None in declared:
            example = ",".join("224" if side is None else str(side) for side in declared)
            raise ModelFileError(
                f"its input {first.name!r} is {shown_sides(first)} and leaves sides open; give them in this order, "
                f"without the batch: --input-shape {example} or input_shape=({example.replace(',', ', ')})"
            )
        return
    if len(declared) != len(sides) or any(a not in (None, b) for a, b in zip(declared, sides)):
        raise ModelFileError(
            f"input_shape is {tuple(sides)}, but its input {first.name!r} is {shown_sides(first)}; the batch is not "
            "part of input_shape"
        )
    for side, length in zip(list(first.type.tensor_type.shape.dim)[1:], sides):
        side.dim_value = length


def shown_sides(value: onnx.ValueInfoProto) -> str:
    """Return the sides of an input as text, names for those that are open."""
    sides = [
        str(side.dim_value) if size(side) else (side.dim_param or "?") for side in value.type.tensor_type.shape.dim
    ]
    return f"[{', '.join(sides)}]"


def size(side: Any) -> Optional[int]:
    """Return the length of a side, None if the file leaves it open."""
    return int(side.dim_value) if side.HasField("dim_value") and side.dim_value > 0 else None


def inputs_of(model: onnx.ModelProto) -> List[onnx.ValueInfoProto]:
    """Return the inputs that are no weights. Raises ModelFileError if there are none, or their shape is unknown."""
    weights = {tensor.name for tensor in model.graph.initializer}
    found = [value for value in model.graph.input if value.name not in weights]
    if not found:
        raise ModelFileError("the model has no input")
    for value in found:
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise ModelFileError(f"its input {value.name!r} is no tensor of a known number of sides")
    return found


def describe_inputs(model: onnx.ModelProto) -> List[OnnxInput]:
    """Return the inputs with their layout.

    Channels are axis 1 where a convolution takes the input as it comes. Where a Transpose comes before it, as in models
    that were written by tf2onnx, they are the last axis.
    """
    import onnx

    taken = _takers(model.graph)
    found = []
    for value in inputs_of(model):
        tensor = value.type.tensor_type
        sides = [size(side) for side in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
        found.append(OnnxInput(value.name, sides, dtype, _is_turned(value.name, sides, taken)))
    return found


def _takers(graph: onnx.GraphProto) -> Dict[str, List[onnx.NodeProto]]:
    taken: Dict[str, List[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            taken.setdefault(name, []).append(node)
    return taken


def _is_turned(name: str, sides: Sequence[Optional[int]], taken: Dict[str, List[onnx.NodeProto]]) -> bool:
    if len(sides) not in (3, 4, 5):
        return False
    names, seen = [name], set()
    while names:
        current = names.pop()
        for node in taken.get(current, ()):
            if node.op_type in _CONVOLUTIONS:
                return True
            if node.op_type in _PIXEL_OPS and node.output and node.output[0] not in seen:
                seen.add(node.output[0])
                names.append(node.output[0])
    reached = {node.op_type for each in (name, *seen) for node in taken.get(each, ())}
    if "Transpose" in reached or len(sides) != 4:
        return False
    return sides[1] in _CHANNELS and sides[-1] not in _CHANNELS


def turned_axes(rank: int) -> Tuple[int, ...]:
    """Return the permutation that brings axis 1 to the end."""
    return (0, *range(2, rank), 1)
