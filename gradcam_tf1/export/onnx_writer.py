"""Write an exported graph as an ONNX file, through tf2onnx, and compare it in onnxruntime."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.forward_form import ForwardForm
from gradcam_tf1.export.spelt_out import spelt_out
from gradcam_tf1.export.written_check import check_written

OPSET = 15
_EXTRA = 'pip install "gradcam_tf1[onnx]"'


def write_onnx(exported: ExportedGraph, path: str) -> Tuple[str, ...]:
    """Write an ONNX file whose inputs and outputs have the names of the signature.

    Parameters
    ----------
    exported : ExportedGraph
        The graph.
    path : str
        The file.

    Returns
    -------
    tuple of str
        One sentence for each thing that the user should know of.

    Raises
    ------
    ExportError
        If a package is missing, the images have no fixed sides, an op has no form in ONNX, or the file computes
        something else than TensorFlow.
    """
    tf2onnx, onnx, onnxruntime = (_package(name) for name in ("tf2onnx", "onnx", "onnxruntime"))
    form = spelt_out(exported, "ONNX")
    model = _converted(tf2onnx, exported, form)
    _check_ops(onnx, model, form)
    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def run(values: Dict[str, np.ndarray], names: List[str]) -> List[np.ndarray]:
        results: List[np.ndarray] = session.run(names, values)
        return results

    check_written(exported, run, "onnxruntime")
    write_whole(path, data, "ONNX file")
    return ()


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
    named = {**{name: spec.name for name, spec in exported.inputs.items()}, "class_ids_in": exported.class_ids.name}
    renamed = {tensor: name for name, tensor in named.items()}
    renamed.update({tensor: name for name, tensor in exported.outputs.items()})
    try:
        with _silent():
            model, _ = tf2onnx.convert.from_graph_def(
                form.graph_def,
                input_names=list(named.values()),
                output_names=list(exported.outputs.values()),
                opset=OPSET,
                tensors_to_rename=renamed,
            )
    except Exception as error:  # tf2onnx raises errors of many kinds
        raise ExportError(f"tf2onnx cannot convert the graph: {error}{_reasons(form)}") from error
    return model


def _check_ops(onnx: Any, model: Any, form: ForwardForm) -> None:
    foreign = sorted(
        {f"{node.op_type} ('{node.name}')" for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)}
    )
    if foreign:
        raise ExportError(
            f"ONNX has no form of {', '.join(foreign)}{_reasons(form)}; use a layer nearer to the end of the net, or "
            "the format saved_model"
        )


def _reasons(form: ForwardForm) -> str:
    return "".join(f"; the gradient '{name}' has no form in forward ops: {why}" for name, why in form.left.items())


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
