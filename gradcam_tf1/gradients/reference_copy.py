"""A second copy of a part of the net, at other inputs: the forward pass of a reference beside that of the image.

Only the ops that depend on the start are copied, so that weights, and what is fed besides, are shared.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from gradcam_tf1.tf_runtime import own_gradient, tf


class ReferenceCopy:
    """The ops of a path, and the same ops where the start has another value.

    Parameters
    ----------
    path : sequence of tf.Operation
        All ops between the start and the score, that of the start included, producers first.
    start : tf.Tensor
        Where the values differ.
    reference : tf.Tensor
        What takes its place in the copy, of the same shape and dtype.

    Attributes
    ----------
    names : set of str
        The ops that were copied.
    """

    def __init__(self, path: Sequence[tf.Operation], start: tf.Tensor, reference: tf.Tensor) -> None:
        self._start = start.name
        self._reference = reference
        self.names = {op.name for op in path if op is not start.op}
        self._copies = self._copied([op for op in path if op is not start.op])

    def _copied(self, ops: Sequence[tf.Operation]) -> Dict[str, tf.Operation]:
        if not ops:
            return {}
        graph_def, outside = tf.GraphDef(), {}
        for op in ops:
            node = graph_def.node.add()
            node.CopyFrom(op.node_def)
            node.attr.pop("_class", None)
            node.input[:] = [tensor.name for tensor in op.inputs]  # nothing is waited for
            outside.update({each.name: self.of(each) for each in op.inputs if each.op.name not in self.names})
        names = [op.name for op in ops]
        return dict(zip(names, tf.import_graph_def(graph_def, outside, names, name="reference")))

    def of(self, tensor: tf.Tensor) -> tf.Tensor:
        """Return a tensor in the copy; the tensor itself where it does not depend on the start."""
        if tensor.name == self._start:
            return self._reference
        if tensor.op.name not in self.names:
            return tensor
        return self._copies[tensor.op.name].outputs[tensor.value_index]

    def varies(self, tensor: tf.Tensor) -> bool:
        """Return whether a tensor depends on the start."""
        return tensor.name == self._start or tensor.op.name in self.names

    def pair(self, op: tf.Operation) -> Pair:
        """Return an op of the path with its copy."""
        return Pair(op, self._copies[op.name], [place for place, each in enumerate(op.inputs) if self.varies(each)])


class Pair:
    """An op of the path and its copy.

    Attributes
    ----------
    op, copy : tf.Operation
        At the image, and at the reference.
    varying : list of int
        The places of the inputs that depend on the start.
    """

    def __init__(self, op: tf.Operation, copy: tf.Operation, varying: List[int]) -> None:
        self.op = op
        self.copy = copy
        self.varying = varying

    def floats(self) -> List[int]:
        """Return the places of those inputs that are floats."""
        return [place for place in self.varying if self.op.inputs[place].dtype.is_floating]

    def rise(self, place: int) -> tf.Tensor:
        """Return the difference of an input."""
        return self.op.inputs[place] - self.copy.inputs[place]

    def gain(self) -> tf.Tensor:
        """Return the difference of the first output."""
        return self.op.outputs[0] - self.copy.outputs[0]


def again(op: tf.Operation, inputs: Sequence[tf.Tensor]) -> tf.Operation:
    """Return a new op that does what `op` does, to other inputs."""
    # not by importing it, which takes time in proportion to the graph
    attrs = {name: value for name, value in op.node_def.attr.items() if name != "_class"}
    dtypes = [out.dtype for out in op.outputs]
    return op.graph.create_op(op.type, list(inputs), dtypes, name="lift/again", attrs=attrs)


def own_gradients(op: tf.Operation, grads: Sequence[Any]) -> List[Any]:
    """Return what the op's own gradient function hands to each input; None where it hands nothing."""
    filled = [tf.zeros_like(out) if grad is None else grad for out, grad in zip(op.outputs, grads)]
    # an imported op has a name of ours for its gradient; `tf.gradients` of each op would walk the graph every time
    name = op.node_def.attr["_gradient_op_type"].s.decode() if "_gradient_op_type" in op.node_def.attr else op.type
    function = own_gradient(name)
    found = [] if function is None else function(op, *filled)
    listed = list(found) if isinstance(found, (list, tuple)) else [found]
    return [None if each is None else tf.convert_to_tensor(each) for each in listed] or [None] * len(op.inputs)
