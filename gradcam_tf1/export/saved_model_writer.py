"""Make the files of a SavedModel of an exported graph, in the form of TensorFlow 1, which every runtime loads.

The message is made here: what the builder of TensorFlow 2 adds to it, TensorFlow 1.15 does not read.
"""

from __future__ import annotations

from typing import Dict, Tuple

from gradcam_tf1.export.exported_graph import ExportedGraph, TensorSpec
from gradcam_tf1.tf_runtime import saved_model_message, tf

TAG = "serve"
PREDICT = "tensorflow/serving/predict"
DEFAULT_SIGNATURE = "serving_default"
OF_CLASSES = "class_ids"  # the signature that takes the classes too
LABELS = "labels.txt"
_FILE = "saved_model.pb"
_ASSETS = "saved_model_assets"  # the collection where TensorFlow 1 looks for assets


def saved_model_files(exported: ExportedGraph) -> Tuple[Dict[str, bytes], Tuple[str, ...]]:
    """Return saved_model.pb, and the class names as an asset.

    The signature "serving_default" explains the top class of each image; "class_ids" takes the classes too.

    Parameters
    ----------
    exported : ExportedGraph
        What is written.

    Returns
    -------
    tuple
        Path inside the folder -> content, in the order in which they are written; sentences for the user.
    """
    message = saved_model_message()(saved_model_schema_version=1)
    meta = message.meta_graphs.add()
    meta.meta_info_def.tags.append(TAG)
    meta.meta_info_def.tensorflow_version = "1.15.5"  # what it needs; a later one that wrote it does not matter
    meta.graph_def.CopyFrom(exported.graph_def)
    for name, inputs in _signatures(exported).items():
        signature = meta.signature_def[name]
        signature.method_name = PREDICT
        for specs, infos in ((inputs, signature.inputs), (exported.results, signature.outputs)):
            for key, spec in specs.items():
                _describe(spec, infos[key])
    files = {}
    if exported.labels:
        _add_asset(meta, LABELS)
        files[f"assets/{LABELS}"] = label_lines(exported.labels)
    return {**files, _FILE: message.SerializeToString()}, ()  # a server takes the model when saved_model.pb is there


def label_lines(labels: Tuple[str, ...]) -> bytes:
    """Return the class names as a text file, one a line."""
    return "".join(" ".join(name.split()) + "\n" for name in labels).encode("utf-8")


def _signatures(exported: ExportedGraph) -> Dict[str, Dict[str, TensorSpec]]:
    return {
        DEFAULT_SIGNATURE: exported.inputs,
        OF_CLASSES: {**exported.inputs, "class_ids": exported.class_ids},
    }


def _describe(spec: TensorSpec, info: tf.TensorInfo) -> None:
    info.name = spec.name
    info.dtype = tf.as_dtype(spec.dtype).as_datatype_enum
    info.tensor_shape.CopyFrom(tf.TensorShape(spec.shape).as_proto())


def _add_asset(meta: tf.MetaGraphDef, file: str) -> None:
    """Add an asset; a runtime that loads the model puts its path into a constant."""
    name, taken = "labels_file", {node.name for node in meta.graph_def.node}
    while name in taken:
        name += "_"
    node = meta.graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(file))
    asset = meta.asset_file_def.add(filename=file)
    asset.tensor_info.name = f"{name}:0"
    meta.collection_def[_ASSETS].any_list.value.add().Pack(asset)
