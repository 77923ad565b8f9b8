"""Whether a written model computes in its own runtime what TensorFlow computes."""

from __future__ import annotations

from typing import Callable, Dict, List

import numpy as np

from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.random_inputs import random_inputs
from gradcam_tf1.tf_runtime import tf

Arrays = Dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]  # values by input -> values by output, by their names in the signature

TOLERANCE = 1e-4  # of the largest value of the output
LEVELS = 3  # of 255 that an overlay may differ by: rounding decides between neighbouring colours
_COUNTS = (1, 4)  # images of a batch


def check_written(exported: ExportedGraph, run: Run, runtime: str) -> None:
    """Compare what a written model computes with TensorFlow, on random images and with the top classes.

    One image may differ: where a unit of the net lies within rounding of zero, two runtimes may take it to be on
    different sides, and its gradient comes or goes.

    Parameters
    ----------
    exported : ExportedGraph
        The graph that was written.
    run : callable
        Runs the written model.
    runtime : str
        Name of what runs it.

    Raises
    ------
    ExportError
        If the results differ; names the output.
    """
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(exported.graph_def, name="")
    differing: List[str] = []
    with tf.Session(graph=graph) as sess:
        for seed, count in enumerate(_COUNTS):
            values = random_inputs(exported.inputs, count, seed)
            wanted = sess.run(exported.outputs, {exported.inputs[name].name: value for name, value in values.items()})
            found = _run(run, {**values, "class_ids": wanted["class_ids"]}, runtime)
            differing += _differences(wanted, found)
            chosen = _run(run, {**values, "class_ids": np.full(len(wanted["scores"]), -1, np.int32)}, runtime)
            if not _close(chosen["scores"], wanted["scores"], TOLERANCE):
                differing += ["scores of the top classes"] * 2
    if len(differing) > 1:
        raise ExportError(
            f"{runtime} computes something else than TensorFlow from the converted model: {', '.join(differing[:3])}; "
            "no file is left. Use the format saved_model"
        )


def _run(run: Run, values: Arrays, runtime: str) -> Arrays:
    try:
        return run(values)
    except Exception as error:  # each runtime has errors of its own
        raise ExportError(f"{runtime} cannot run the converted model: {error}; use the format saved_model") from error


def _differences(wanted: Arrays, found: Arrays) -> List[str]:
    """Return for each image that differs a sentence on the first output that does."""
    sentences = []
    for image in range(len(wanted["scores"])):
        for name, values in wanted.items():
            if not _close(found[name][image], values[image], LEVELS if name == "overlay" else TOLERANCE):
                sentences.append(f"{name} of a random image by {_distance(found[name][image], values[image]):.1e}")
                break
    return sentences


def _distance(found: np.ndarray, wanted: np.ndarray) -> float:
    if np.shape(found) != np.shape(wanted):
        return float("inf")
    return float(np.max(np.abs(np.subtract(found, wanted, dtype=np.float64)), initial=0.0))


def _close(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> bool:
    scale = np.max(np.abs(wanted), initial=0.0) if wanted.dtype.kind == "f" else 1.0
    return _distance(found, wanted) <= tolerance * scale or np.array_equal(found, wanted)
