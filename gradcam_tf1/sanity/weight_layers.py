"""Find the layers of a net that have weights, from the class scores down to the input, and where each weight is fed.

A weight is a float tensor that depends on constants alone and enters an op on the way from the input to the scores. It
is fed in place of what the graph has: behind Identity and the entry of a loop the constant itself, otherwise the tensor
that enters the op. So a weight that is dequantised, cast, or computed from the statistics of a batch norm is changed
as the op sees it, whatever its constants are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

from gradcam_tf1.gradients.graph_walk import calls_with, ops_before, ops_between
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

# the op types with which a layer begins, if one of their inputs is a weight
KERNELS = (
    *("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3D", "Conv3DBackpropInputV2", "Dilation2D"),
    *("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "GatherV2", "BlockLSTM", "BlockLSTMV2"),
    *("PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile", "If", "StatelessIf"),
)
# the op types whose constants belong to the layer before them: biases, batch norm, also folded or spelled out
FOLLOWERS = (
    *("BiasAdd", "BiasAddV1", "Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "ConcatV2"),
    *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "BatchNormWithGlobalNormalization"),
)
_VARIANCE = {"FusedBatchNorm": 4, "FusedBatchNormV2": 4, "FusedBatchNormV3": 4, "BatchNormWithGlobalNormalization": 2}
_PASSED = ("Identity", "Enter", "RefEnter", "Snapshot", "StopGradient", "PreventGradient")
_VALUES = ("Const", "VarHandleOp", "ReadVariableOp")


@dataclass(frozen=True)
class Weight:
    """A tensor of weights.

    Attributes
    ----------
    name : str
        The tensor that is fed.
    source : str
        The constant that it is made of; weights of one source change together.
    positive : bool
        Whether it is a variance.
    """

    name: str
    source: str
    positive: bool = False


@dataclass(frozen=True)
class WeightLayer:
    """An op with its weights, and those of the biases and batch norms that follow it.

    Attributes
    ----------
    name, op : str
        Name and type of the op.
    weights : tuple of Weight
        Its weights.
    """

    name: str
    op: str
    weights: Tuple[Weight, ...]


@dataclass(frozen=True)
class WeightLayers:
    """The layers of a net.

    Attributes
    ----------
    layers : tuple of WeightLayer
        That of the class scores first; each comes before those that it depends on.
    fixed : dict
        Name of an op -> why its weights cannot change.
    """

    layers: Tuple[WeightLayer, ...]
    fixed: Dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> List[str]:
        """The tensors that are fed, each once."""
        return list(dict.fromkeys(weight.name for layer in self.layers for weight in layer.weights))


def find_weight_layers(graph: tf.Graph, binding: Binding) -> WeightLayers:
    """Find the layers on the way from the input to the class scores.

    Constants before the first layer belong to the preprocessing and are no weights. So are single numbers.

    Parameters
    ----------
    graph : tf.Graph
        Holds the net.
    binding : Binding
        Its key tensors.
    """
    return _Search(graph, binding).result()


class _Search:
    def __init__(self, graph: tf.Graph, binding: Binding) -> None:
        names = [binding.logits, *(part.scores for part in binding.score_parts)]
        scores = [graph.get_tensor_by_name(name) for name in dict.fromkeys(names)]
        self._graph = graph
        self._path = ops_between(scores, graph.get_tensor_by_name(binding.input))
        self._varying = _varying(ops_before(*scores))
        self._looped = _in_loops(self._path)
        self._fixed: Dict[str, str] = {}

    def result(self) -> WeightLayers:
        own = {op: self._weights(op, op.type in KERNELS) for op in self._path if op.type in (*KERNELS, *FOLLOWERS)}
        kernels = {op for op, weights in own.items() if op.type in KERNELS and weights}
        depths = _depths(self._path)
        found: Dict[tf.Operation, List[Weight]] = {op: list(own[op]) for op in kernels}
        for op, weights in own.items():
            layer = self._layer_before(op, kernels, depths) if weights and op not in kernels else None
            if layer is not None:
                found[layer] += weights
        self._note_functions()
        places = {op: place for place, op in enumerate(self._path)}
        order = sorted(found, key=lambda op: (depths[op], -places[op]))
        layers = tuple(WeightLayer(op.name, op.type, tuple(dict.fromkeys(found[op]))) for op in order)
        return WeightLayers(layers, self._fixed)

    def _weights(self, op: tf.Operation, kernel: bool) -> List[Weight]:
        weights = []
        for place, tensor in enumerate(op.inputs):
            if tensor.op in self._varying or tensor.dtype.is_bool:
                continue
            fed = behind_passed(tensor)
            why = self._why_fixed(fed, kernel)
            if why is None:
                weights.append(Weight(fed.name, _source(fed), _VARIANCE.get(op.type) == place))
            elif why:
                self._fixed[op.name] = why
        return weights

    def _why_fixed(self, fed: tf.Tensor, kernel: bool) -> Optional[str]:
        """Return None for a weight, "" for what is none, and otherwise why it cannot change."""
        shape = fed.shape
        if not fed.dtype.is_floating:
            quantised = kernel and fed.dtype.is_quantized
            return f"it computes with {fed.dtype.name} weights, which have no derivative" if quantised else ""
        if not shape.is_fully_defined() or shape.rank == 0 or 0 in shape.as_list():
            return ""
        if fed.op in self._looped or not self._graph.is_feedable(fed):
            return "its weights are inside a loop"
        return None if fed.dtype.name != "bfloat16" else "numpy has no bfloat16"

    def _layer_before(
        self, op: tf.Operation, kernels: Set[tf.Operation], depths: Mapping[tf.Operation, int]
    ) -> Optional[tf.Operation]:
        """Return the layer whose output an op changes: of several, the one nearest to the scores."""
        stack, seen, nearest = [op], {op}, set()
        while stack:
            for tensor in stack.pop().inputs:
                if tensor.op in kernels:
                    nearest.add(tensor.op)
                elif tensor.op in depths and tensor.op not in seen:
                    seen.add(tensor.op)
                    stack.append(tensor.op)
        return min(nearest, key=lambda found: depths[found], default=None)

    def _note_functions(self) -> None:
        def holds_weights(node: tf.NodeDef) -> bool:
            value = node.attr["value"].tensor
            return node.op == "Const" and tf.as_dtype(value.dtype).is_floating and len(value.tensor_shape.dim) > 1

        for op in calls_with(self._graph, self._path, holds_weights):
            self._fixed[op.name] = "it has constants inside a function"


def _varying(ops: Set[tf.Operation]) -> Set[tf.Operation]:
    """Return those of the ops whose values are not the same in every run."""
    stack = [op for op in ops if _is_source(op)]
    varying = set(stack)
    while stack:
        for output in stack.pop().outputs:
            fresh = [user for user in output.consumers() if user in ops and user not in varying]
            varying.update(fresh)
            stack.extend(fresh)
    return varying


def _is_source(op: tf.Operation) -> bool:
    if op.type in _VALUES:
        return False
    return op.type.startswith("Placeholder") or not op.inputs or bool(op.op_def.is_stateful)


def _in_loops(path: Sequence[tf.Operation]) -> Set[tf.Operation]:
    """Return the ops inside the loops that a path goes through."""
    graph = path[0].graph if path else None
    stack = [op for op in graph.get_operations() if op.type in ("Enter", "RefEnter")] if graph else []
    inside = set(stack)
    while stack:
        op = stack.pop()
        for output in op.outputs if op.type not in ("Exit", "RefExit") else ():
            fresh = [user for user in output.consumers() if user not in inside]
            inside.update(fresh)
            stack.extend(fresh)
    return inside


def behind_passed(tensor: tf.Tensor) -> tf.Tensor:
    """Return the tensor whose values another one has, before Identity and the entry of loops."""
    while tensor.op.type in _PASSED:
        tensor = tensor.op.inputs[0]
    return tensor


def _source(fed: tf.Tensor) -> str:
    """Return the constant of the tensor's own size that it is made of, if there is just one; else the tensor."""
    size = fed.shape.num_elements()
    made_of = [op for op in ops_before(fed) if op.type in ("Const", "ReadVariableOp")]
    equal = [op.name for op in made_of if op.outputs[0].shape.num_elements() == size]
    return str(equal[0] if len(equal) == 1 else fed.name)


def _depths(path: Sequence[tf.Operation]) -> Dict[tf.Operation, int]:
    """Return for each op the number of ops on the longest way from it to the class scores."""
    inside = set(path)
    after = {op: _users(op) & inside for op in path}
    for op in path:
        if op.type == "NextIteration":  # after its last turn a loop goes on behind its exit, not at its start
            switches = {user for merge in after[op] for user in _users(merge) if user.type == "Switch"}
            after[op] = {user for switch in switches for user in _users(switch) if user.type == "Exit"} & inside
    before: Dict[tf.Operation, List[tf.Operation]] = {op: [] for op in path}
    for op, users in after.items():
        for user in users:
            before[user].append(op)
    waiting = {op: len(users) for op, users in after.items()}
    depths = {op: 0 for op in path if not waiting[op]}
    stack = list(depths)
    while stack:
        op = stack.pop()
        for earlier in before[op]:
            depths[earlier] = max(depths.get(earlier, 0), depths[op] + 1)
            waiting[earlier] -= 1
            if not waiting[earlier]:
                stack.append(earlier)
    return depths


def _users(op: tf.Operation) -> Set[tf.Operation]:
    return {user for output in op.outputs for user in output.consumers()}
