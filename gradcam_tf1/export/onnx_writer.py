"""Make an ONNX file of an exported graph, through tf2onnx, and compare it in onnxruntime."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Dict, Iterator, Tuple

from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.forward_form import ForwardForm
from gradcam_tf1.export.frozen_writer import with_labels
from gradcam_tf1.export.spelt_out import reasons, spelt_out
from gradcam_tf1.export.written_check import Arrays, check_written

OPSET = 15
OUTPUT_NAMES = {"class_ids": "class_ids_out"}
_FILE = "model.onnx"
_EXTRA = 'pip install "gradcam_tf1[onnx]"'


def onnx_files(exported: ExportedGraph) -> Tuple[Dict[str, bytes], Tuple[str, ...]]:
    """Return model.onnx and the class names.

    Its inputs and outputs have the names of the signature; the classes that were explained are the output
    "class_ids_out", because "class_ids" is an input, and ONNX has each name once.

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
        If a package is missing, an op has no form in ONNX, or the model computes something else than TensorFlow.
    """
    tf2onnx, onnx, onnxruntime = (_package(name) for name in ("tf2onnx", "onnx", "onnxruntime"))
    form = spelt_out(exported, "ONNX")
    model = _converted(tf2onnx, exported, form)
    _check_ops(onnx, model, form)
    _name_batch(model)
    data = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; that class_ids has a default is worth a warning to it
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = {OUTPUT_NAMES.get(name, name): name for name in exported.results}

    def run(values: Arrays) -> Arrays:
        return dict(zip(names.values(), session.run(list(names), values)))

    notes = check_written(exported, run, "onnxruntime")
    return with_labels(exported, _FILE, data), notes


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        if sys.version_info < (3, 9):
            raise ExportError(
                f"ONNX files need Python 3.9 or later, and this is {sys.version_info[0]}.{sys.version_info[1]}; export "
                f"there, after {_EXTRA}, or use the format saved_model"
            ) from error
        raise ExportError(f"ONNX files need the package {name}: {_EXTRA}") from error


def _converted(tf2onnx: Any, exported: ExportedGraph, form: ForwardForm) -> Any:
    inputs = {**exported.inputs, "class_ids": exported.class_ids}
    renamed = {spec.name: name for name, spec in inputs.items()}
    renamed.update({spec.name: OUTPUT_NAMES.get(name, name) for name, spec in exported.results.items()})
    try:
        with _silent():
            model, _ = tf2onnx.convert.from_graph_def(
                form.graph_def,
                input_names=[spec.name for spec in inputs.values()],
                output_names=[spec.name for spec in exported.results.values()],
                opset=OPSET,
                tensors_to_rename=renamed,
            )
    except Exception as error:  # tf2onnx raises errors of many kinds
        cause = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ExportError(
            f"tf2onnx cannot convert the graph: {cause}{reasons(form)}; use a layer nearer to the end of the net, or "
            "the format saved_model"
        ) from error
    return model


def _name_batch(model: Any) -> None:
    """Give the size of the batch one name, "N", instead of one for each input and output."""
    for value in (*model.graph.input, *model.graph.output):
        for axis in value.type.tensor_type.shape.dim[:1]:
            if not axis.HasField("dim_value"):
                axis.dim_param = "N"


def _check_ops(onnx: Any, model: Any, form: ForwardForm) -> None:
    foreign = sorted(
        {f"{node.op_type} ('{node.name}')" for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)}
    )
    if foreign:
        raise ExportError(
            f"ONNX has no form of {', '.join(foreign)}{reasons(form)}; use a layer nearer to the end of the net, or "
            "the format saved_model"
        )


@contextmanager
def _silent() -> Iterator[None]:
    """Hold back what tf2onnx logs: what matters of it becomes an error."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
