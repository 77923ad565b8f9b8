"""The only place that knows which TensorFlow is running, and the only home of private TensorFlow names.

Everywhere else: `from gradcam_tf1.tf_runtime import tf`. The name is lazy: TensorFlow is imported (2 to 5 seconds) when
the first attribute is read, so tables of methods and loaders can be listed, and `--help` answered, without it.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import RunError


class _LazyTensorFlow(ModuleType):
    """Stands for `tensorflow.compat.v1` and hands every attribute through."""

    def __getattr__(self, name: str) -> Any:
        import tensorflow.compat.v1 as real

        return getattr(real, name)


tf: Any = _LazyTensorFlow("tensorflow.compat.v1")


def __getattr__(name: str) -> Any:
    if name == "IS_TF2":
        return int(tf.__version__.split(".")[0]) >= 2
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


OUR_SCOPE = "gradcam_tf1/"  # of the ops that this toolkit adds to a net; nobody is shown them, or can name them
_DEVICE = "gradcam_tf1/device"  # collection of a graph


def graph_on(device: str) -> tf.Graph:
    """A new graph whose ops, also those built `inside` it later, are on this device; "": TensorFlow places them."""
    graph = tf.Graph()
    graph.add_to_collection(_DEVICE, device)
    return graph


@contextmanager
def inside(graph: tf.Graph) -> Iterator[tf.Graph]:
    """Make a graph the default graph; what is built goes to its device where it is one of `graph_on`."""
    device = "".join(graph.get_collection(_DEVICE))
    with graph.as_default(), graph.device(device or None):
        yield graph


@contextmanager
def unfinalized(graph: tf.Graph) -> Iterator[tf.Graph]:
    """Open a graph of ours for new ops, go `inside` it, and leave it finalized if it came so.

    There is no public way back from `Graph.finalize`; both runtimes have this method under this name, and
    TensorFlow's own monitored sessions use it. Without it a layer or method that is asked for later would need a
    second graph.
    """
    was_finalized = graph.finalized
    graph._unsafe_unfinalize()
    try:
        # where a gradient fails inside a loop, what is built next would still be put into that loop
        with inside(graph), tf.control_dependencies(None):
            yield graph
    finally:
        if was_finalized:
            graph.finalize()


def numpy_dtype(name: str) -> np.dtype:
    """The numpy dtype of a TensorFlow dtype by name; numpy itself does not know bfloat16 by its name."""
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)


# registered with a gradient function that returns None
_GRADIENT_IS_NONE = ("Floor", "Ceil", "Round", "Rint")


def is_differentiable(op: tf.Operation) -> bool:
    """Whether a gradient passes through `op`: its type has a gradient function and it yields floats, or lists of them.

    The registry of gradients has no public reader; asking it tells which op blocks without building anything. Through
    a loop a gradient passes where its ops know that they lie in it, see `restore_context`.
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
    """TensorFlow's own gradient function of an op type, None where it has none.

    An override that is switched off must be this function, to the bit; the kernels of `tf.raw_ops` cover ReLU and its
    like, not Maximum or Add, and the registry has no public reader.
    """
    from tensorflow.python.framework import ops

    try:
        return ops._gradient_registry.lookup(op_type)
    except LookupError:
        return None


def register_functional_gradients() -> None:
    """Have TensorFlow know the gradients of functional loops and branches.

    1.15 registers them when a program builds the first one itself, in modules that have no public name.
    """
    from tensorflow.python.ops import cond_v2, while_v2  # noqa: F401


def op_definition(op: str) -> Any:
    """The OpDef of an op type, None where this runtime does not know it.

    Import names only the first op or attribute it does not know, and only as text; neither runtime has a public way
    to ask the registry.
    """
    from tensorflow.python.framework import op_def_registry

    if hasattr(op_def_registry, "get_registered_ops"):
        return op_def_registry.get_registered_ops().get(op)
    return op_def_registry.get(op)


def variable_keys(object_graph: bytes) -> Dict[str, str]:
    """Variable name -> checkpoint key, from the object graph that tf.train.Checkpoint and Keras write.

    The message that maps the one to the other has no public name.
    """
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    message = trackable_object_graph_pb2.TrackableObjectGraph.FromString(object_graph)
    return {a.full_name: a.checkpoint_key for node in message.nodes for a in node.attributes if a.full_name}


def saved_model_message() -> Any:
    """The message class of saved_model.pb; only the graphs inside it have a public class."""
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2.SavedModel


def bundle_entry_message() -> Any:
    """The message class of a checkpoint index's entries; it has no public name."""
    from tensorflow.core.protobuf import tensor_bundle_pb2

    return tensor_bundle_pb2.BundleEntryProto


def bundle_header_message() -> Any:
    """The message class of the first entry in a checkpoint's index; it has no public name."""
    from tensorflow.core.protobuf import tensor_bundle_pb2

    return tensor_bundle_pb2.BundleHeaderProto


def saved_slices_message() -> Any:
    """The message class of a single-file checkpoint's entries; it has no public name."""
    from tensorflow.core.util import saved_tensor_slice_pb2

    return saved_tensor_slice_pb2.SavedTensorSlices


def context_message() -> Any:
    """The message class that describes the inside of a loop or conditional; it has no public name."""
    from tensorflow.core.protobuf import control_flow_pb2

    return control_flow_pb2.ControlFlowContextDef


def restore_context(message: Any) -> None:
    """Tell the ops of the default graph that they lie in a loop or conditional, as the message says.

    `tf.gradients` goes through a loop only by what its ops know of it. Importing a GraphDef forgets that, and only
    `tf.train.import_meta_graph` restores it, from collections that a frozen graph has not: by this function.
    """
    from tensorflow.python.ops import control_flow_ops

    control_flow_ops.from_control_flow_context_def(message)


Flat = Tuple[Any, Tuple[str, ...], Tuple[str, ...]]  # GraphDef, input names, output names


def flatten_saved_model(folder: str, tags: Sequence[str], signature: str) -> Flat:
    """One signature of a TF2-written SavedModel as an ordinary frozen graph."""
    from tensorflow.python.eager import context

    with context.eager_mode():  # the program may have switched eager execution off for its own graphs
        loaded = tf.compat.v2.saved_model.load(folder, tags=list(tags))
        return _flatten(loaded.signatures[signature])


def _flatten(function: Any) -> Flat:
    """A concrete function with its variables folded and its inner functions inlined; no public name does this."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function, lower_control_flow=True)
    inputs = tuple(tensor.name for tensor in frozen.inputs if tensor.dtype != tf.resource)
    return frozen.graph.as_graph_def(), inputs, tuple(tensor.name for tensor in frozen.outputs)


def keras() -> Any:
    """The Keras that builds TF1 graphs: tf.keras of TensorFlow 1, the package tf_keras beside TensorFlow 2."""
    if int(tf.__version__.split(".")[0]) < 2:
        return tf.keras
    import tf_keras

    return tf_keras


def set_inference_phase() -> None:
    """Make layers of the default graph behave as in inference; the phase belongs to the graph, not to the program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras calls this old-fashioned; graphs have no other way
        keras().backend.set_learning_phase(0)


def flatten_model(model: Any) -> Flat:
    """A live Keras model of an eager program as an ordinary frozen graph, in inference mode."""
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype, _input_name(tensor)) for tensor in model.inputs]
    function = tf.compat.v2.function(
        lambda *images: model(images[0] if len(images) == 1 else list(images), training=False)
    )
    return _flatten(function.get_concrete_function(*signature))


def _input_name(tensor: Any) -> str:
    return tensor.name.split(":")[0].split("/")[-1]


def keras_session(model: Any) -> Any:
    """The session in which the Keras of a live graph-mode model keeps its weights."""
    package = type(model).__mro__[-2].__module__.split(".")[0]
    return (keras() if package != "keras" else sys.modules["keras"]).backend.get_session()


def has_slow_gradients() -> bool:
    """Whether this is TensorFlow's own build of 1.15 on the CPU."""
    if __getattr__("IS_TF2") or is_intel_build():
        return False
    return not tf.config.experimental.list_physical_devices("GPU")


def is_intel_build() -> bool:
    """Whether this is Intel's build of TensorFlow 1.15, which has no public mark."""
    from tensorflow.python import pywrap_tensorflow

    return not __getattr__("IS_TF2") and pywrap_tensorflow.IsMklEnabled()


_home: List[int] = []  # the process whose sessions were opened first


def claim_process() -> None:
    """Take down that sessions are opened here. Raises: RunError as `check_process`."""
    check_process()
    _home[:] = [os.getpid()]


def is_forked() -> bool:
    """Whether this process was forked from one that had opened a net."""
    return bool(_home) and _home != [os.getpid()]


def check_process() -> None:
    """Raises: RunError in a process that was forked from one that had opened a net."""
    if is_forked():
        raise RunError(
            "this process was forked from one that had opened a net, and TensorFlow's threads are not in it: it must "
            "open its own net, in a process that is started afresh; use multiprocessing.get_context('spawn')"
        )
