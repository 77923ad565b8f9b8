"""Which op on the path from score to images hands relevance down in which way; an op without a way is refused.

What an op does with the relevance R of its output y:

- weighted layers (`relevance_layers`) have the rule of the composite;
- an op that only moves values, and a maximum, whose winner takes all, hand R down as a gradient;
- a function of one value (any activation, softmax, a factor that is constant, local response normalisation) hands R
  down unchanged;
- sums and means, batch norms and constants that are added behind an activation: R_i = c_i / (y + epsilon sign(y)) R for
  the summand c_i; what the constant adds stays with it;
- a softmax between layers has the rule of deep Taylor, R_i = x_i (R_i - y_i sum_k R_k); one that is the net's answer
  hands R down unchanged;
- a product of two things that depend on the image, also of matrices, gives each half: R_a = a dy/da R / (2 y);
- but a gate takes nothing, and the signal all: a gate is bounded (a sigmoid), or a normaliser (1 / deviation). So a
  layer norm, also in one op, is linear with its deviation held constant;
- before the first weighted layer all of this is preprocessing: arithmetic hands R down unchanged.
"""

from __future__ import annotations

import math
from typing import Container, Dict, List, NamedTuple, Optional, Sequence, Set

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.graph_walk import ops_after, ops_between
from gradcam_tf1.gradients.layer_chains import LayerChains
from gradcam_tf1.gradients.layer_channels import BATCH_NORMS, CORES, FACTORS, JOINS, SUMS, is_core
from gradcam_tf1.gradients.normalisers import is_normaliser, is_shift, is_softmax, norms_each_image, softmax_of
from gradcam_tf1.gradients.relevance_layers import WeightedLayer, same_op
from gradcam_tf1.gradients.value_bounds import Bounds, bounds_of
from gradcam_tf1.tf_runtime import tf

# relevance goes where the values come from: as a gradient
_MOVED = (
    "Identity", "Reshape", "Transpose", "Squeeze", "ExpandDims", "Pad", "PadV2", "MirrorPad", "StridedSlice", "Slice",
    "Split", "SplitV", "Unpack", "Pack", "ConcatV2", "Concat", "Gather", "GatherV2", "GatherNd", "ReverseV2", "Tile",
    "BroadcastTo", "SpaceToBatchND", "BatchToSpaceND", "SpaceToBatch", "BatchToSpace", "DepthToSpace", "SpaceToDepth",
    "Roll", "Cast", "CheckNumerics", "EnsureShape", "PlaceholderWithDefault", "Snapshot", "MaxPool", "MaxPoolV2",
    "MaxPool3D", "MaxPoolWithArgmax", "Max", "Min", "TopKV2", "TopK", "ResizeNearestNeighbor", "Select", "SelectV2",
    "Switch", "Merge", "IdentityN", "ExtractImagePatches",
)  # fmt: skip
_CURVES = (
    "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Softsign", "Sigmoid", "Tanh", "Erf", "Exp", "Log",
    "Log1p", "Sqrt", "Rsqrt", "Reciprocal", "Square", "Pow", "Abs", "Neg", "Softmax", "LogSoftmax", "LRN",
)  # fmt: skip
_CHOICES = ("Maximum", "Minimum", "ClipByValue")
_MEANS = ("AvgPool", "AvgPool3D", "Mean", "ResizeBilinear", "ResizeBicubic")
_QUOTIENTS = ("RealDiv", "Div", "DivNoNan")
# dropout among them, whose rate may be fed
_SCALINGS = ("Mul", "RealDiv", "Select", "SelectV2", "Identity", "Cast", "Reshape", "Transpose", "Switch", "Merge")
_STEPS = 12  # maximum number of ops between a bounded value and the product

MOVE, PASS, SHARE, LAYER, FOLDED = "move", "pass", "share", "layer", "folded"
HALVES, SOFTMAX, NORM = "halves", "softmax", "norm"


class Step(NamedTuple):
    """How an op hands relevance down.

    Attributes
    ----------
    way : str
        MOVE: as its gradient; PASS: unchanged, to one input; SHARE: to the inputs that are summands; HALVES: half to
        each factor; SOFTMAX and NORM: by the rule of a softmax and of a layer norm in one op; LAYER: by the rule of a
        composite; FOLDED: unchanged, to the layer with weights that it belongs to.
    places : tuple of int
        The numbers of the inputs that get relevance.
    layer : WeightedLayer, optional
        Of LAYER.
    """

    way: str
    places: Sequence[int]
    layer: Optional[WeightedLayer] = None


class RelevancePath:
    """How relevance gets from some tensors to others, op by op.

    Parameters
    ----------
    outputs : sequence of tf.Tensor
        The tensors of the net that the score is computed from.
    start : tf.Tensor
        The images.
    wanted : sequence of tf.Tensor
        What relevance has to reach; by default the images.
    untaken : container of str
        Names of ops that never run; nothing goes there.

    Attributes
    ----------
    steps : dict
        Name of an op that relevance reaches -> how it hands it down.
    layers : list of WeightedLayer
        Those that relevance reaches, in the order of the graph.

    Raises
    ------
    GradientError
        If relevance reaches an op without a rule; names it.
    """

    def __init__(
        self,
        outputs: Sequence[tf.Tensor],
        start: tf.Tensor,
        wanted: Sequence[tf.Tensor] = (),
        untaken: Container[str] = (),
    ) -> None:
        path = ops_between(outputs, start, untaken)
        self._names = {op.name for op in path}
        self._ends = {tensor.name for tensor in outputs}
        self._start = start
        self._bounds: Dict[str, Bounds] = {}
        for op in path:
            self._bounds[op.name] = bounds_of(op, self._bounds)
        self._deep = self._behind_layers(path)
        chains = LayerChains(self._names, self._ends, self._on_path).find(path)
        self._layers = {core.name: self._layer(core, chain) for core, (chain, _) in chains.items()}
        self._leading = {op.name for op in ops_after([tensor.op for tensor in wanted or [start]])}
        self._folded = {op.name for layer in self._layers.values() for op in layer.chain if op.type not in JOINS}
        self._last = self._behind_all(outputs)
        self.steps = self._walk([tensor.op for tensor in outputs if self._on_path(tensor)])
        self.layers = [layer for name, layer in self._layers.items() if name in self.steps]

    def _on_path(self, tensor: tf.Tensor) -> bool:
        return tensor.op.name in self._names

    def _behind_layers(self, path: Sequence[tf.Operation]) -> Set[str]:
        """Return the ops that a layer with weights comes before; in graph order inputs come first."""
        deep: Set[str] = set()
        cores: Set[str] = set()
        for op in path:
            if any(tensor.op.name in deep or tensor.op.name in cores for tensor in op.inputs):
                deep.add(op.name)
            if is_core(op, self._on_path):
                cores.add(op.name)
        return deep

    def _behind_all(self, outputs: Sequence[tf.Tensor]) -> Set[str]:
        """Return the ops that come after all layers and activations: a softmax there is the net's answer."""
        last: Set[str] = set()
        waiting = [tensor.op for tensor in outputs]
        while waiting:
            op = waiting.pop()
            data = [tensor.op for tensor in op.inputs if self._on_path(tensor)]
            if op.name not in last and op.name not in self._folded:
                last.add(op.name)
                linear = op.type in (*_MOVED, *_MEANS, *SUMS, "AddN", "Sum")
                waiting += data if linear or (op.type in FACTORS and len(data) == 1) else []
        return last

    def _layer(self, core: tf.Operation, chain: List[tf.Operation]) -> WeightedLayer:
        while chain and chain[-1].type == "Switch":  # it has two outputs, one of which never has a value
            chain.pop()
        layer = WeightedLayer(core, chain, core.name not in self._deep, False, self._on_path)
        low = self._bounds.get(layer.x.op.name, (-math.inf, math.inf))[0]
        return WeightedLayer(core, chain, layer.first, low >= 0, self._on_path)

    def replayed(self, tensor: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """Return what the net makes of other images in place of a tensor before or at the first layer with weights."""
        made = {self._start.name: images}
        for op in ops_between([tensor], self._start):
            if op is not self._start.op and op.name in self._names:
                changed = {place: made[each.name] for place, each in enumerate(op.inputs) if each.name in made}
                made.update(zip((each.name for each in op.outputs), same_op(op, changed).outputs))
        return made[tensor.name]

    def _walk(self, level: List[tf.Operation]) -> Dict[str, Step]:
        steps: Dict[str, Step] = {}
        while level:
            op = level.pop()
            if op.name in steps or op is self._start.op:
                continue
            steps[op.name] = step = self._step(op)
            level += [op.inputs[place].op for place in step.places if op.inputs[place].op.name in self._leading]
        return steps

    def _step(self, op: tf.Operation) -> Step:
        # a condition or a position chooses what is handed on, and is no part of it
        data = [place for place, each in enumerate(op.inputs) if self._on_path(each) and each.dtype.is_floating]
        if op.name in self._layers:
            layer = self._layers[op.name]
            return Step(LAYER, (layer.place,), layer)
        if op.name in self._folded:
            return Step(FOLDED, data)
        found = self._arithmetic(op, data)
        if found is None:
            raise GradientError(
                f"relevance stops at '{op.name}' ({op.type}), for which there is no rule; use 'gradient_x_input' or "
                "'integrated_gradients', which need a gradient only, or a layer method such as 'gradcam'"
            )
        return found

    def _arithmetic(self, op: tf.Operation, data: List[int]) -> Optional[Step]:
        """Return how an op without weights hands relevance down, None where no way is known."""
        deep = op.name in self._deep
        if deep and op.name not in self._last and softmax_of(op):
            return Step(SOFTMAX, (0,))
        if is_shift(op) or (op.type in _CURVES and data and data[0] == 0):
            return Step(PASS, (0,))
        if op.type in _MOVED:
            return Step(MOVE, data)
        if op.type in _CHOICES and len(data) == 1 and _is_of_one_size(op, data[0]):
            return Step(PASS, data)
        if op.type in ("Maximum", "Minimum"):
            return Step(MOVE, data)
        if op.type in _MEANS or (op.type == "Einsum" and len(op.inputs) == 1):
            return Step(SHARE if deep else MOVE, (0,))
        if op.type in BATCH_NORMS and data == [0]:
            return self._norm(op, deep)
        if op.type in (*SUMS, "AddN", "Sum"):
            alone = len(data) == 1 and op.type != "Sum" and not deep and _is_of_one_size(op, data[0])
            return Step(PASS if alone else SHARE, data)
        return self._product(op, data)

    def _norm(self, op: tf.Operation, deep: bool) -> Optional[Step]:
        if not op.get_attr("is_training"):
            return Step(SHARE if deep else PASS, (0,))
        return Step(NORM, (0,)) if norms_each_image(op) else None

    def _product(self, op: tf.Operation, data: List[int]) -> Optional[Step]:
        if op.type in (*FACTORS, "DivNoNan") and len(data) == 1:
            return Step(PASS, data) if _is_of_one_size(op, data[0]) else Step(SHARE, data)
        if op.type in _QUOTIENTS:
            return self._to_signal(op, 0)
        if op.type == "Mul" and op.inputs[0].name == op.inputs[1].name:
            return Step(PASS, (0,))
        if op.type not in ("Mul", *CORES) or len(data) != 2:
            return None
        gates = [
            place for place in (0, 1) if op.type == "Mul" and self._is_gate(op.inputs[place], op.inputs[1 - place])
        ]
        return self._to_signal(op, 1 - gates[0]) if gates else Step(HALVES, data)

    def _to_signal(self, op: tf.Operation, place: int) -> Step:
        return Step(PASS if _is_of_one_size(op, place) else SHARE, (place,))

    def _is_gate(self, tensor: tf.Tensor, other: tf.Tensor) -> bool:
        """Return whether a factor is a gate: a normaliser, or in bounds that are narrower than those of the other.

        A softmax is none: its weights are what attention has found.
        """
        normalisers = [is_normaliser(each, self._on_path) for each in (tensor, other)]
        if any(normalisers):
            return normalisers == [True, False]
        (low, high), (low_2, high_2) = self._bounds_before_scaling(tensor), self._bounds_before_scaling(other)
        narrow = math.isfinite(high - low) and not high - low >= high_2 - low_2
        return narrow and not is_softmax(tensor, self._on_path)

    def _bounds_before_scaling(self, tensor: tf.Tensor) -> Bounds:
        """Return the bounds of a tensor, or of what factors that do not depend on the image made it from."""
        for _ in range(_STEPS):
            low, high = self._bounds.get(tensor.op.name, (-math.inf, math.inf))
            data = [each for each in tensor.op.inputs if self._on_path(each)]
            if math.isfinite(high - low) or tensor.op.type not in _SCALINGS or len(data) != 1:
                break
            tensor = data[0]
        return low, high


def _is_of_one_size(op: tf.Operation, place: int) -> bool:
    """Return whether an output has one value for each of an input, as far as the graph shows."""
    before, after = op.inputs[place].shape, op.outputs[0].shape
    if before.rank is None or after.rank is None:
        return True
    pairs = zip(before.as_list(), after.as_list())
    return bool(before.rank == after.rank and all(None in pair or pair[0] == pair[1] for pair in pairs))
