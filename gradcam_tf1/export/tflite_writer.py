"""Make a TFLite file of an exported graph, and compare it in TFLite's interpreter.

Ops that TFLite lacks are TensorFlow's own there (SELECT_TF_OPS); a program needs the Flex delegate to run them.
"""

from __future__ import annotations

import re
import warnings
from typing import Dict, List, Tuple

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.exported_graph import ExportedGraph, TensorSpec
from gradcam_tf1.export.forward_form import ForwardForm
from gradcam_tf1.export.frozen_writer import with_labels
from gradcam_tf1.export.spelt_out import reasons, spelt_out
from gradcam_tf1.export.written_check import Arrays, check_written
from gradcam_tf1.tf_runtime import tf

_FILE = "model.tflite"


def tflite_files(exported: ExportedGraph) -> Tuple[Dict[str, bytes], Tuple[str, ...]]:
    """Return model.tflite and the class names.

    Its inputs and outputs have the names of the tensors in the signature, without ":0"; the classes are always fed, -1
    for the top class. For more than one image, resize the inputs first.

    Parameters
    ----------
    exported : ExportedGraph
        What is written.

    Returns
    -------
    tuple
        Path inside the folder -> content, in the order in which they are written; sentences for the user.

    Raises
    ------
    ExportError
        If an op has no form in TFLite, or the model computes something else than TensorFlow.
    """
    if not runtime.IS_TF2:
        raise ExportError(
            "TFLite files need TensorFlow 2: the converter of 1.15 lacks ops of the maps. Export there, from the same "
            "model file, or use the format frozen"
        )
    form = spelt_out(exported, "TFLite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that later versions lack
        data = _converted(exported, form)
        notes = check_written(exported, lambda values: _run(data, exported, values), "TFLite's interpreter")
    flex = sorted({name.decode() for name in re.findall(rb"Flex([A-Z]\w+)", data)})
    if flex:
        notes += (f"the model needs TFLite's Flex delegate, for {', '.join(flex)}",)
    return with_labels(exported, _FILE, data), notes


def _converted(exported: ExportedGraph, form: ForwardForm) -> bytes:
    """Convert with TFLite's own ops, or, where these do not suffice, also with TensorFlow's."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(form.graph_def, name="")
    specs = [[*exported.inputs.values(), exported.class_ids], list(exported.results.values())]
    ends = [[graph.get_tensor_by_name(spec.name) for spec in each] for each in specs]
    failed: List[Exception] = []
    for ops in ([tf.lite.OpsSet.TFLITE_BUILTINS], [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]):
        with tf.Session(graph=graph) as sess:
            converter = tf.lite.TFLiteConverter.from_session(sess, *ends)
            converter.experimental_new_converter = True
            converter.target_spec.supported_ops = ops
            try:
                data: bytes = converter.convert()
                return data
            except Exception as error:  # noqa: BLE001 - the converter's errors have no public base
                failed.append(error)
    raise ExportError(
        f"TFLite's converter cannot convert the graph: {_cause(failed[-1])}{reasons(form)}; use the format saved_model"
    ) from failed[-1]


def _cause(error: Exception) -> str:
    """Return the ops that a converter's error names, else its first line."""
    text = str(error)
    ops = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", text)))
    return f"it has no form of {', '.join(ops)}" if ops else text.strip().split("\n")[0]


def _run(data: bytes, exported: ExportedGraph, values: Arrays) -> Arrays:
    interpreter = tf.lite.Interpreter(model_content=data)
    places = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    specs = {**exported.inputs, "class_ids": exported.class_ids}
    fed = {places[_name(specs[name])]: value for name, value in values.items()}
    for place, value in fed.items():
        interpreter.resize_tensor_input(place, value.shape)
    interpreter.allocate_tensors()
    for place, value in fed.items():
        interpreter.set_tensor(place, value)
    interpreter.invoke()
    outputs = {detail["name"]: detail["index"] for detail in interpreter.get_output_details()}
    return {name: interpreter.get_tensor(outputs[_name(spec)]) for name, spec in exported.results.items()}


def _name(spec: TensorSpec) -> str:
    return spec.name.split(":")[0]
