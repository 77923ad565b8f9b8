"""Pass the value of a folded variable where the graph passed its handle.

Reads become identities. Ops and functions that pass the handle on get the dtype of the value.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from gradcam_tf1.graphdef.nodes import keep_only
from gradcam_tf1.graphdef.training_ops import WRITERS
from gradcam_tf1.tf_runtime import tf

if TYPE_CHECKING:
    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

    from gradcam_tf1.tf_runtime import FunctionDef, OpDef

# An output: name of the output argument, index within it, index among all outputs. A function body refers to outputs
# by the first two, a graph by the last.
Output = Tuple[str, int, int]

_CARRIERS: Dict[str, Tuple[Output, ...]] = {
    "Identity": (("output", 0, 0),),
    "RefIdentity": (("output", 0, 0),),
    "Switch": (("output_false", 0, 0), ("output_true", 0, 1)),
    "RefSwitch": (("output_false", 0, 0), ("output_true", 0, 1)),
    "Merge": (("output", 0, 0),),
    "Enter": (("output", 0, 0),),
    "Exit": (("output", 0, 0),),
    "NextIteration": (("output", 0, 0),),
}


class Call(NamedTuple):
    """How an op calls functions.

    Attributes
    ----------
    skipped : int
        The number of inputs before the arguments of the functions.
    types : str
        The attribute with the dtypes of the arguments.
    functions : tuple of str
        The attributes with the functions.
    returns : bool
        Whether the op returns its arguments, as a loop does.
    """

    skipped: int
    types: str
    functions: Tuple[str, ...]
    returns: bool = False


_CALLS = {
    "If": Call(1, "Tin", ("then_branch", "else_branch")),
    "StatelessIf": Call(1, "Tin", ("then_branch", "else_branch")),
    "While": Call(0, "T", ("cond", "body"), returns=True),
    "StatelessWhile": Call(0, "T", ("cond", "body"), returns=True),
    "PartitionedCall": Call(0, "Tin", ("f",)),
    "StatefulPartitionedCall": Call(0, "Tin", ("f",)),
}


class _Body:
    """The nodes of a graph or of one function: the users of each output, and the outputs that carried a handle.

    An output is written as NodeDef.input writes it: "node" or "node:1" in a graph, "node:output:0" in a function.
    """

    def __init__(
        self, nodes: RepeatedCompositeFieldContainer[tf.NodeDef], function: Optional[FunctionDef] = None
    ) -> None:
        self.nodes, self.function = nodes, function
        self.carried: Set[str] = set()
        self.users: Dict[str, List[Tuple[tf.NodeDef, List[int]]]] = defaultdict(list)  # output -> node, its inputs
        for node in nodes:
            indices: Dict[str, List[int]] = {}
            for index, text in enumerate(node.input):
                indices.setdefault(self.normal(text), []).append(index)
            for text, positions in indices.items():
                self.users[text].append((node, positions))
        self._names = {node.name for node in nodes}
        self._returned: Dict[str, List[OpDef.ArgDef]] = defaultdict(list)
        if function is not None:
            for output in function.signature.output_arg:
                self._returned[function.ret[output.name]].append(output)

    def normal(self, text: str) -> str:
        return text[:-2] if self.function is None and text.endswith(":0") else text

    def text(self, node: tf.NodeDef, output: Output) -> str:
        if self.function is not None:
            return f"{node.name}:{output[0]}:{output[1]}"
        return self.normal(f"{node.name}:{output[2]}")

    def carry(self, text: str, dtype: int) -> None:
        """Record that an output carries the value; if the function returns it, change the dtype there, too."""
        self.carried.add(text)
        for output in self._returned.get(text, ()):
            output.type = dtype

    def rename_read(self, node: tf.NodeDef) -> None:
        for user, positions in self.users.get(f"{node.name}:value:0", ()):
            for position in positions:
                user.input[position] = f"{node.name}:output:0"

    def axis_zero(self, node: tf.NodeDef) -> str:
        """Add a constant 0 next to `node`, for GatherV2, and return its output."""
        name = f"{node.name}/axis"
        while name in self._names:
            name += "_"
        self._names.add(name)
        axis = self.nodes.add(name=name, op="Const")
        axis.attr["dtype"].type = tf.int32.as_datatype_enum
        axis.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0, tf.int32))
        return name if self.function is None else f"{name}:output:0"


def follow_handles(graph_def: tf.GraphDef, handles: Dict[str, int]) -> None:
    """Adapt all nodes that a variable's handle reaches, in place.

    Parameters
    ----------
    graph_def : GraphDef
        The graph to change; the variables are constants already.
    handles : dict
        Name of a node that was a handle -> the dtype enum of its variable.
    """
    if handles:
        _Follower(graph_def).follow(handles)


class _Follower:
    """Follows handles through nodes and functions, each once, without recursion."""

    def __init__(self, graph_def: tf.GraphDef) -> None:
        self._graph = _Body(graph_def.node)
        self._functions = {function.signature.name: function for function in graph_def.library.function}
        self._bodies: Dict[str, _Body] = {}
        self._waiting: List[Tuple[_Body, str, int]] = []

    def follow(self, handles: Dict[str, int]) -> None:
        for name, dtype in handles.items():
            self._carry(self._graph, name, dtype)
        while self._waiting:
            body, text, dtype = self._waiting.pop()
            for node, positions in body.users.get(text, ()):
                for output in self._adapt(body, node, positions, dtype):
                    self._carry(body, body.text(node, output), dtype)
        for body in self._bodies.values():
            _finish(body.function)

    def _carry(self, body: _Body, text: str, dtype: int) -> None:
        if text not in body.carried:
            body.carry(text, dtype)
            self._waiting.append((body, text, dtype))

    def _adapt(self, body: _Body, node: tf.NodeDef, positions: List[int], dtype: int) -> Tuple[Output, ...]:
        """Let one user of the handle take the value; return its outputs that pass the value on."""
        if node.op in _CARRIERS:
            node.attr["T"].type = dtype
            return _CARRIERS[node.op]
        if node.op in _READERS:
            _READERS[node.op](body, node, dtype)
            return ()
        if node.op == "IdentityN":
            for position in positions:
                node.attr["T"].list.type[position] = dtype
            return tuple(("output", position, position) for position in positions)
        if node.op in _CALLS or node.op in self._functions:
            return self._adapt_call(node, positions, dtype)
        return ()

    def _adapt_call(self, node: tf.NodeDef, positions: List[int], dtype: int) -> Tuple[Output, ...]:
        if node.op not in _CALLS:  # a node whose op is a function of the library
            for position in positions:
                self._specialise(node.op, position, dtype)
            return ()
        call = _CALLS[node.op]
        for position in positions:
            argument = position - call.skipped
            node.attr[call.types].list.type[argument] = dtype
            for attribute in call.functions:
                self._specialise(node.attr[attribute].func.name, argument, dtype)
        if not call.returns:
            return ()
        shapes = node.attr["output_shapes"].list.shape
        for position in positions if shapes else ():  # a handle is a scalar, the value need not be
            shapes[position].Clear()
            shapes[position].unknown_rank = True
        return tuple(("output", position, position) for position in positions)

    def _specialise(self, name: str, position: int, dtype: int) -> None:
        """Let one argument of a function take the value instead of the handle.

        The function changes in place, for all its callers: a body reads a handle as one dtype, and every variable is
        folded.
        """
        function = self._functions[name]
        argument = function.signature.input_arg[position]
        if argument.type == dtype:
            return
        _forget_handle(function, argument, position)
        argument.type = dtype
        if name not in self._bodies:
            self._bodies[name] = _Body(function.node_def, function)
        self._carry(self._bodies[name], argument.name, dtype)


def _forget_handle(function: FunctionDef, argument: OpDef.ArgDef, position: int) -> None:
    """Remove what newer versions record about an argument that is a handle."""
    for message, name in ((argument, "handle_data"), (function, "arg_attr"), (function, "resource_arg_unique_id")):
        if name not in message.DESCRIPTOR.fields_by_name:
            continue
        if message is argument:
            message.ClearField(name)
        elif position in getattr(message, name):
            del getattr(message, name)[position]


def _finish(function: FunctionDef) -> None:
    """Update the names of what a function returns, and remove ops that would write a variable.

    These ops have no outputs; other nodes only wait for them.
    """
    reads = {node.name for node in function.node_def if node.op == "Identity"}
    for key, text in list(function.ret.items()):
        function.ret[key] = _renamed(text, reads)
    writers = {node.name for node in function.node_def if WRITERS.match(node.op)}
    if not writers:
        return
    waits = {f"^{name}" for name in writers}
    keep_only(function.node_def, lambda node: node.name not in writers)
    for node in function.node_def:
        if not waits.isdisjoint(node.input):
            node.input[:] = [text for text in node.input if text not in waits]
    gone = {key for key, name in function.control_ret.items() if name in writers}
    for key in gone:
        del function.control_ret[key]
    function.signature.control_output[:] = [key for key in function.signature.control_output if key not in gone]


def _renamed(text: str, reads: Set[str]) -> str:
    """Rename the output of a read that became an Identity, from `value` to `output`."""
    name, _, rest = text.partition(":")
    return f"{name}:output:0" if rest == "value:0" and name in reads else text


def _read(body: _Body, node: tf.NodeDef, dtype: int) -> None:
    node.op = "Identity"
    del node.attr["dtype"]
    node.attr["T"].type = dtype
    if body.function is not None:
        body.rename_read(node)


def _gather(body: _Body, node: tf.NodeDef, dtype: int) -> None:
    node.op = "GatherV2"
    node.input.insert(2, body.axis_zero(node))
    _retype(node, dtype, ("dtype", "validate_indices"), "Tparams")
    node.attr["Taxis"].type = tf.int32.as_datatype_enum


def _gather_nd(_: _Body, node: tf.NodeDef, dtype: int) -> None:
    node.op = "GatherNd"
    _retype(node, dtype, ("dtype",), "Tparams")


def _shape(_: _Body, node: tf.NodeDef, dtype: int) -> None:
    node.op = "Shape"
    _retype(node, dtype, (), "T")


def _retype(node: tf.NodeDef, dtype: int, dropped: Tuple[str, ...], name: str) -> None:
    for old in dropped:
        if old in node.attr:
            del node.attr[old]
    node.attr[name].type = dtype


_READERS: Dict[str, Callable[[_Body, tf.NodeDef, int], None]] = {
    "ReadVariableOp": _read,
    "ResourceGather": _gather,
    "ResourceGatherNd": _gather_nd,
    "VariableShape": _shape,
}
