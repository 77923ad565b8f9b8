"""Give the ops that this toolkit added short names: the names of a gradient's ops are a part of a small net's size."""

from __future__ import annotations

from typing import Dict, Sequence

from gradcam_tf1.graphdef.nodes import parse_edge
from gradcam_tf1.tf_runtime import tf


def shorten_names(graph_def: tf.GraphDef, scopes: Sequence[str]) -> None:
    """Rename the nodes and loops in some scopes, in place, to a scope and a number. Other names, also of outputs, stay.

    Parameters
    ----------
    graph_def : tf.GraphDef
        The graph.
    scopes : sequence of str
        Each with its "/".
    """
    ours = [node.name for node in graph_def.node if node.name.startswith(tuple(scopes))]
    others = {node.name.split("/")[0] for node in graph_def.node if not node.name.startswith(tuple(scopes))}
    scope = "g"
    while scope in others:
        scope += "g"
    short = {name: f"{scope}/{number:x}" for number, name in enumerate(ours)}
    # the gradient of a loop adds ops to the loop itself, whose name stays
    kept = {
        node.attr["frame_name"].s for node in graph_def.node if "frame_name" in node.attr and node.name not in short
    }
    loops: Dict[bytes, bytes] = {}
    for node in graph_def.node:
        if node.name in short and "frame_name" in node.attr and node.attr["frame_name"].s not in kept:
            loop = node.attr["frame_name"]
            loop.s = loops.setdefault(loop.s, f"{scope}{len(loops)}".encode())
        node.name = short.get(node.name, node.name)
        for index, text in enumerate(node.input):
            edge = parse_edge(text)
            if edge.node in short:
                node.input[index] = text.replace(edge.node, short[edge.node], 1)
