"""Import a frozen GraphDef into private graphs and sessions, with the gradient override that guided ReLU needs."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import Any, List, Optional, Sequence, Tuple

from gradcam_tf1.engine.freed_memory import return_large_blocks
from gradcam_tf1.engine.large_weights import Weights
from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.errors import ModelFileError, OptionError
from gradcam_tf1.forked_process import claim_process
from gradcam_tf1.gradients.gradient_rules import override_in_functions, override_map
from gradcam_tf1.graphdef.control_frames import find_contexts
from gradcam_tf1.graphdef.function_library import with_own_functions
from gradcam_tf1.graphdef.loop_repair import restore_array_shapes
from gradcam_tf1.graphdef.tensor_sizes import check_made
from gradcam_tf1.tf_runtime import graph_on, inside, restore_context, tf

_LOG = logging.getLogger(__name__)

MAX_ELEMENTS = 2**31  # of one tensor, for one image


def open_sessions(
    light: tf.GraphDef,
    weights: Weights,
    source: str,
    config: Optional[tf.ConfigProto] = None,
    devices: Sequence[str] = (),
) -> List[LiveSession]:
    """Open private sessions on a net. Each has the large weights in its own variables.

    Parameters
    ----------
    light, weights : tf.GraphDef, dict
        From `take_out_weights`; the dict ends empty.
    source : str
        Name of the model, for messages.
    config : tf.ConfigProto or None
        Configuration of the sessions.
    devices : sequence of str
        Open one session per device; () for one session whose ops TensorFlow places.

    Raises
    ------
    ModelFileError
        If the graph cannot be imported.
    OptionError
        If a device is missing. After an error no session stays open.
    """
    claim_process()
    return_large_blocks()
    started = time.monotonic()
    override_in_functions(light.library)
    sessions: List[LiveSession] = []
    places = [_canonical(name) for name in devices] or [""]
    with ExitStack() as failing:
        for device in places:
            sess = tf.Session(graph=import_graph(light, source, device), config=config)
            failing.callback(sess.close)
            _check_device(sess, device)
            is_last = len(sessions) == len(places) - 1
            sessions.append(LiveSession(sess, config, weights if is_last else dict(weights)))
        failing.pop_all()
    _LOG.debug("opened %r on %d devices in %.3f s", source, len(sessions), time.monotonic() - started)
    return sessions


def devices_of(sess: tf.Session) -> List[str]:
    """Return the processors that a session may use, such as /cpu:0 and /gpu:0."""
    return [_canonical(item.name) for item in sess.list_devices() if item.device_type in ("CPU", "GPU", "TPU")]


def _check_device(sess: tf.Session, device: str) -> None:
    """Raise OptionError for a missing device: with soft placement TensorFlow would silently use another one."""
    available = [_canonical(item.name) for item in sess.list_devices()]
    if device and device not in available:
        raise OptionError(f"there is no device {device}; TensorFlow {tf.__version__} sees {', '.join(available)}")


def _canonical(device: str) -> str:
    """Return a device name as kind and number, /gpu:0. Raises OptionError if one of these is missing."""
    wrong = OptionError(f"'{device}' is not the name of a device; write one like /gpu:0 or /cpu:0")
    try:
        spec = tf.DeviceSpec.from_string(device)
    except ValueError as error:
        raise wrong from error
    if spec.device_type is None or spec.device_index is None:
        raise wrong
    return f"/{spec.device_type.lower()}:{spec.device_index}"


def import_graph(graph_def: tf.GraphDef, source: str, device: str = "") -> tf.Graph:
    """Import a net into a new tf.Graph. Names do not change.

    Parameters
    ----------
    graph_def : tf.GraphDef
        Frozen and cleaned up by a loader.
    source : str
        Name of the model, for messages.
    device : str
        Device of all ops, also of ops that are added later; "" to let TensorFlow place them.

    Raises
    ------
    ModelFileError
        If this TensorFlow cannot build the graph, with its reason.
    """
    try:
        check_made(graph_def)
    except ModelFileError as error:
        raise ModelFileError(f"'{source}': {error}") from error
    graph = graph_on(device)
    graph_def = with_own_functions(graph_def)
    with inside(graph), override_map(graph):
        try:
            tf.import_graph_def(graph_def, name="")
        except (ValueError, TypeError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            message = f"'{source}': TensorFlow {tf.__version__} cannot build this graph: {reason}"
            raise ModelFileError(message) from error
        _restore_contexts(graph, graph_def)
    restore_array_shapes(graph)
    _check_sizes(graph, source)
    return graph


def _restore_contexts(graph: tf.Graph, graph_def: tf.GraphDef) -> None:
    """Restore the loop contexts of the ops, which an import drops and gradients of loops need."""
    for context in find_contexts(graph_def):
        restore_context(context.message(lambda op: [out.name for out in graph.get_operation_by_name(op).outputs]))


def _check_sizes(graph: tf.Graph, source: str) -> None:
    """Refuse huge tensors: a small graph can request more memory than exists (Fill, Tile, an image of 10^6 columns)."""
    for op in graph.get_operations():
        for tensor in op.outputs:
            shape = tensor.shape
            sizes = shape.as_list() if shape.ndims else ()
            if _count(sizes) > MAX_ELEMENTS:
                raise ModelFileError(
                    f"'{source}': '{tensor.name}' ({op.type}) would have the shape {sizes}, more than the "
                    f"{MAX_ELEMENTS:,} numbers that are allowed for one tensor"
                )


def _count(sizes: Sequence[Optional[int]]) -> int:
    """Return the numbers of a tensor for one image; np.prod takes ten times as long for a few sides."""
    count = 1
    for size in sizes:
        count *= size or 1
    return count


def device_names(devices: Any) -> Tuple[str, ...]:
    """Return the device names as a tuple. Raises OptionError if they are not strings."""
    names = (devices,) if isinstance(devices, str) else devices
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise OptionError(f"devices are names such as '/gpu:0', or a list of them, not {devices!r}")
    return tuple(names)
