"""Turn an ONNX model into a frozen graph: what runs in the process of `onnx_model.load_onnx_file`.

onnx2tf writes a Keras model, which TensorFlow freezes. Then onnxruntime and the frozen graph see the same random batch.
"""

from __future__ import annotations

import os
import shutil
import traceback
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders.converter_process import Facts, reason_of, serve
from gradcam_tf1.loaders.onnx_inputs import OnnxInput, describe_inputs, fix_sides, read_onnx, turned_axes
from gradcam_tf1.tf_runtime import flatten_model, tf

MODEL = os.path.join("model", "model.onnx")  # in a folder of its own: nothing is imported from there
_WORK = "work.onnx"  # onnx2tf writes into the file that it reads
# With its strict mode, onnx2tf compares each op with onnxruntime; some nets come right only without.
_ATTEMPTS: Sequence[Mapping[str, bool]] = ({}, {"disable_strict_mode": True})
TOLERANCE = 1e-4  # largest difference from onnxruntime, relative to the largest value
_BATCH = 3
_SAMPLES = "calibration_image_sample_data_20x128x128x3_float32.npy"  # onnx2tf would download it


class FrozenNet(NamedTuple):
    """A frozen graph, and the names of its inputs and outputs in the order of the file."""

    graph_def: tf.GraphDef
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]


def convert(request: Facts) -> Facts:
    """Convert the file; the answer has the names of the tensors, and the difference from onnxruntime."""
    os.mkdir(os.path.dirname(MODEL))
    model = read_onnx(request["path"], MODEL)
    fix_sides(model, request["sides"])
    inputs = describe_inputs(model)
    for each in inputs[1:]:
        if None in each.shape[1:]:
            raise ModelFileError(f"its input {each.name!r} leaves sides open: {each.shape}; export it with fixed sides")
    _write(model)
    images = _random(inputs)
    expected = _expected(images)
    np.save(_SAMPLES, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    refused: List[ModelFileError] = []
    for options in _ATTEMPTS:
        try:
            net = _frozen(inputs, options)
            difference = _compare(net, inputs, images, expected)
        except ModelFileError as error:
            refused.append(error)
            continue
        with open("frozen.pb", "wb") as file:
            file.write(net.graph_def.SerializeToString())
        return {"inputs": net.inputs, "outputs": net.outputs, "difference": difference}
    raise refused[0]


def _write(model: Any) -> None:
    """Write the model with its weights inside, and its functions inlined."""
    import onnx
    from onnx import external_data_helper, inliner

    try:
        external_data_helper.load_external_data_for_model(model, os.path.dirname(MODEL))
        for tensor in model.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                tensor.data_location = onnx.TensorProto.DEFAULT
        onnx.save(inliner.inline_local_functions(model), MODEL)
        onnx.checker.check_model(MODEL)
    except Exception as error:  # of many types
        raise ModelFileError(f"the file is damaged ({reason_of(error)}); copy it again, or export it again") from error


def _frozen(inputs: Sequence[OnnxInput], options: Mapping[str, bool]) -> FrozenNet:
    """Convert and freeze the model."""
    import onnx2tf

    kept = [each.name for each in inputs if len(each.shape) in (3, 4, 5) and not each.turned]
    shutil.copyfile(MODEL, _WORK)
    try:
        model = onnx2tf.convert(
            input_onnx_file_path=_WORK,
            output_folder_path="converted",
            keep_shape_absolutely_input_names=kept or None,
            disable_model_save=True,
            verbosity="error",
            **options,
        )
        return FrozenNet(*flatten_model(model)[0])
    except (Exception, SystemExit) as error:  # its ops raise errors of any type
        traceback.print_exc()
        node = getattr(error, "onnx_op_name", None)
        where = f" at the node {node!r}" if node else ""
        raise ModelFileError(f"onnx2tf cannot convert it{where}: {reason_of(error)}") from error


def _expected(images: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return the outputs that onnxruntime computes. Raises ModelFileError if it cannot run the model."""
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(MODEL, quiet, providers=["CPUExecutionProvider"])
        return dict(zip((value.name for value in session.get_outputs()), session.run(None, dict(images))))
    except Exception as error:  # its errors have no common public base
        raise ModelFileError(f"onnxruntime cannot run it: {reason_of(error)}") from error


def _compare(
    net: FrozenNet,
    inputs: Sequence[OnnxInput],
    images: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
) -> float:
    """Return the largest difference of an output from onnxruntime's. Raises ModelFileError if it is too large."""
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as sess:
        tf.import_graph_def(net.graph_def, name="")
        feed = {
            name: np.transpose(images[each.name], turned_axes(len(each.shape))) if each.turned else images[each.name]
            for name, each in zip(net.inputs, inputs)
        }
        try:
            found = sess.run(list(net.outputs), feed)
        except (tf.errors.OpError, ValueError) as error:
            raise ModelFileError(f"TensorFlow cannot run the converted graph: {reason_of(error)}") from error
    return max(_difference(name, expected[name], value) for name, value in zip(expected, found))


def _random(inputs: Sequence[OnnxInput]) -> Dict[str, np.ndarray]:
    """Return a random batch: the batch's own size where the file fixes it."""
    rng = np.random.default_rng(1)
    values = {}
    for each in inputs:
        shape = [side or _BATCH for side in each.shape]
        if each.dtype.startswith("float"):
            values[each.name] = rng.standard_normal(shape).astype(each.dtype)
        else:
            values[each.name] = rng.integers(0, 2, shape).astype(each.dtype)
    return values


def _difference(name: str, expected: np.ndarray, found: np.ndarray) -> float:
    turned = [found]
    if found.ndim > 2:
        turned.append(np.moveaxis(found, -1, 1))
    fitting = [value for value in turned if value.shape == expected.shape]
    if not fitting:
        raise ModelFileError(
            f"onnx2tf converted it wrongly: the output {name!r} is {expected.shape} in onnxruntime and {found.shape} "
            "in the converted graph"
        )
    scale = max(float(np.abs(expected).max(initial=0)), 1e-6)
    difference = min(float(np.abs(value - expected).max(initial=0)) / scale for value in fitting)
    if not difference <= TOLERANCE:
        raise ModelFileError(
            f"onnx2tf converted it wrongly: on a random batch the output {name!r} differs from onnxruntime's by "
            f"{difference:.1e} of its largest value, {TOLERANCE:g} is allowed"
        )
    return difference


if __name__ == "__main__":
    serve(convert)
