"""Compare an exported graph with the net before it is written: what differs, or mixes images, is refused."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import cv2
import numpy as np

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.engine.input_batches import in_rgb, input_batch
from gradcam_tf1.engine.map_request import MapAnswer, MapRequest
from gradcam_tf1.engine.run_errors import run_message
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.export_request import GUIDED, ExportRequest
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.methods.choices import choose_methods
from gradcam_tf1.tf_runtime import numpy_dtype, tf
from gradcam_tf1.types import ScoreRequest

MOST = 1e-4  # difference, as a share of the largest value
_IMAGES = 2
_BATCHES = 6  # that are tried, until one agrees


def check_export(net: BoundNet, exported: ExportedGraph, request: ExportRequest) -> float:
    """Run random images through the net and through the exported graph.

    Runtimes add in another order where weights are constants. A unit within rounding of zero then comes or goes, and
    with it its part of a gradient: such a batch says nothing. A wrong graph differs on every batch.

    Parameters
    ----------
    net : BoundNet
        The net.
    exported : ExportedGraph
        What was made of it.
    request : ExportRequest
        What it computes.

    Returns
    -------
    float
        The largest difference, as a share of the largest value.

    Raises
    ------
    ExportError
        If a score or map differs, or the exported graph does not run.
    RunError
        If the net mixes or cuts images, so that an image has no map of its own.
    """
    for seed in range(_BATCHES):
        share, what = max(_differences(net, exported, request, seed))
        if share <= MOST:
            return share
    raise ExportError(
        f"the {what} of the exported graph differ from those of the net by {share:.1e} of their largest value, so "
        "that nothing was written; does the net use random numbers? `gradcam-tf1 inspect` shows its placeholders"
    )


def _differences(net: BoundNet, exported: ExportedGraph, request: ExportRequest, seed: int) -> List[Tuple[float, str]]:
    """Return the largest difference of each output on one batch, as a share of its largest value, and its name."""
    batch, fed = _random_batch(net, exported, seed)
    wanted = _answer(net, batch, request)
    found = _run(exported, fed)
    (row, _), shares = request.chosen, [(_share(wanted.scores[:, 0], found["scores"]), "scores")]
    maps = wanted.maps
    if exported.takes_pixels and net.binding.array_shape is None:
        maps = in_rgb(maps, net.preprocess, (batch.shape[1], batch.shape[2]))
    for (name, _), values in maps.items():
        shares.append((_share(values[:, 0], found["cam" if name == row.name else name]), name))
    return shares


def _answer(net: BoundNet, batch: np.ndarray, request: ExportRequest) -> MapAnswer:
    explainer = net.explainers[0]
    chosen = explainer.chosen_methods(request.method, ExplainOptions())
    methods = {**chosen, **(choose_methods(list(GUIDED)) if request.guided else {})}
    layers = explainer.resolve_layers(request.layer)
    top = ScoreRequest((request.score,), {"code": np.full(len(batch), -1, np.int32)})
    # no method of an export looks at the pixels but for their shape
    pixels = np.zeros((len(batch), *explainer.pixels_shape(batch.shape[1:-1])[1:]), np.float32)
    return explainer.engine.run(MapRequest(batch, [top], methods, layers, pixels, explainer.to_batch))


def _random_batch(net: BoundNet, exported: ExportedGraph, seed: int) -> Tuple[np.ndarray, Any]:
    """Return a batch as the engine takes it, [N, ..., C], and the same as the exported graph takes it."""
    binding, random = net.binding, np.random.RandomState(seed)
    spec = next(iter(exported.inputs.values()))
    count = spec.shape[0] or _IMAGES
    if exported.takes_pixels:
        pixels = random.randint(0, 256, (count, *exported.sides, net.channels_in)).astype(np.float32)
        if spec.dtype != "string":
            return input_batch(pixels, net.preprocess, binding), pixels.astype(spec.dtype)
        encoded = [cv2.imencode(".png", image[..., ::-1].astype(np.uint8))[1].tobytes() for image in pixels]
        fitted = np.stack([net.fit_pixels(image).pixels for image in pixels])
        return input_batch(fitted, net.preprocess, binding), encoded
    if not binding.has_batch_axis:
        count = 1
    channels = binding.channels if binding.array_shape is None else int(binding.array_shape[-1] or 1)
    batch = random.randint(0, 256, (count, *exported.sides, channels)).astype(numpy_dtype(binding.dtype))
    fed = batch
    if binding.array_shape is not None:
        fed = batch[..., 0] if len(spec.shape) == 2 else batch
    elif not binding.input_channels_last:
        fed = np.moveaxis(batch, -1, 1)
    return batch, fed if binding.has_batch_axis else fed[0]


def _run(exported: ExportedGraph, images: Any) -> Dict[str, np.ndarray]:
    with tf.Graph().as_default() as graph:
        copy = tf.GraphDef()
        copy.CopyFrom(exported.graph_def)  # an import gives the nodes of its argument the defaults of this version
        tf.import_graph_def(copy, name="")
        del copy
        config = tf.ConfigProto(allow_soft_placement=True)
        config.gpu_options.allow_growth = True
        with tf.Session(graph=graph, config=config) as sess:
            try:
                found: Dict[str, np.ndarray] = sess.run(
                    exported.outputs, {next(iter(exported.inputs.values())).name: images}
                )
            except tf.errors.OpError as error:
                raise ExportError(
                    f"the exported graph does not run, so that nothing was written: {run_message(error)}; use another "
                    "layer or method"
                ) from error
    return found


def _share(wanted: np.ndarray, found: np.ndarray) -> float:
    share = float(np.abs(wanted - found).max() / max(float(np.abs(wanted).max()), 1e-6))
    return np.inf if np.isnan(share) else share
