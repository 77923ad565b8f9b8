"""Several backward passes of one graph: each rule is a table of gradient functions by op type.

A graph imported under `override_map()` has our gradient names on the ops of `TYPES`. When `tf.gradients` builds these
gradients, they read a thread-local switch: by default they are TensorFlow's own (or our faster ones); inside
`with gradient_table(table)` the functions of the table take their place. So class activation maps, guided methods and
relevance share one forward pass, and the gradients of a layer never pass a changed op.

A function of a table is `(op, own, *grads) -> gradients of the inputs`: `grads` are what arrives at the outputs of
`op`, one for each; `own(op, *grads)` is the gradient without a rule; the result is a tensor, or a list with a tensor or
None for each input, as TensorFlow's gradient functions return it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Callable, ContextManager, Iterator, Mapping, Optional, Tuple

from gradcam_tf1.gradients.activations import ALONE, CLIPS, JOINS
from gradcam_tf1.gradients.einsum_gradient import register_einsum_gradient
from gradcam_tf1.gradients.fast_gradients import FASTER
from gradcam_tf1.gradients.tensor_array_gradients import ARRAYS
from gradcam_tf1.tf_runtime import own_gradient, tf

OwnFunction = Callable[..., Any]
HandDown = Callable[..., Any]  # (op, own, *grads) -> gradients of the inputs
Table = Mapping[str, HandDown]

# ops of the path from images to scores that a rule may treat in its own way, besides activations
LINEAR = (
    "Conv2D", "DepthwiseConv2dNative", "Conv3D", "Conv2DBackpropInput", "Conv3DBackpropInputV2", "MatMul",
    "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "BiasAdd", "FusedBatchNorm", "FusedBatchNormV2",
    "FusedBatchNormV3",
)  # fmt: skip
ARITHMETIC = ("AddN", "Mul", "RealDiv", "Div", "DivNoNan", "SquaredDifference", "Pow", "Square", "Neg", "Abs")
CURVES = (
    "Sigmoid", "Tanh", "Erf", "Softsign", "Exp", "Log", "Log1p", "Sqrt", "Rsqrt", "Reciprocal", "Softmax", "LogSoftmax",
)  # fmt: skip
POOLS = (
    "MaxPool", "MaxPoolV2", "AvgPool", "MaxPool3D", "AvgPool3D", "Mean", "Sum", "Max", "Min", "Prod", "LRN",
    "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic",
)  # fmt: skip
MOVES = (
    "ConcatV2", "Pack", "Pad", "PadV2", "MirrorPad", "Tile", "BroadcastTo", "Gather", "GatherV2", "Select", "SelectV2",
)  # fmt: skip
TYPES = (*ALONE, *JOINS, *CLIPS, *LINEAR, *ARITHMETIC, *CURVES, *POOLS, *MOVES)

# A prefix of our own: other toolkits register a "GuidedRelu", and registering a name twice raises KeyError.
_PREFIX = "GradcamTf1"

_switch = threading.local()


@contextmanager
def gradient_table(table: Table) -> Iterator[None]:
    """Make the gradients that are built inside the block, in this thread, follow a table.

    Parameters
    ----------
    table : mapping
        Op type of `TYPES` -> the function that takes the place of its gradient; other ops keep theirs. An inner block
        replaces the table of an outer one.
    """
    outer = getattr(_switch, "table", None)
    _switch.table = table
    try:
        yield
    finally:
        _switch.table = outer


def override_map(graph: tf.Graph) -> ContextManager[None]:
    """Return the context in which a graph must be imported so that `gradient_table` reaches its ops."""
    context: ContextManager[None] = graph.gradient_override_map(
        {op_type: _PREFIX + op_type for op_type in _registered_types()}
    )
    return context


def override_in_functions(library: Any) -> None:
    """Do the same for the functions of a graph (bodies of functional loops and branches), in place, before import.

    Parameters
    ----------
    library : FunctionDefLibrary
        `GraphDef.library` of the graph.
    """
    ours = set(_registered_types())
    for function in library.function:
        for node in function.node_def:
            if node.op in ours:
                node.attr["_gradient_op_type"].s = (_PREFIX + node.op).encode()


@lru_cache(maxsize=None)
def _registered_types() -> Tuple[str, ...]:
    register_einsum_gradient()
    gradients = {op_type: own_gradient(op_type) for op_type in TYPES}
    # TensorFlow 1.15 has no gradient for ClipByValue, and we add none
    own_gradients = {op_type: own for op_type, own in gradients.items() if own is not None}
    for op_type, own in own_gradients.items():
        tf.RegisterGradient(_PREFIX + op_type)(_switched(op_type, _fastest(op_type, own)))
    for op_type, gradient in ARRAYS.items():
        tf.RegisterGradient(_PREFIX + op_type)(gradient)
    return (*own_gradients, *ARRAYS)


def _fastest(op_type: str, own: OwnFunction) -> OwnFunction:
    if op_type in FASTER:
        return FASTER[op_type](own)
    return own


def _switched(op_type: str, own: OwnFunction) -> OwnFunction:
    def gradient(op: tf.Operation, *grads: tf.Tensor) -> Any:
        table: Optional[Table] = getattr(_switch, "table", None)
        rule = None if table is None else table.get(op_type)
        return own(op, *grads) if rule is None else rule(op, own, *grads)

    return gradient
