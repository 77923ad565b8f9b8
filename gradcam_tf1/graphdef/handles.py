"""Where a variable's handle went, its value goes: reads become identities, carriers and functions change types."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Callable, Dict, List, NamedTuple, Set, Tuple

from gradcam_tf1.graphdef.training import WRITERS
from gradcam_tf1.tf_runtime import tf

# Outputs as (name of the output argument, index within it, index among all outputs): a function body refers to its
# nodes' outputs by the first two, a graph by the last.
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
    """How an op calls functions: inputs before the arguments, the attribute of their types, those of the functions."""

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
    """The nodes of a graph or of one function, and who uses which output."""

    def __init__(self, nodes: Any, in_function: bool) -> None:
        self.nodes, self.in_function = nodes, in_function
        self.users: Dict[str, List[Any]] = defaultdict(list)
        for node in nodes:
            for text in {self.normal(text) for text in node.input}:
                self.users[text].append(node)

    def normal(self, text: str) -> str:
        return text[:-2] if not self.in_function and text.endswith(":0") else text

    def text(self, node: Any, output: Output) -> str:
        if self.in_function:
            return f"{node.name}:{output[0]}:{output[1]}"
        return self.normal(f"{node.name}:{output[2]}")

    def positions(self, node: Any, text: str) -> List[int]:
        return [index for index, given in enumerate(node.input) if self.normal(given) == text]

    def axis_zero(self, node: Any) -> str:
        """A new constant 0 beside `node`, for GatherV2."""
        taken = {other.name for other in self.nodes}
        name = f"{node.name}/axis"
        while name in taken:
            name += "_"
        axis = self.nodes.add(name=name, op="Const")
        axis.attr["dtype"].type = tf.int32.as_datatype_enum
        axis.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0, tf.int32))
        return f"{name}:output:0" if self.in_function else name


def follow_handles(graph_def: Any, handles: Dict[str, int]) -> None:
    """Adapt, in place, all that a variable's handle reaches. handles: node name -> dtype enum of the variable."""
    follower = _Follower(graph_def.library)
    body = _Body(graph_def.node, in_function=False)
    for name, dtype in handles.items():
        follower.follow(body, name, dtype)


class _Follower:
    def __init__(self, library: Any) -> None:
        self.functions = {function.signature.name: function for function in library.function}

    def follow(self, body: _Body, start: str, dtype: int) -> Set[str]:
        """Adapt the users of one handle; all the texts under which the value travels on."""
        seen, waiting = {start}, [start]
        while waiting:
            text = waiting.pop()
            for node in body.users[text]:
                for output in self._adapt(body, node, text, dtype):
                    carried = body.text(node, output)
                    if carried not in seen:
                        seen.add(carried)
                        waiting.append(carried)
        return seen

    def _adapt(self, body: _Body, node: Any, text: str, dtype: int) -> Tuple[Output, ...]:
        if node.op in _CARRIERS:
            node.attr["T"].type = dtype
            return _CARRIERS[node.op]
        if node.op in _READERS:
            _READERS[node.op](body, node, dtype)
            return ()
        positions = body.positions(node, text)
        if node.op == "IdentityN":
            for position in positions:
                node.attr["T"].list.type[position] = dtype
            return tuple(("output", position, position) for position in positions)
        if node.op in _CALLS or node.op in self.functions:
            return self._adapt_call(node, positions, dtype)
        return ()

    def _adapt_call(self, node: Any, positions: List[int], dtype: int) -> Tuple[Output, ...]:
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
        for position in positions if shapes else ():  # the handle was a scalar, the value is not
            shapes[position].Clear()
            shapes[position].unknown_rank = True
        return tuple(("output", position, position) for position in positions)

    def _specialise(self, name: str, position: int, dtype: int) -> None:
        """Make one argument of a function take the value where it took the handle.

        In place, for all callers: a body reads a handle as one type, and every variable is folded.
        """
        function = self.functions[name]
        argument = function.signature.input_arg[position]
        if argument.type == dtype:
            return
        _forget_handle(function, argument, position)
        argument.type = dtype
        carried = self.follow(_Body(function.node_def, in_function=True), argument.name, dtype)
        for output in function.signature.output_arg:
            if function.ret[output.name] in carried:
                output.type = dtype
        reads = {node.name for node in function.node_def if node.op == "Identity"}
        for key, text in list(function.ret.items()):
            function.ret[key] = _renamed(text, reads)
        _cut_writers(function)


def _forget_handle(function: Any, argument: Any, position: int) -> None:
    """What newer versions record about an argument that is a handle."""
    for message, name in ((argument, "handle_data"), (function, "arg_attr"), (function, "resource_arg_unique_id")):
        if name not in message.DESCRIPTOR.fields_by_name:
            continue
        if message is argument:
            message.ClearField(name)
        elif position in getattr(message, name):
            del getattr(message, name)[position]


def _cut_writers(function: Any) -> None:
    """Take out of a function the ops that would write the variable: they have no outputs, only others wait for them."""
    writers = {node.name for node in function.node_def if WRITERS.match(node.op)}
    waits = {f"^{name}" for name in writers}
    for index in range(len(function.node_def) - 1, -1, -1):
        node = function.node_def[index]
        if node.name in writers:
            del function.node_def[index]
        else:
            node.input[:] = [text for text in node.input if text not in waits]
    for key in [key for key, name in function.control_ret.items() if name in writers]:
        del function.control_ret[key]
        function.signature.control_output.remove(key)


def _renamed(text: str, reads: Set[str]) -> str:
    """A read's output is called `value`, that of the identity in its place `output`."""
    name, _, rest = text.partition(":")
    return f"{name}:output:0" if rest == "value:0" and name in reads else text


def _read(body: _Body, node: Any, dtype: int) -> None:
    node.op = "Identity"
    del node.attr["dtype"]
    node.attr["T"].type = dtype
    if body.in_function:
        for user in body.nodes:
            user.input[:] = [_renamed(text, {node.name}) for text in user.input]


def _gather(body: _Body, node: Any, dtype: int) -> None:
    node.op = "GatherV2"
    node.input.insert(2, body.axis_zero(node))
    _retype(node, dtype, ("dtype", "validate_indices"), "Tparams")
    node.attr["Taxis"].type = tf.int32.as_datatype_enum


def _gather_nd(_: _Body, node: Any, dtype: int) -> None:
    node.op = "GatherNd"
    _retype(node, dtype, ("dtype",), "Tparams")


def _shape(_: _Body, node: Any, dtype: int) -> None:
    node.op = "Shape"
    _retype(node, dtype, (), "T")


def _retype(node: Any, dtype: int, dropped: Tuple[str, ...], name: str) -> None:
    for old in dropped:
        if old in node.attr:
            del node.attr[old]
    node.attr[name].type = dtype


_READERS: Dict[str, Callable[[_Body, Any, int], None]] = {
    "ReadVariableOp": _read,
    "ResourceGather": _gather,
    "ResourceGatherNd": _gather_nd,
    "VariableShape": _shape,
}
