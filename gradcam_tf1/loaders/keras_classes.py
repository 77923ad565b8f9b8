"""Which classes a Keras file may name: layers that only compute. Other classes run code of its author or open files."""

from __future__ import annotations

import re
from typing import Dict, Optional

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.allowed_ops import reaches_outside
from gradcam_tf1.graphdef.tensor_sizes import check_constants
from gradcam_tf1.loaders.keras_config import Json, Part, layers
from gradcam_tf1.tf_runtime import tf

# class -> why it needs trust_model
REFUSED: Dict[str, str] = {
    "Lambda": "program code inside the file",
    "__lambda__": "program code inside the file",
    "TFOpLambda": "a call of any function of TensorFlow by its name",
    "SlicingOpLambda": "a call of any function of TensorFlow by its name",
    "ClassMethod": "a call of any function of TensorFlow by its name",
    "InstanceMethod": "a call of any function of TensorFlow by its name",
    "InstanceProperty": "a call of any function of TensorFlow by its name",
    "DenseFeatures": "columns that may read files",
    "SequenceFeatures": "columns that may read files",
    "StringLookup": "a table that may be read from a file",
    "IntegerLookup": "a table that may be read from a file",
    "IndexLookup": "a table that may be read from a file",
    "TextVectorization": "a table that may be read from a file",
    "TFSMLayer": "another model, by its path",
}

_LAYERS = frozenset(
    re.findall(
        r"\w+",
        """
    Activation ActivityRegularization AdditiveAttention AlphaDropout Attention Average Bidirectional CategoryEncoding
    CenterCrop Concatenate ConvLSTM1D ConvLSTM2D ConvLSTM3D CuDNNGRU CuDNNLSTM Dense Discretization Dot Dropout ELU
    EinsumDense Embedding Flatten GRU GRUCell GaussianDropout GaussianNoise GroupNormalization HashedCrossing Hashing
    Identity InputLayer InputSpec LSTM LSTMCell LayerNormalization LeakyReLU Masking Maximum Minimum
    MultiHeadAttention Multiply Normalization PReLU Permute RNN ReLU RepeatVector Rescaling Reshape Resizing SimpleRNN
    SimpleRNNCell Softmax SpectralNormalization StackedRNNCells Subtract Add ThresholdedReLU TimeDistributed
    UnitNormalization

    Model Sequential Functional BatchNormalizationV1 BatchNormalizationV2 TensorFlowOpLayer TensorShape __tuple__
    """,
    )
)
_FAMILIES = re.compile(
    r"(Depthwise|Separable)?Conv(olution)?[123]D(Transpose)?\Z|BatchNormalization\Z|LocallyConnected[12]D\Z"
    r"|(Global)?(Average|Avg|Max)Pool(ing)?[123]D\Z|(Cropping|SpatialDropout|UpSampling|ZeroPadding)[123]D\Z"
    r"|Random(Brightness|Contrast|Crop|Flip|Height|Rotation|Translation|Width|Zoom)\Z"
)
# Classes that Keras can rebuild although keras.layers does not list them.
_UNLISTED = ("Model", "Sequential", "Functional", "BatchNormalizationV1", "BatchNormalizationV2", "TensorFlowOpLayer")
_VALUES = ("TensorShape", "__tuple__")
_ON_TRUST = ("Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda")


def is_harmless(name: str) -> bool:
    """Whether the Keras class with this name only computes."""
    return name in _LAYERS or _FAMILIES.match(name) is not None


def check_classes(config: Json, path: str, trusted: bool) -> None:
    """Refuse classes that this Keras lacks, and, unless the file is trusted, classes that may do harm.

    Parameters
    ----------
    config : Json
        The translated configuration of the model.
    path : str
        The file, for messages.
    trusted : bool
        Whether the user trusts the author of the file.

    Raises
    ------
    ModelFileError
        If a class is refused; the message names the layer.
    """
    for part in layers(config):
        name, layer = part["class_name"], _layer_name(part)
        if not trusted and name in REFUSED:
            raise ModelFileError(
                f"{path}: layer {layer!r} is a {name} ({REFUSED[name]}), which is not run; build the net in your own "
                "program and pass the live model object or a frozen graph of it; or, if you trust the author of the "
                "file, load it with trust_model=True or --trust-model"
            )
        if not _is_known(name):
            raise ModelFileError(
                f"{path}: this Keras has no layer class {name!r}; build the net in your own program, with your own "
                "layers or a newer Keras, and pass the live model object"
            )
        if not trusted and not is_harmless(name) and name not in runtime.keras().utils.get_custom_objects():
            raise ModelFileError(
                f"{path}: the class {name!r} of layer {layer!r} is not known to be harmless; pass the live model "
                "object, or, if you trust the author of the file, load it with trust_model=True or --trust-model"
            )
        if name == "TensorFlowOpLayer":
            _check_op(part, path, trusted)


def _layer_name(part: Part) -> str:
    inner = part.get("config")
    return str(part.get("name") or (inner.get("name") if isinstance(inner, dict) else None) or part["class_name"])


def _is_known(name: str) -> bool:
    keras = runtime.keras()
    listed = name in _UNLISTED or name in _VALUES or name in _ON_TRUST
    return listed or hasattr(keras.layers, name) or name in keras.utils.get_custom_objects()


def _check_op(part: Part, path: str, trusted: bool) -> None:
    node = _node(part.get("config"))
    if node is None:
        raise ModelFileError(f"{path}: layer {_layer_name(part)!r} is a single op whose definition is damaged")
    if reaches_outside(node.op) and not trusted:
        raise ModelFileError(
            f"{path}: layer {_layer_name(part)!r} is the op {node.op}, which touches files or runs code; if you trust "
            "the author of the file, load it with trust_model=True or --trust-model"
        )
    try:
        check_constants(node)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _node(config: Json) -> Optional[tf.NodeDef]:
    """Return the NodeDef in a layer's configuration, None if it does not parse."""
    text = config.get("node_def") if isinstance(config, dict) else None
    try:
        if isinstance(text, dict):
            return json_format.ParseDict(text, tf.NodeDef())
        return tf.NodeDef.FromString(text.encode("utf-8")) if isinstance(text, str) else None
    except (DecodeError, json_format.ParseError):
        return None
