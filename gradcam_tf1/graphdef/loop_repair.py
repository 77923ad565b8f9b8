"""Restore the parts of a loop that freezing removes: gradients need more of a loop than its outputs do."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Dict, List, NamedTuple, Set

from gradcam_tf1.graphdef.control_frames import COND, ENTER, EXIT, SWITCH, backward_merges, loop_of_each
from gradcam_tf1.graphdef.nodes import Edge, edges, spread
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf


def complete_loops(graph_def: tf.GraphDef) -> None:
    """Repair the loops of a graph for gradients, in place.

    Every loop gets its own frame, every loop variable an Exit, and every branch inside a loop its own Switch. Merges of
    conditionals get the branch order that TensorFlow's gradient expects. Without its Exit, a variable would silently
    get the gradient None.
    """
    if not any(node.op == ENTER for node in graph_def.node):
        return
    nodes = {node.name: node for node in graph_def.node}
    inputs = {name: edges(node) for name, node in nodes.items()}
    uses: Dict[str, List[_Use]] = defaultdict(list)
    for name, node in nodes.items():
        for position, edge in enumerate(inputs[name]):
            if not edge.control and nodes[edge.node].op == SWITCH:
                uses[edge.node].append(_Use(node, position, edge.output))
    _separate_frames(nodes, inputs)
    conds = {name for name, node in nodes.items() if node.op == COND}
    inside = _inside_loops(nodes, inputs)
    for name in [name for name, node in nodes.items() if node.op == SWITCH]:
        if inputs[name][1].node not in conds:
            if name in inside and {use.output for use in uses[name]} >= {0, 1}:
                _split(graph_def, nodes[name], uses[name])
        elif not any(use.node.op == EXIT for use in uses[name]):
            added = graph_def.node.add(name=f"{OUR_SCOPE}exit_of/{name}", op=EXIT, input=[name])
            added.attr["T"].CopyFrom(nodes[name].attr["T"])
    _swap_branches(nodes, inputs, backward_merges(graph_def))


def _separate_frames(nodes: Dict[str, tf.NodeDef], inputs: Dict[str, List[Edge]]) -> None:
    """Give each loop its own frame name: TensorFlow would run the two loops of a graph imported twice as one loop."""
    loop_of = loop_of_each(nodes, inputs)
    conds = Counter(loop_of[name] for name, node in nodes.items() if node.op == COND)
    frames: Dict[bytes, Dict[str, bytes]] = defaultdict(dict)
    for name, node in nodes.items():
        if node.op == ENTER and conds[loop_of[name]]:
            frame = node.attr["frame_name"].s
            new = frame + (b"_%d" % len(frames[frame])) * bool(frames[frame])
            node.attr["frame_name"].s = frames[frame].setdefault(loop_of[name], new)


def _swap_branches(nodes: Dict[str, tf.NodeDef], inputs: Dict[str, List[Edge]], merges: List[str]) -> None:
    """Let Merges list branch 0 first, except those whose second output, the index of the taken input, is used."""
    indexed = {edge.node for node_edges in inputs.values() for edge in node_edges if edge.output == 1}
    for name in merges:
        if name not in indexed and len(nodes[name].input) > 1:
            first, second = nodes[name].input[:2]
            nodes[name].input[0], nodes[name].input[1] = second, first


def _inside_loops(nodes: Dict[str, tf.NodeDef], inputs: Dict[str, List[Edge]]) -> Set[str]:
    users: Dict[str, List[str]] = defaultdict(list)
    for name in nodes:
        for edge in inputs[name]:
            if nodes[edge.node].op != EXIT:
                users[edge.node].append(name)
    return spread([name for name, node in nodes.items() if node.op == ENTER], lambda name: users[name])


class _Use(NamedTuple):
    """The input number `position` of a node, which takes an output of a Switch."""

    node: tf.NodeDef
    position: int
    output: int


def _split(graph_def: tf.GraphDef, switch: tf.NodeDef, uses: List[_Use]) -> None:
    """Use one Switch for each branch: for the gradient, TensorFlow stores the values of an iteration by branch."""
    other = graph_def.node.add()
    other.CopyFrom(switch)
    other.name = f"{switch.name}/gradcam_tf1_false"
    for use in uses:
        if not use.output:
            use.node.input[use.position] = other.name


_PASSED = ("Enter", "Identity", "Switch")  # ops that pass the handle of a TensorArray on
_STEPS = 64  # limit on such ops in a row
_WRITES = {"TensorArrayWriteV3": 0, "TensorArrayScatterV3": 1}  # op -> leading axes of its value that number elements


def restore_array_shapes(graph: tf.Graph) -> None:
    """Set the shape of tensors gathered from TensorArrays, from the shapes of the elements written there."""
    elements: Dict[str, tf.TensorShape] = {}
    for op in graph.get_operations():
        if op.type in _WRITES:
            array, shape = _array(op.inputs[0]), op.inputs[2].shape[_WRITES[op.type] :]
            known = elements.get(array, shape)
            elements[array] = known.most_specific_compatible_shape(shape)
    for op in graph.get_operations() if elements else ():
        if op.type == "TensorArrayGatherV3" and op.outputs[0].shape.rank is None:
            element = elements.get(_array(op.inputs[0]))
            if element is not None and element.rank is not None:
                op.outputs[0].set_shape([None, *element.as_list()])


def _array(handle: tf.Tensor) -> str:
    """Return the name of the op that made the array of a handle."""
    for _ in range(_STEPS):
        if handle.op.type not in _PASSED:
            break
        handle = handle.op.inputs[0]
    return str(handle.op.name)
