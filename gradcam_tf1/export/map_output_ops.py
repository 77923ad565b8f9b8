"""From a net's raw maps to the outputs of an exported model: closed, placed on the input, and drawn."""

from __future__ import annotations

from functools import partial
from typing import Dict, List, Tuple

from gradcam_tf1.drawing.style import AGAINST
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.engine.found_classes import NO_CLASS
from gradcam_tf1.engine.input_batches import rgb_order
from gradcam_tf1.engine.overlay_ops import placed_maps, tinted, usable_maps
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.averaged_gradients import AVERAGED, Averaging, loops_of_ops
from gradcam_tf1.export.export_request import GUIDED, ExportRequest
from gradcam_tf1.export.model_inputs import SCOPE, ModelInputs
from gradcam_tf1.export.net_part import IMAGES, NetPart, cam_name
from gradcam_tf1.export.second_copy import SecondCopy
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.base import Method
from gradcam_tf1.methods.families import LayerMethod, ProductMethod
from gradcam_tf1.tf_runtime import tf


class MapOutputs:
    """Makes the outputs of an exported model.

    Parameters
    ----------
    explainer : NetExplainer
        The bound net.
    part : NetPart
        The net's ops.
    tensors : dict
        `NetPart.tensors` in the exported graph.
    inputs : ModelInputs
        What the model takes.
    """

    def __init__(
        self, explainer: NetExplainer, part: NetPart, tensors: Dict[str, tf.Tensor], inputs: ModelInputs
    ) -> None:
        self._explainer, self._part, self._tensors, self._inputs = explainer, part, tensors, inputs
        self._grid = explainer.engine.grid(inputs.sides)

    def results(self, request: ExportRequest) -> Dict[str, tf.Tensor]:
        """Return the outputs by their names in the signature."""
        tensors, (row, _) = self._tensors, request.chosen
        results = {
            "logits": tensors["logits"],
            "class_ids": tf.where_v2(tensors["broken"], NO_CLASS, tensors["class_ids"]),
            "scores": tensors["scores"],
        }
        if isinstance(row, LayerMethod):
            results.update(self._layer_results(row, request))
        else:
            if self._part.again is not None:
                tensors[row.name] = self._average(self._part.again, request)
            results["cam"] = results["heat_map"] = self._pixel_map(row)
        for name in GUIDED if request.guided else ():
            results[name] = self._pixel_map(METHODS[name])
        return results

    def _layer_results(self, row: LayerMethod, request: ExportRequest) -> Dict[str, tf.Tensor]:
        raw, heat = self._placed(row)
        closed = tf.nn.relu(raw) if row.rectified else raw
        results = {"cam": closed, "heat_map": heat}
        photographs = self._inputs.photographs
        if photographs is not None:
            against = row.name in AGAINST
            results["overlay"] = tinted(photographs, heat, raw, request.style, row.rectified, against)
        return results

    def _placed(self, row: LayerMethod) -> Tuple[tf.Tensor, tf.Tensor]:
        """Return the map before the closing ReLU, and the closed one on the pixels of the input.

        The map of several layers taken together has the input's size, see `layer_maps.add_up`.
        """
        sides, parts = self._inputs.sides, self._part.parts
        raw = [self._usable(self._tensors[cam_name(row.name, number)]) for number in range(len(parts))]
        cells = [self._grid.cells(each.name, _sides(map, len(sides))) for each, map in zip(parts, raw)]
        closed = [tf.nn.relu(map) if row.rectified else map for map in raw]
        placed = [placed_maps(map, sides, each) for map, each in zip(closed, cells)]
        if len(parts) == 1:
            return raw[0], placed[0]
        total = tf.add_n(placed)
        return total, total

    def _usable(self, maps: tf.Tensor) -> tf.Tensor:
        """Return the maps, zero where the net has no answer."""
        if self._explainer.binding.frame_order:  # a layer has as many frames as the clip; its shape may not say so
            maps = tf.ensure_shape(maps, [None, self._inputs.sides[0], *maps.shape.as_list()[2:]])
        broken = tf.reshape(self._tensors["broken"], [-1] + [1] * (maps.shape.rank - 1))
        return tf.where_v2(broken, 0.0, usable_maps(maps))

    def _pixel_map(self, row: Method) -> tf.Tensor:
        """Return a signed map of the input's size and channels, with red, green and blue in this order."""
        pixels = row.pixels if isinstance(row, ProductMethod) else row
        values = self._in_rgb(self._tensors[pixels.name])
        if isinstance(row, ProductMethod):
            values = values * self._placed(row.cam)[1][..., tf.newaxis]
        return self._usable(values)

    def _average(self, again: SecondCopy, request: ExportRequest) -> tf.Tensor:
        """Return the map of a method of `AVERAGED`: float32 [N, H, W, C]."""
        row, images, explainer = request.chosen[0], self._tensors[IMAGES], self._explainer
        if None in images.shape.as_list()[1:]:
            raise ExportError(
                f"only a run tells the size of the floats that the net makes of its input, {images.shape}, and an "
                "average needs it; export 'gradient'"
            )
        fed = {**self._inputs.mapped, self._part.code: self._tensors["class_ids"]}
        graph = tf.get_default_graph()
        fed.update({name: graph.get_tensor_by_name(name) for name in again.constants})
        options = row.filled(explainer.chosen_methods(request.method, ExplainOptions())[row.name])
        gradient = partial(again.gradient, fed=fed)
        with tf.name_scope(SCOPE), loops_of_ops():
            return AVERAGED[row.name](Averaging(explainer, images, self._inputs.sides, gradient, options))

    def _in_rgb(self, values: tf.Tensor) -> tf.Tensor:
        """As `input_batches.in_rgb`."""
        if not self._inputs.takes_pixels or values.shape[-1] != 3:
            return values
        height, width = self._inputs.sides
        order = rgb_order(self._explainer.net.preprocess, (height, width))
        return values if order == [0, 1, 2] else tf.gather(values, order, axis=-1)


def _sides(maps: tf.Tensor, count: int) -> List[int]:
    """Return the lengths of the axes of the positions. Raises ExportError if one is not fixed."""
    sides: List[int] = maps.shape.as_list()[1 : count + 1]
    if None in sides:
        raise ExportError(
            f"the map '{maps.name}' has the shape {maps.shape}, and only a run tells its sides; name another layer"
        )
    return sides
