"""The kinds of ops that binding distinguishes."""

from __future__ import annotations

import re

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

# one map in, one map out, no weights: these make a feature map of a convolution's output
ACTIVATIONS = {"Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "Softsign", "Tanh", "Sigmoid"}
# ops of written-out activations (leaky ReLU, PReLU, swish, hard-swish, mish, GELU)
ACTIVATION_PARTS = ACTIVATIONS | {
    "Exp", "Log1p", "Erf", "Erfc", "Neg", "Abs", "Square", "Pow", "Mul", "Add", "AddV2", "Sub", "RealDiv", "Div",
    "Maximum", "Minimum", "Greater", "GreaterEqual", "Less", "LessEqual", "Select", "SelectV2", "Where", "Identity",
    "ClipByValue", "Cast",
}  # fmt: skip
# y = a x + b with constants: normalisation and bias
AFFINE = BATCH_NORMS | {"BiasAdd", "BiasAddV1", "Add", "AddV2", "Sub", "Mul", "RealDiv", "Div"}
CLIPS = {"Minimum", "Maximum", "ClipByValue"}
BIASES = {"BiasAdd", "BiasAddV1", "Add", "AddV2"}
# ops that make one tensor of the values collected by a loop
COLLECTIONS = {"TensorArrayGatherV3", "TensorArrayConcatV3", "TensorListStack", "TensorListConcatV2"}
# ops that pass values on unchanged
FORWARDING = {
    "Identity", "IdentityN", "Switch", "RefSwitch", "Merge", "PlaceholderWithDefault", "Snapshot", "CheckNumerics",
    "PreventGradient", "Enter", "Exit", "NextIteration", "DeepCopy", "EnsureShape",
}  # fmt: skip
CONDITIONS = {"If", "StatelessIf"}
RESHAPING = {"Reshape", "Squeeze", "ExpandDims"}

SCORE_ACTIVATIONS = {"Softmax", "LogSoftmax", "Sigmoid"}
CROSS_ENTROPIES = {"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"}
# ops that read sequences of scores [T, N, C], with time first
CTC_OPS = {"CTCLoss", "CTCLossV2", "CTCGreedyDecoder", "CTCBeamSearchDecoder"}
QUANTISED = {
    "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel", "Dequantize",
    "QuantizeV2", "Quantize", "QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3",
    "Requantize",
}  # fmt: skip
# ops from class ids to class names
LOOKUPS = {"LookupTableFind", "LookupTableFindV2", "AsString"}
DECISIONS = {"ArgMax", "TopK", "TopKV2", "InTopK", "InTopKV2"}
RANDOM = re.compile(r"(Stateless)?(Random(Uniform|StandardNormal|UniformInt|Gamma)|TruncatedNormal|Multinomial)")

# ops whose output does not depend on the values of their input
FILLED = {"ZerosLike", "OnesLike"}
VALUE_FREE = {"Shape", "ShapeN", "Rank", "Size", "NoOp"} | FILLED
_RECORDS = re.compile(
    r"(\w*Summary\w*|Assign\w*|(Resource)?(Sparse)?Apply[A-Z]\w*|Print\w*|Assert|\w*Grad|Save\w*"
    r"|\w*QueueEnqueue\w*|StagePut|Stage|WriteFile|(Resource)?Scatter(Add|Sub|Update)|ResourceScatterNd\w*)$"
)
_TRAINING_SCOPES = re.compile(r"(^|/)(gradients(_\d+)?|gradient_tape|[^/]+_grad)(/|$)|^save(_\d+)?/")


def is_training_op(name: str, kind: str) -> bool:
    """Return whether an op belongs to gradients, optimisers, savers or summaries rather than to the net."""
    return bool(_RECORDS.match(kind) or _TRAINING_SCOPES.search(name))
