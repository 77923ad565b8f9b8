"""Kinds of ops: those that binding tells apart, and those that only record (summaries, savers, asserts, prints)."""

from __future__ import annotations

import re
from typing import Set

from gradcam_tf1.binding.graph_index import GraphIndex, Op

CONVOLUTIONS = {
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    "Conv2DBackpropInput",
    "FusedPadConv2D",
    "FusedResizeAndPadConv2D",
    "_FusedConv2D",
    "_FusedDepthwiseConv2dNative",
    "QuantizedConv2D",
}
DENSE = {"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "SparseMatMul", "_FusedMatMul", "QuantizedMatMul"}
WEIGHTED = CONVOLUTIONS | DENSE | {"Einsum", "BlockLSTM", "BlockLSTMV2", "LSTMBlockCell", "CudnnRNN"}

PLACEHOLDERS = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"}
PARSERS = re.compile(r"Parse(Single)?(Sequence)?Example(V2)?$")
PIPELINE_ENDS = re.compile(r"(OneShot)?IteratorGetNext(Sync)?$|(Queue|FIFOQueue)Dequeue|OptionalGetValue$|Unstage$")
DECODERS = re.compile(r"Decode(AndCrop)?(Jpeg|Png|Gif|Bmp|WebP|Image|Raw|PaddedRaw)$")

SLICES = {"StridedSlice", "Slice", "Split", "SplitV"}
CONCATS = {"Concat", "ConcatV2"}
SUMS = {"Add", "AddV2", "AddN"}
BATCH_NORMS = {
    "FusedBatchNorm",
    "FusedBatchNormV2",
    "FusedBatchNormV3",
    "BatchNormWithGlobalNormalization",
    "_FusedBatchNormEx",
}
REDUCTIONS = {"Mean", "Sum", "Max", "Min", "Prod"}
POOLS = {"AvgPool", "MaxPool", "MaxPoolV2", "MaxPoolWithArgmax"}
RESIZES = {"ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"}

# one map in, one map out, nothing learnt; what makes a feature map out of a convolution's output
ACTIVATIONS = {"Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "Softsign", "Tanh", "Sigmoid"}
# what activations are spelled with when TensorFlow has no op for them (leaky, PReLU, swish, hard-swish, mish, GELU)
ACTIVATION_PARTS = ACTIVATIONS | {
    "Exp", "Log1p", "Erf", "Erfc", "Neg", "Abs", "Square", "Pow", "Mul", "Add", "AddV2", "Sub", "RealDiv", "Div",
    "Maximum", "Minimum", "Greater", "GreaterEqual", "Less", "LessEqual", "Select", "SelectV2", "Where", "Identity",
    "ClipByValue", "Cast",
}  # fmt: skip
# y = a x + b with constants: normalisation and bias
AFFINE = BATCH_NORMS | {"BiasAdd", "BiasAddV1", "Add", "AddV2", "Sub", "Mul", "RealDiv", "Div"}
CLIPS = {"Minimum", "Maximum", "ClipByValue"}
BIASES = {"BiasAdd", "BiasAddV1", "Add", "AddV2"}
# what makes one tensor of what a loop has collected
COLLECTIONS = {"TensorArrayGatherV3", "TensorArrayConcatV3", "TensorListStack", "TensorListConcatV2"}
# the same numbers under another name
FORWARDING = {
    "Identity", "IdentityN", "Switch", "RefSwitch", "Merge", "PlaceholderWithDefault", "Snapshot", "CheckNumerics",
    "PreventGradient", "Enter", "Exit", "NextIteration", "DeepCopy", "EnsureShape",
}  # fmt: skip
CONDITIONS = {"If", "StatelessIf"}
RESHAPING = {"Reshape", "Squeeze", "ExpandDims"}

SCORE_ACTIVATIONS = {"Softmax", "LogSoftmax", "Sigmoid"}
CROSS_ENTROPIES = {"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"}
# what reads sequences of scores [T, N, C], the time in front
CTC_OPS = {"CTCLoss", "CTCLossV2", "CTCGreedyDecoder", "CTCBeamSearchDecoder"}
QUANTISED = {
    "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel", "Dequantize",
    "QuantizeV2", "Quantize", "QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3",
    "Requantize",
}  # fmt: skip
# names of classes for their ids
LOOKUPS = {"LookupTableFind", "LookupTableFindV2", "AsString"}
DECISIONS = {"ArgMax", "TopK", "TopKV2", "InTopK", "InTopKV2"}
RANDOM = re.compile(r"(Stateless)?(Random(Uniform|StandardNormal|UniformInt|Gamma)|TruncatedNormal|Multinomial)")

# ops whose result says nothing of their input's values
VALUE_FREE = {"Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike", "NoOp"}
_RECORDS = re.compile(
    r"(\w*Summary\w*|Assign\w*|(Resource)?(Sparse)?Apply[A-Z]\w*|Print\w*|Assert|\w*Grad|Save\w*"
    r"|\w*QueueEnqueue\w*|StagePut|Stage|WriteFile|(Resource)?Scatter(Add|Sub|Update)|ResourceScatterNd\w*)$"
)
_TRAINING_SCOPES = re.compile(r"(^|/)(gradients(_\d+)?|gradient_tape|[^/]+_grad)(/|$)|^save(_\d+)?/")


def is_training_op(name: str, kind: str) -> bool:
    """Whether an op belongs to gradients, optimisers, savers or summaries rather than to the net."""
    return bool(_RECORDS.match(kind) or _TRAINING_SCOPES.search(name))


def only_recorded(walk: GraphIndex) -> Set[str]:
    """Tensors that are used, but by nothing that is not a record; the vectors a layer puts out are left out.

    Somebody may watch the scores themselves in a histogram, and use them no further.
    """
    found: Set[str] = set()
    for op in reversed(walk.ops):
        for out in walk.outputs[op.name]:
            users = walk.users[out]
            if users and all(_records(walk, user, found) for user, _ in users) and not _is_vector_of_layer(walk, op):
                found.add(out)
    return found


def _records(walk: GraphIndex, op: Op, found: Set[str]) -> bool:
    outputs = walk.outputs[op.name]
    return is_training_op(op.name, op.type) or (bool(outputs) and all(out in found for out in outputs))


def _is_vector_of_layer(walk: GraphIndex, op: Op) -> bool:
    weighted = op.type in WEIGHTED or (
        op.type in BIASES and any(walk.maker[name].type in WEIGHTED for name in walk.inputs[op.name])
    )
    return weighted and walk.rank(walk.outputs[op.name][0]) == 2
