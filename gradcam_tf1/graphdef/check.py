"""What no repair can help is refused before anything is built: damaged, absurd and hostile graphs, by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import edges, functions_called
from gradcam_tf1.tf_runtime import op_definition, tf

MAX_BYTES = 2**31  # of one constant: no graph file can hold more, but a short one can ask for more
MAX_AXES = 254  # of TensorFlow
_STRING_BYTES = 32  # an empty string in TensorFlow's memory
_LOOP_BACK = "NextIteration"


def check(graph_def: Any) -> None:
    """Refuse a graph that TensorFlow could not build, or would run out of memory or stack over.

    Raises: ModelFileError that names the node or function.
    """
    if not graph_def.node:
        raise ModelFileError("the graph has no nodes; expected a frozen graph with its weights")
    if graph_def.versions.min_consumer > tf.version.GRAPH_DEF_VERSION:
        raise ModelFileError(
            f"the graph asks for graph version {graph_def.versions.min_consumer}, TensorFlow {tf.__version__} "
            f"has {tf.version.GRAPH_DEF_VERSION}; load it with a newer TensorFlow"
        )
    _check_edges(graph_def.node)
    _check_loops(graph_def.node)
    _check_functions(graph_def.library)
    for node in graph_def.node:
        _check_inputs(node)
        check_constants(node)


def _check_edges(nodes: Any) -> None:
    counts = Counter(node.name for node in nodes)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ModelFileError(f"{len(twice)} node names occur more than once, the first is {twice[0]!r}")
    for node in nodes:
        for edge in edges(node):
            if edge.node not in counts:
                raise ModelFileError(
                    f"node {node.name!r} ({node.op}) takes its input from {edge.node!r}, which is not in the graph: "
                    "the file is incomplete; export it again with every node that the output needs"
                )


def _check_loops(nodes: Any) -> None:
    """A loop of TensorFlow runs through NextIteration; any other circle can never be computed."""
    back = {node.name for node in nodes if node.op == _LOOP_BACK}
    sources = {node.name: [edge.node for edge in edges(node) if edge.node not in back] for node in nodes}
    circle = find_circle(sources)
    if circle:
        raise ModelFileError(f"the graph is circular, {_path(circle)}: such a graph cannot be computed")


def _check_functions(library: Any) -> None:
    counts = Counter(function.signature.name for function in library.function)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ModelFileError(f"the function {twice[0]!r} is defined more than once")
    called: Dict[str, List[str]] = {name: [] for name in counts}
    for function in library.function:
        name = function.signature.name
        for node in function.node_def:
            called[name] += [other for other in functions_called(node) if other in counts]
            check_constants(node)
        _check_body(function)
    for gradient in library.gradient:
        if gradient.function_name in called and gradient.gradient_func in called:
            called[gradient.function_name].append(gradient.gradient_func)
    circle = find_circle(called)
    if circle:
        raise ModelFileError(f"functions call themselves, {_path(circle)}: such a graph cannot be computed")


def _check_body(function: Any) -> None:
    name = function.signature.name
    nodes = {node.name for node in function.node_def}
    if len(nodes) < len(function.node_def):
        raise ModelFileError(f"in the function {name!r} node names occur more than once")
    sources = {
        node.name: [source for source in (text.lstrip("^").split(":")[0] for text in node.input) if source in nodes]
        for node in function.node_def
    }
    circle = find_circle(sources)
    if circle:
        raise ModelFileError(f"the function {name!r} is circular, {_path(circle)}: it cannot be computed")


def find_circle(sources: Dict[str, List[str]]) -> Tuple[str, ...]:
    """One circle of a graph given as name -> where it comes from, () if there is none."""
    waiting = {name: len(set(names)) for name, names in sources.items()}
    users: Dict[str, List[str]] = defaultdict(list)
    for name, names in sources.items():
        for source in set(names):
            users[source].append(name)
    ready = [name for name, count in waiting.items() if not count]
    while ready:
        name = ready.pop()
        del waiting[name]
        for user in users[name]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    if not waiting:
        return ()
    name, seen = next(iter(waiting)), []  # every one that is left has a source that is left
    while name not in seen:
        seen.append(name)
        name = next(source for source in sources[name] if source in waiting)
    return tuple(seen[seen.index(name) :])


def _path(circle: Tuple[str, ...]) -> str:
    names = [*circle[:4], *(["..."] if len(circle) > 4 else []), circle[0]]
    return " <- ".join(repr(name) if name != "..." else name for name in names)


def _check_inputs(node: Any) -> None:
    """Code that works on NodeDefs reads their inputs by position; here they are as many as the op takes."""
    definition = op_definition(node.op)
    wanted = None if definition is None else _count_inputs(definition, node)
    data = [text for text in node.input if not text.startswith("^")]
    if wanted is not None and wanted != len(data):
        raise ModelFileError(f"node {node.name!r} ({node.op}) has {len(data)} inputs, the op takes {wanted}")
    if len(data) < len(node.input) and not all(text.startswith("^") for text in node.input[len(data) :]):
        raise ModelFileError(f"node {node.name!r} ({node.op}) has control inputs before its data")


def _count_inputs(definition: Any, node: Any) -> Optional[int]:
    """How many data inputs an op takes, None where attributes that say so are absent (their defaults count)."""
    count = 0
    for argument in definition.input_arg:
        name = argument.number_attr or argument.type_list_attr
        if name and name not in node.attr:
            return None
        value = node.attr[name] if name else None
        count += value.i if argument.number_attr else len(value.list.type) if value is not None else 1
    return count


def check_constants(node: Any) -> None:
    """Refuse a node whose constants ask for more memory than a graph can hold. Raises ModelFileError."""
    if node.op == "Const" and ("value" not in node.attr or not node.attr["value"].HasField("tensor")):
        raise ModelFileError(f"node {node.name!r} is a constant without a value")
    for name, tensor in _tensors(node):
        bytes_wanted = check_tensor_shape(f"node {node.name!r}: its {name}", tensor.tensor_shape, tensor.dtype)
        held = len(tensor.tensor_content)
        if held and held != bytes_wanted and tensor.dtype != tf.string.as_datatype_enum:
            raise ModelFileError(f"node {node.name!r}: its {name} wants {bytes_wanted} bytes and holds {held}")
        if tensor.dtype in (tf.resource.as_datatype_enum, tf.variant.as_datatype_enum):
            raise ModelFileError(f"node {node.name!r}: its {name} is a handle, which means nothing in a file")


def check_tensor_shape(what: str, shape: Any, dtype: int) -> int:
    """The bytes of a tensor of a TensorShapeProto and dtype number. Raises ModelFileError for none or too many."""
    sizes = [dim.size for dim in shape.dim]
    total = _item_bytes(dtype)
    if not total:
        raise ModelFileError(f"{what} has no type that this TensorFlow knows")
    if shape.unknown_rank or len(sizes) > MAX_AXES or any(size < 0 for size in sizes):
        raise ModelFileError(f"{what} has no definite shape ({sizes[:8]})")
    for size in sizes:
        total *= size
    if total > MAX_BYTES:
        raise ModelFileError(f"{what} has the shape {sizes[:8]}, more than the 2 GB that a graph can hold")
    return total


def _tensors(node: Any) -> Iterator[Tuple[str, Any]]:
    for name, value in node.attr.items():
        held: Iterable[Any] = [value.tensor] if value.HasField("tensor") else value.list.tensor
        for tensor in held:
            yield name, tensor


def _item_bytes(dtype: int) -> int:
    """Bytes of one element, 0 where there is no such type."""
    try:
        return int(tf.as_dtype(dtype).size) or _STRING_BYTES
    except (TypeError, KeyError, ValueError):
        return 0
