"""Whether a written model computes in its own runtime what TensorFlow computes."""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

import numpy as np

from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.random_inputs import random_inputs
from gradcam_tf1.tf_runtime import tf

Arrays = Dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]  # values by input -> values by output, by their names in the signature

TOLERANCE = 1e-4  # of the largest value of an image's output
LEVELS = 3  # of 255 that an overlay may differ by: rounding decides between neighbouring colours
_COUNTS = (1, 4, 3)  # images of each batch
_CHANGE = 1e-6  # of the images; what an output changes by then is its rounding


def check_written(exported: ExportedGraph, run: Run, runtime: str) -> Tuple[str, ...]:
    """Compare what a written model computes with TensorFlow, on random images, with classes of several ranks.

    An output may differ by TOLERANCE, or by ten times what it changes by in TensorFlow when the images change in the
    sixth digit: a map is a sum of large numbers that cancel. One image may differ by more: where a unit of the net lies
    within rounding of zero, two runtimes may take it to be on different sides, and its gradient comes or goes.

    Parameters
    ----------
    exported : ExportedGraph
        The graph that was written.
    run : callable
        Runs the written model.
    runtime : str
        Name of what runs it.

    Returns
    -------
    tuple of str
        A sentence where all maps were zero, so that the comparison says nothing of them.

    Raises
    ------
    ExportError
        If the results differ; names the output.
    """
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(exported.graph_def, name="")
    differing: List[str] = []
    largest = 0.0
    with tf.Session(graph=graph) as sess:
        for seed, count in enumerate(_COUNTS):
            values = random_inputs(exported, count, seed)
            images = len(next(iter(values.values())))
            ranks = min(sess.graph.get_tensor_by_name(exported.outputs["logits"]).shape.as_list()[-1] or 1, 5)
            values["class_ids"] = -1 - (np.arange(images, dtype=np.int32) + seed) % ranks
            wanted = _in_tensorflow(sess, exported, values)
            changed = _in_tensorflow(sess, exported, _changed(values, seed))
            differing += _differences(wanted, changed, _run(run, values, runtime))
            largest = max(largest, float(np.max(np.abs(wanted["cam"]))))
    if len(differing) > 1:
        raise ExportError(
            f"{runtime} computes something else than TensorFlow from the converted model: {', '.join(differing[:3])}; "
            "no file is left. Use the format saved_model"
        )
    if largest:
        return ()
    return (f"the maps of the random images that {runtime} was tried with are all zero; compare it on photographs",)


def _in_tensorflow(sess: tf.Session, exported: ExportedGraph, values: Arrays) -> Arrays:
    specs = {**exported.inputs, "class_ids": exported.class_ids}
    found: Arrays = sess.run(exported.outputs, {specs[name].name: value for name, value in values.items()})
    return found


def _changed(values: Arrays, seed: int) -> Arrays:
    random = np.random.RandomState(seed)
    return {
        name: (value * random.uniform(1 - _CHANGE, 1 + _CHANGE, value.shape)).astype(value.dtype)
        if value.dtype.kind == "f"
        else value
        for name, value in values.items()
    }


def _run(run: Run, values: Arrays, runtime: str) -> Arrays:
    try:
        return run(values)
    except Exception as error:  # each runtime has errors of its own
        raise ExportError(f"{runtime} cannot run the converted model: {error}; use the format saved_model") from error


def _differences(wanted: Arrays, changed: Arrays, found: Arrays) -> List[str]:
    """Return for each image that differs a sentence on the first output that does."""
    sentences = []
    for image in range(len(wanted["scores"])):
        for name, values in wanted.items():
            value = np.asarray(values[image])
            distance = _distance(found[name][image], value)
            scale = np.max(np.abs(value), initial=0.0) if value.dtype.kind == "f" else 0.0
            allowed = LEVELS if name == "overlay" else TOLERANCE * scale + 10 * _distance(changed[name][image], value)
            if not distance <= allowed:
                sentences.append(f"{name} of a random image by {distance:.1e}, with values up to {scale:.1e}")
                break
    return sentences


def _distance(found: np.ndarray, wanted: np.ndarray) -> float:
    if np.shape(found) != np.shape(wanted):
        return float("inf")
    return float(np.max(np.abs(np.subtract(found, wanted, dtype=np.float64)), initial=0.0))
