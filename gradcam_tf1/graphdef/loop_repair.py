"""Restores what freezing cuts off a loop: gradients need more of a loop than its outputs do."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, Dict, List, Set

from gradcam_tf1.graphdef.control_frames import COND, ENTER, EXIT, SWITCH, backward_merges, loop_of_each
from gradcam_tf1.graphdef.nodes import Edge, edges, spread
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf


def complete_loops(graph_def: Any) -> None:
    """Give every loop a frame of its own, every variable its Exit, and every branch in a loop its own Switch, in place.

    The ends of conditionals take their branches in the order that TensorFlow's gradient expects.
    TensorFlow takes the gradient of a variable that has no Exit for none, without a word.
    """
    if not any(node.op == ENTER for node in graph_def.node):
        return
    nodes = {node.name: node for node in graph_def.node}
    inputs = {name: edges(node) for name, node in nodes.items()}
    users: Dict[str, List[str]] = defaultdict(list)
    for name in nodes:
        for source in {edge.node for edge in inputs[name] if not edge.control}:
            users[source].append(name)
    _separate_frames(nodes, inputs)
    conds = {name for name, node in nodes.items() if node.op == COND}
    inside = _inside_loops(nodes, inputs)
    for name in [name for name, node in nodes.items() if node.op == SWITCH]:
        used = {edge.output for user in users[name] for edge in inputs[user] if edge.node == name}
        if inputs[name][1].node not in conds:
            if name in inside and used >= {0, 1}:
                _split(graph_def, nodes[name], [nodes[user] for user in users[name]])
        elif not any(nodes[user].op == EXIT for user in users[name]):
            way_out = graph_def.node.add(name=f"{OUR_SCOPE}exit_of/{name}", op=EXIT, input=[name])
            way_out.attr["T"].CopyFrom(nodes[name].attr["T"])
    _turn_round(nodes, inputs, backward_merges(graph_def))


def _separate_frames(nodes: Dict[str, Any], inputs: Dict[str, List[Edge]]) -> None:
    """A graph that was imported twice has two loops of one name, which TensorFlow would run, and count, as one."""
    loop_of = loop_of_each(nodes, inputs)
    conds = Counter(loop_of[name] for name, node in nodes.items() if node.op == COND)
    frames: Dict[bytes, Dict[str, bytes]] = defaultdict(dict)
    for name, node in nodes.items():
        if node.op == ENTER and conds[loop_of[name]]:
            frame = node.attr["frame_name"].s
            own = frames[frame].setdefault(loop_of[name], frame + (b"_%d" % len(frames[frame])) * bool(frames[frame]))
            node.attr["frame_name"].s = own


def _turn_round(nodes: Dict[str, Any], inputs: Dict[str, List[Edge]], merges: List[str]) -> None:
    """Let the ends of conditionals take branch 0 first, but those whose second output says which input it was."""
    asked = {edge.node for each in inputs.values() for edge in each if edge.output == 1}
    for name in merges:
        if name not in asked and len(nodes[name].input) > 1:
            first, second = nodes[name].input[:2]
            nodes[name].input[0], nodes[name].input[1] = second, first


def _inside_loops(nodes: Dict[str, Any], inputs: Dict[str, List[Edge]]) -> Set[str]:
    users: Dict[str, List[str]] = defaultdict(list)
    for name in nodes:
        for edge in inputs[name]:
            if nodes[edge.node].op != EXIT:
                users[edge.node].append(name)
    return spread([name for name, node in nodes.items() if node.op == ENTER], lambda name: users[name])


def _split(graph_def: Any, switch: Any, users: List[Any]) -> None:
    """One Switch for each branch: what TensorFlow keeps of a round is kept for the one branch or for the other."""
    other = graph_def.node.add()
    other.CopyFrom(switch)
    other.name = f"{switch.name}/gradcam_tf1_false"
    for user in users:
        for index, edge in enumerate(edges(user)):
            if edge.node == switch.name and edge.output == 0 and not edge.control:
                user.input[index] = other.name


_PASSED = ("Enter", "Identity", "Switch")
_STEPS = 64  # loops and conditionals that a handle goes through
_WRITES = {"TensorArrayWriteV3": 0, "TensorArrayScatterV3": 1}  # the axes before an element's own


def restore_array_shapes(graph: tf.Graph) -> None:
    """Tell the tensors that are gathered from TensorArrays the shape of the elements that are written there."""
    elements: Dict[str, Any] = {}
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
    """The op that made the array of a handle."""
    for _ in range(_STEPS):
        if handle.op.type not in _PASSED:
            break
        handle = handle.op.inputs[0]
    return str(handle.op.name)
