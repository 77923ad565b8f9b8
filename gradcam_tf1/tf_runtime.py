"""Everything that depends on the TensorFlow version or on private TensorFlow names.

Other modules write `from gradcam_tf1.tf_runtime import tf`. The name is lazy: TensorFlow is imported (2 to 5 seconds)
when the first attribute is read. Tables of methods and loaders, and `--help`, work without it.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Type, cast

import numpy as np

from gradcam_tf1.errors import RunError

if TYPE_CHECKING:  # messages without a public name, for annotations here and in other modules
    from tensorflow.core.framework.function_pb2 import FunctionDef as FunctionDef
    from tensorflow.core.framework.function_pb2 import FunctionDefLibrary as FunctionDefLibrary
    from tensorflow.core.framework.op_def_pb2 import OpDef as OpDef
    from tensorflow.core.framework.op_def_pb2 import OpList as OpList
    from tensorflow.core.framework.tensor_pb2 import TensorProto as TensorProto
    from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto as TensorShapeProto
    from tensorflow.core.framework.tensor_slice_pb2 import TensorSliceProto as TensorSliceProto
    from tensorflow.core.protobuf.control_flow_pb2 import CondContextDef as CondContextDef
    from tensorflow.core.protobuf.control_flow_pb2 import ControlFlowContextDef as ControlFlowContextDef
    from tensorflow.core.protobuf.control_flow_pb2 import WhileContextDef as WhileContextDef
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef as SignatureDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as SavedModel
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto as BundleEntryProto
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleHeaderProto as BundleHeaderProto
    from tensorflow.core.util.saved_tensor_slice_pb2 import SavedSliceMeta as SavedSliceMeta
    from tensorflow.core.util.saved_tensor_slice_pb2 import SavedTensorSlices as SavedTensorSlices


class _LazyTensorFlow(ModuleType):
    """Stand-in for `tensorflow.compat.v1`: passes every attribute on."""

    def __getattr__(self, name: str) -> Any:
        import tensorflow.compat.v1 as real

        return getattr(real, name)


tf: Any = _LazyTensorFlow("tensorflow.compat.v1")


def __getattr__(name: str) -> Any:
    if name == "IS_TF2":
        return int(tf.__version__.split(".")[0]) >= 2
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


OUR_SCOPE = "gradcam_tf1/"  # scope of the ops that this toolkit adds to a net; users never see or name them
_DEVICE = "gradcam_tf1/device"  # graph collection that holds the graph's device


def graph_on(device: str) -> tf.Graph:
    """Return a new graph whose ops, once built `inside` it, run on this device; "" lets TensorFlow place them."""
    graph = tf.Graph()
    graph.add_to_collection(_DEVICE, device)
    return graph


@contextmanager
def inside(graph: tf.Graph) -> Iterator[tf.Graph]:
    """Make a graph the default graph; new ops go to its device if it comes from `graph_on`."""
    device = "".join(graph.get_collection(_DEVICE))
    with graph.as_default(), graph.device(device or None):
        yield graph


@contextmanager
def unfinalized(graph: tf.Graph) -> Iterator[tf.Graph]:
    """Open a graph of this toolkit for new ops, go `inside` it, and finalize it again if it was finalized.

    No public function undoes `Graph.finalize`. Both runtimes have this method under this name, and TensorFlow's own
    monitored sessions use it. Without it, a layer or method that is requested later would need a second graph.
    """
    was_finalized = graph.finalized
    graph._unsafe_unfinalize()
    try:
        # If a gradient fails inside a loop, TensorFlow would put the next ops into that loop.
        with inside(graph), tf.control_dependencies(None):
            yield graph
    finally:
        if was_finalized:
            graph.finalize()


def numpy_dtype(name: str) -> np.dtype:
    """Return the numpy dtype of a TensorFlow dtype by name; numpy does not know the name bfloat16."""
    return cast(np.dtype, np.dtype(tf.as_dtype(name).as_numpy_dtype))


def static_value(tensor: tf.Tensor) -> Any:
    """Return the value of a tensor if the graph fixes it, an np.ndarray, else None.

    `tf.get_static_value` forbids to feed the constants that it reads; a weight that was looked at may be fed later.
    """
    if tensor.op.type == "Const":
        return tf.make_ndarray(tensor.op.get_attr("value"))
    return tf.get_static_value(tensor)


# ops whose registered gradient function returns None
_GRADIENT_IS_NONE = ("Floor", "Ceil", "Round", "Rint")


def is_differentiable(op: tf.Operation) -> bool:
    """Whether a gradient passes through `op`: its type has a gradient function, and it returns floats or float lists.

    The gradient registry has no public reader; reading it finds the op that blocks without building anything. A
    gradient passes through a loop only if the loop's ops have their control-flow context, see `restore_context`.
    """
    from tensorflow.python.framework import ops

    if op.type == "Exit" and op._get_control_flow_context() is None:
        return False
    try:
        has_function = ops.get_gradient_function(op) is not None or not op.inputs
    except LookupError:
        return False
    has_function = has_function and op.type not in _GRADIENT_IS_NONE
    return has_function and any(output.dtype.is_floating or output.dtype == tf.variant for output in op.outputs)


def own_gradient(op_type: str) -> Optional[Callable[..., Any]]:
    """Return TensorFlow's own gradient function of an op type, None if there is none.

    An override that is switched off must equal this function bit by bit. The kernels of `tf.raw_ops` cover ReLU and
    similar ops, not Maximum or Add, and the registry has no public reader.
    """
    from tensorflow.python.framework import ops

    try:
        return cast(Callable[..., Any], ops._gradient_registry.lookup(op_type))
    except LookupError:
        return None


def register_functional_gradients() -> None:
    """Register the gradients of functional loops and branches.

    TensorFlow 1.15 registers them only when a program builds the first one itself, in modules without a public name.
    """
    from tensorflow.python.ops import cond_v2, while_v2  # noqa: F401


def op_definition(op: str) -> Optional[OpDef]:
    """Return the OpDef of an op type, None if this runtime does not know it.

    Importing a graph reports only the first unknown op or attribute, and only as text. Neither runtime has a public
    reader of the registry.
    """
    from tensorflow.python.framework import op_def_registry

    if hasattr(op_def_registry, "get_registered_ops"):
        return op_def_registry.get_registered_ops().get(op)
    return op_def_registry.get(op)


def variable_keys(object_graph: bytes) -> Dict[str, str]:
    """Return variable name -> checkpoint key, from the object graph that tf.train.Checkpoint and Keras write."""
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    message = trackable_object_graph_pb2.TrackableObjectGraph.FromString(object_graph)
    return {a.full_name: a.checkpoint_key for node in message.nodes for a in node.attributes if a.full_name}


# The next functions return message classes without a public name.


def saved_model_message() -> Type[SavedModel]:
    """Return the message class of saved_model.pb."""
    from tensorflow.core.protobuf import saved_model_pb2

    return cast("Type[SavedModel]", saved_model_pb2.SavedModel)


def bundle_entry_message() -> Type[BundleEntryProto]:
    """Return the message class of the entries in a checkpoint's index."""
    from tensorflow.core.protobuf import tensor_bundle_pb2

    return cast("Type[BundleEntryProto]", tensor_bundle_pb2.BundleEntryProto)


def bundle_header_message() -> Type[BundleHeaderProto]:
    """Return the message class of the first entry in a checkpoint's index."""
    from tensorflow.core.protobuf import tensor_bundle_pb2

    return cast("Type[BundleHeaderProto]", tensor_bundle_pb2.BundleHeaderProto)


def saved_slices_message() -> Type[SavedTensorSlices]:
    """Return the message class of the entries in a single-file checkpoint."""
    from tensorflow.core.util import saved_tensor_slice_pb2

    return cast("Type[SavedTensorSlices]", saved_tensor_slice_pb2.SavedTensorSlices)


def context_message() -> Type[ControlFlowContextDef]:
    """Return the message class that describes the inside of a loop or conditional."""
    from tensorflow.core.protobuf import control_flow_pb2

    return cast("Type[ControlFlowContextDef]", control_flow_pb2.ControlFlowContextDef)


def restore_context(message: ControlFlowContextDef) -> None:
    """Give ops of the default graph the control-flow context that the message describes.

    `tf.gradients` needs this context to pass through a loop. Importing a GraphDef loses it. Only
    `tf.train.import_meta_graph` restores it, with the function below, from collections that a frozen graph lacks.
    """
    from tensorflow.python.ops import control_flow_ops

    control_flow_ops.from_control_flow_context_def(message)


Flat = Tuple["tf.GraphDef", Tuple[str, ...], Tuple[str, ...]]  # graph, input names, output names


def flatten_saved_model(folder: str, tags: Sequence[str], signature: str) -> Flat:
    """Turn one signature of a SavedModel written by TensorFlow 2 into an ordinary frozen graph."""
    from tensorflow.python.eager import context

    with context.eager_mode():  # the program may have eager execution off
        loaded = tf.compat.v2.saved_model.load(folder, tags=list(tags))
        return _flatten(loaded.signatures[signature])


def _flatten(function: Any) -> Flat:
    """Fold the variables of a concrete function and inline its inner functions; no public function does this."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function, lower_control_flow=True)
    inputs = tuple(tensor.name for tensor in frozen.inputs if tensor.dtype != tf.resource)
    return frozen.graph.as_graph_def(), inputs, tuple(tensor.name for tensor in frozen.outputs)


def keras() -> Any:
    """Return the Keras that builds TF1 graphs: tf.keras of TensorFlow 1, or the package tf_keras on TensorFlow 2."""
    if int(tf.__version__.split(".")[0]) < 2:
        return tf.keras
    import tf_keras

    return tf_keras


def set_inference_phase() -> None:
    """Switch the Keras layers of the default graph to inference; the phase belongs to the graph, not the program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras calls this deprecated; graphs have no replacement
        keras().backend.set_learning_phase(0)


def flatten_model(model: tf.keras.Model) -> Tuple[Flat, Dict[str, tf.Variable]]:
    """Turn a live Keras model of an eager program into an ordinary frozen graph, in inference mode.

    Also return, by the name of its constant, each variable that was folded.
    """
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype, _input_name(tensor)) for tensor in model.inputs]
    function = tf.function(lambda *images: model(images[0] if len(images) == 1 else list(images), training=False))
    concrete = function.get_concrete_function(*signature)
    variables = {id(variable.handle): variable for variable in concrete.graph.variables}
    captured = {
        inner.op.name: variables[id(outer)] for outer, inner in concrete.graph.captures if id(outer) in variables
    }
    return _flatten(concrete), captured


def _input_name(tensor: tf.Tensor) -> str:
    return str(tensor.name.split(":")[0].split("/")[-1])


def keras_session(model: tf.keras.Model) -> tf.Session:
    """Return the session in which the Keras of a live graph-mode model keeps its weights."""
    package = type(model).__mro__[-2].__module__.split(".")[0]
    return (keras() if package != "keras" else sys.modules["keras"]).backend.get_session()


def has_slow_gradients() -> bool:
    """Whether this is Google's build of TensorFlow 1.15 on the CPU, whose convolution gradients are slow."""
    if __getattr__("IS_TF2") or is_intel_build():
        return False
    return not tf.config.experimental.list_physical_devices("GPU")


def is_intel_build() -> bool:
    """Whether this is Intel's build of TensorFlow 1.15; no public name says so."""
    from tensorflow.python import pywrap_tensorflow

    return not __getattr__("IS_TF2") and pywrap_tensorflow.IsMklEnabled()


# A forked process lacks the threads of TensorFlow: a session that was opened before the fork would hang in it.
_opened_in: List[int] = []  # id of the process that opened a session


def claim_process() -> None:
    """Record that this process opens a session. Raises RunError as `check_process` does."""
    check_process()
    _opened_in[:] = [os.getpid()]


def is_forked() -> bool:
    """Whether this process was forked from one that had opened a session."""
    return bool(_opened_in) and _opened_in != [os.getpid()]


def check_process() -> None:
    """Raise RunError in a process that was forked from one that had opened a session."""
    if is_forked():
        raise RunError(
            "this process was forked from one that had opened a net, and TensorFlow's threads do not survive a fork; "
            "open the net in a process that is started anew: use multiprocessing.get_context('spawn')"
        )
