"""Turn an ONNX model into a frozen graph: what runs in the process of `onnx_model.load_onnx_file`.

onnx2tf writes a Keras model, which TensorFlow freezes. Then onnxruntime and the frozen graph see the same random batch.
"""

from __future__ import annotations

import os
import shutil
import traceback
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders.converter_process import Facts, reason_of, serve
from gradcam_tf1.loaders.onnx_inputs import OnnxInput, describe_inputs, fix_sides, inputs_of, read_onnx, turned_axes
from gradcam_tf1.tf_runtime import flatten_model, tf

if TYPE_CHECKING:
    import onnx


class Attempt(NamedTuple):
    """One way to use onnx2tf: with its strict mode or without, for any number of images or for one."""

    strict: bool = True
    alone: bool = False


MODEL = os.path.join("model", "model.onnx")  # in a folder of its own: nothing is imported from there
_WORK = "work.onnx"  # onnx2tf writes into the file that it reads
# In its strict mode onnx2tf compares each op with onnxruntime; some nets come right only without, or for one image.
_ATTEMPTS: Sequence[Attempt] = (Attempt(), Attempt(strict=False), Attempt(alone=True))
_AROUND_OP = ("Graph execution error", "Detected at node", "File ", "<stack")
_AROUND_LAYER = "Exception encountered"
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
    fixed = any(each.shape[:1] != [None] for each in inputs)
    images = _random(inputs)
    np.save(_SAMPLES, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    refused: List[ModelFileError] = []
    for attempt in _ATTEMPTS[:2] if fixed else _ATTEMPTS:
        if attempt.alone:
            _take_one_image()
            images = {name: values[:1] for name, values in images.items()}
        try:
            expected = _expected(images)
            net = _frozen(inputs, attempt.strict)
            difference = _compare(net, inputs, images, expected)
        except ModelFileError as error:
            refused.append(error)
            continue
        with open("frozen.pb", "wb") as file:
            file.write(net.graph_def.SerializeToString())
        return {"inputs": net.inputs, "outputs": net.outputs, "difference": difference, "alone": attempt.alone}
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
        model = inliner.inline_local_functions(model)
        _store_constants(model.graph)
        onnx.save(model, MODEL)
        onnx.checker.check_model(MODEL)
    except Exception as error:  # of many types
        raise ModelFileError(f"the file is damaged ({reason_of(error)}); copy it again, or export it again") from error


def _store_constants(graph: onnx.GraphProto) -> None:
    """Turn Constant nodes into weights, in place: onnx2tf reads the parameters of some ops from weights only."""
    nodes = [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    for node in nodes:
        weight = graph.initializer.add()
        weight.CopyFrom(node.attribute[0].t)
        weight.name = node.output[0]
        graph.node.remove(node)


def _take_one_image() -> None:
    """Fix the batch of the stored model to one image."""
    import onnx

    model = onnx.load(MODEL)
    for value in inputs_of(model):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    onnx.save(onnx.shape_inference.infer_shapes(model), MODEL)


def _frozen(inputs: Sequence[OnnxInput], strict: bool) -> FrozenNet:
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
            disable_strict_mode=not strict,
        )
        return FrozenNet(*flatten_model(model)[0])
    except (Exception, SystemExit) as error:  # its ops raise errors of any type
        traceback.print_exc()
        node = getattr(error, "onnx_op_name", None)
        where = f" at the node {node!r}" if node else ""
        raise ModelFileError(f"onnx2tf cannot convert it{where}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return what an error of TensorFlow says, without the stack and the description of the layer around it."""
    _, around, inner = str(error).rpartition(_AROUND_LAYER)
    lines = [line.strip() for line in inner.splitlines()[1 if around else 0 :]]
    said = [line for line in lines if line and not line.startswith(_AROUND_OP)]
    return f"{type(error).__name__}: {said[0][:300]}" if said else reason_of(error)


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
            raise ModelFileError(f"TensorFlow cannot run the converted graph: {_reason(error)}") from error
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
