"""Build VGG-11/13/16/19 as TF1 graphs: classic for 224 x 224 images, or fully convolutional.

Paper: Simonyan and Zisserman, https://arxiv.org/abs/1409.1556.

Tensor names: `input:0`; `conv1_1/Conv2D:0`, `conv1_1/BiasAdd:0`, `conv1_1/Relu:0` and so on to `conv5_4/Relu:0`;
`pool1:0` .. `pool5:0`; `fc6/BiasAdd:0`, `relu6:0`, `fc7/BiasAdd:0`, `relu7:0`, `fc8/BiasAdd:0`; `prob:0`.
Fully convolutional only: `logits:0`, the mean of fc8 over its positions.
"""

from __future__ import annotations

import os
from typing import Dict, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError, WeightsError
from gradcam_tf1.nets.vgg_layers import DENSE, POOLED_SIZE, VggWeights, check_layers, conv_names, random_weights
from gradcam_tf1.nets.vgg_weights import read_weights
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

REFERENCE_NETS = {"vgg11": 11, "vgg13": 13, "vgg16": 16, "vgg19": 19}
CLASSIC_SIZE = 224

Parameters = Dict[str, Tuple["tf.Tensor", "tf.Tensor"]]  # layer -> kernel, bias


def build_vgg(
    images: tf.Tensor,
    depth: int = 19,
    classes: int = 1000,
    weights: Optional[VggWeights] = None,
    fully_convolutional: bool = False,
) -> Dict[str, tf.Tensor]:
    """Add a VGG to the default graph, its weights as constants.

    In the fully convolutional form, fc6 is a 7 x 7 VALID convolution; pool5 of images under 193 pixels is smaller than
    that and padded with zeros. The class scores are averaged over positions, so a 224 x 224 image has the same scores
    in both forms.

    Parameters
    ----------
    images : tf.Tensor
        float [N, 224, 224, 3], preprocessed as `weights.preset` says ("caffe": BGR minus mean); fully convolutional:
        [N, H, W, 3] of any size.
    depth : {11, 13, 16, 19}
        The number of layers with weights.
    classes : int
        The number of classes.
    weights : VggWeights, optional
        Default: random weights with seed 0.
    fully_convolutional : bool
        Which form to build.

    Returns
    -------
    dict
        Name -> tensor: "conv1_1" .. "conv5_4" (after ReLU, as other TensorFlow ports name them), "pool1" .. "pool5",
        "fc6", "fc7", "fc8" (before ReLU or softmax; fully convolutional [N, h, w, classes]), "relu6", "relu7", "logits"
        [N, classes] (before softmax) and "prob" [N, classes].

    Raises
    ------
    OptionError
        If there is no VGG of this depth.
    WeightsError
        If the weights do not fit.
    """
    conv_names(depth)
    weights = weights or random_weights(depth, classes=classes)
    check_layers(weights.layers, depth, "weights")
    if weights.classes != classes:
        raise WeightsError(f"the weights are for {weights.classes} classes, not for {classes}; give the same number")
    parameters = {}
    for name, (kernel, bias) in _arranged(weights, fully_convolutional).items():
        with tf.name_scope(name + "/"):
            parameters[name] = (tf.constant(kernel, name="weights"), tf.constant(bias, name="biases"))
    return _connect(images, depth, parameters, fully_convolutional)


def vgg_model(name: str, weights: str, fully_convolutional: bool = False) -> LoadedModel:
    """Load a reference net with weights from a file.

    The input is `input:0`, float32 [N, 224, 224, 3] (fully convolutional [N, H, W, 3]), the output `prob:0`.

    Parameters
    ----------
    name : {"vgg11", "vgg13", "vgg16", "vgg19"}
        The net.
    weights : str
        The weights file, see `read_weights`.
    fully_convolutional : bool
        Build the form for images of any size.

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    OptionError
        If there is no such net.
    WeightsError
        If the file is missing, damaged or does not fit.
    """
    if name not in REFERENCE_NETS:
        raise OptionError(f"no reference net is called {name!r}; possible: {', '.join(REFERENCE_NETS)}")
    read = read_weights(weights, REFERENCE_NETS[name])
    return LoadedModel(
        graph_def=vgg_graph_def(REFERENCE_NETS[name], read, fully_convolutional),
        source=f"{name} with {os.path.basename(weights)}",
        kind=f"reference net {name}",
        inputs=("input:0",),
        outputs=("prob:0",),
        preprocessing=read.preset,
        layer=f"{conv_names(REFERENCE_NETS[name])[-1]}/Relu:0",
        files=(weights,),
    )


def vgg_graph_def(depth: int, weights: VggWeights, fully_convolutional: bool = False) -> tf.GraphDef:
    """Build the frozen graph of a VGG, which holds its weights once.

    The graph is built on placeholders, and the arrays are put into its NodeDefs afterwards: tf.constant would make
    several more copies of the 575 MB of VGG-19.

    Parameters
    ----------
    depth : {11, 13, 16, 19}
        The number of layers with weights.
    weights : VggWeights
        The weights.
    fully_convolutional : bool
        Build the form for images of any size.

    Returns
    -------
    tf.GraphDef
        The graph, from `input:0` to `prob:0`.
    """
    size = None if fully_convolutional else CLASSIC_SIZE
    arrays: Dict[str, np.ndarray] = {}
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, (None, size, size, 3), name="input")
        parameters: Parameters = {}
        for name, pair in _arranged(weights, fully_convolutional).items():
            nodes = (f"{name}/weights", f"{name}/biases")
            arrays.update(zip(nodes, pair))
            kernel, bias = (tf.placeholder(tf.float32, a.shape, name=n) for n, a in zip(nodes, pair))
            parameters[name] = (kernel, bias)
        _connect(images, depth, parameters, fully_convolutional)
        graph_def = graph.as_graph_def()
    for node in graph_def.node:
        if node.name in arrays:
            _make_constant(node, arrays[node.name])
    return graph_def


def _make_constant(node: tf.NodeDef, array: np.ndarray) -> None:
    """Turn the NodeDef of a float32 placeholder into a Const with this array."""
    node.op = "Const"
    del node.attr["shape"]
    value = node.attr["value"].tensor
    value.dtype = tf.float32.as_datatype_enum
    for length in array.shape:
        value.tensor_shape.dim.add(size=length)
    value.tensor_content = np.ascontiguousarray(array, "<f4").tobytes()


def _arranged(weights: VggWeights, fully_convolutional: bool) -> Mapping[str, Tuple[np.ndarray, np.ndarray]]:
    """Return the layers, dense kernels as matrices [in, out] unless they become convolutions; views, no copies."""
    layers: Mapping[str, Tuple[np.ndarray, np.ndarray]] = weights.layers
    if fully_convolutional:
        return layers
    return {
        name: (kernel.reshape(-1, kernel.shape[3]) if name in DENSE else kernel, bias)
        for name, (kernel, bias) in layers.items()
    }


def _connect(images: tf.Tensor, depth: int, parameters: Parameters, fully_convolutional: bool) -> Dict[str, tf.Tensor]:
    endpoints: Dict[str, tf.Tensor] = {}
    features = images
    names = conv_names(depth)
    for index, name in enumerate(names):
        with tf.name_scope(name + "/"):
            kernel, bias = parameters[name]
            product = tf.nn.conv2d(features, kernel, [1, 1, 1, 1], "SAME", name="Conv2D")
            features = tf.nn.relu(tf.nn.bias_add(product, bias, name="BiasAdd"), name="Relu")
        endpoints[name] = features
        block = name[4]
        if index + 1 == len(names) or names[index + 1][4] != block:
            features = tf.nn.max_pool2d(features, 2, 2, "SAME", name=f"pool{block}")
            endpoints[f"pool{block}"] = features
    _dense_layers(features, parameters, fully_convolutional, endpoints)
    endpoints["logits"] = endpoints["fc8"]
    if fully_convolutional:
        endpoints["logits"] = tf.reduce_mean(endpoints["fc8"], axis=[1, 2], name="logits")
    endpoints["prob"] = tf.nn.softmax(endpoints["logits"], name="prob")
    return endpoints


def _dense_layers(
    features: tf.Tensor, parameters: Parameters, fully_convolutional: bool, endpoints: Dict[str, tf.Tensor]
) -> None:
    if fully_convolutional:
        features = _at_least_pooled_size(features)
    else:
        inputs = int(np.prod(features.shape.as_list()[1:]))
        features = tf.reshape(features, [-1, inputs], name="flatten")
    for name in DENSE:
        with tf.name_scope(name + "/"):
            kernel, bias = parameters[name]
            if fully_convolutional:
                product = tf.nn.conv2d(features, kernel, [1, 1, 1, 1], "VALID", name="Conv2D")
            else:
                product = tf.matmul(features, kernel, name="MatMul")
            endpoints[name] = tf.nn.bias_add(product, bias, name="BiasAdd")
        if name != DENSE[-1]:
            features = endpoints[name.replace("fc", "relu")] = tf.nn.relu(
                endpoints[name], name=name.replace("fc", "relu")
            )


def _at_least_pooled_size(features: tf.Tensor) -> tf.Tensor:
    """Pad features [N, h, w, C] with zeros to at least 7 x 7."""
    known = features.shape.as_list()[1:3]
    if all(size is not None and size >= POOLED_SIZE for size in known):
        return features
    with tf.name_scope("pad"):
        missing = tf.maximum(POOLED_SIZE - tf.shape(features)[1:3], 0)
        sides = tf.stack([missing // 2, missing - missing // 2], axis=1)
        return tf.pad(features, tf.concat([[[0, 0]], sides, [[0, 0]]], axis=0))
