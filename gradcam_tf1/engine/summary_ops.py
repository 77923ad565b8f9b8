"""The overlay of one target as a tensor of the net's graph, for summaries and exports."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from gradcam_tf1.drawing.style import AGAINST, Style
from gradcam_tf1.engine.auto_layer import OWN
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.engine.overlay_ops import check_symbolic, fixed_sides, overlay_images
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.preprocessing import Preprocessing
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.methods.choices import choose_methods
from gradcam_tf1.methods.families import LayerMethod
from gradcam_tf1.scoring.score_requests import TargetContext, make_requests
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LayerInfo, Slot

_FIRST_SLOT = 1_000_000  # numbers of slots whose class is fixed in the graph; those of `explain` count from 0


class SummaryOps:
    """Builds overlays of a net.

    Parameters
    ----------
    explainer : NetExplainer
        The bound net.
    preset : Preprocessing or None
        How its images are prepared; None if a function of the user does it.
    """

    def __init__(self, explainer: NetExplainer, preset: Optional[Preprocessing]) -> None:
        self._explainer, self._preset = explainer, preset
        self._binding, self._ops = explainer.binding, explainer.engine.ops

    def overlay(self, target: Any, method: Any, layer: Any, style: Style, images: Optional[tf.Tensor]) -> tf.Tensor:
        """See `GradCamGraph.summary_op`."""
        check_symbolic(style)
        ((name, options),) = _one(choose_methods(method), "method")
        chosen = METHODS[name]
        if not isinstance(chosen, LayerMethod):
            usable = ", ".join(each for each in METHODS if isinstance(METHODS[each], LayerMethod))
            raise OptionError(f"{name} is not made of ops of the graph alone; possible for summary_op: {usable}")
        (info,) = _one(self._explainer.resolve_layers(layer), "layer")
        if info == OWN or info.parts or self._binding.frame_order or self._binding.array_shape is not None:
            raise OptionError(f"summary_op draws a single layer of a net of images; '{info.name}' is none")
        code = self._code(target)
        slot = Slot(_FIRST_SLOT + code)
        name_of_images = None if images is None else _checked(images).name
        key = ("summary", name, tuple(sorted(options.items())), info, code, style, name_of_images)
        self._ops.fix("code", slot, code)
        maps = self._ops.cams(chosen, (info,), slot, options)[0]
        rectified = chosen.rectified
        return self._ops.once(key, lambda: self._drawn(maps, rectified, name in AGAINST, info, style, images))

    def _drawn(
        self,
        maps: tf.Tensor,
        rectified: bool,
        against: bool,
        info: LayerInfo,
        style: Style,
        images: Optional[tf.Tensor],
    ) -> tf.Tensor:
        photographs = self._photographs() if images is None else images
        grid = self._explainer.engine.grid(fixed_sides(photographs, 1))
        cells = grid.cells(info.name, fixed_sides(maps, 1))
        maps = tf.where_v2(self._ops.broken()[:, tf.newaxis, tf.newaxis], 0.0, maps)
        drawn = overlay_images(photographs, maps, cells, style, rectified, against)
        return tf.identity(drawn, name="overlay")

    def _code(self, target: Any) -> int:
        context = TargetContext(self._explainer.engine.known_classes(), self._explainer.labels, "logit")
        (request,) = _one(make_requests([target], 1, context), "target")
        if request.score != LOGIT or set(request.values) != {"code"}:
            raise OptionError(f"target {target!r} needs values for each image; summary_op takes a class, or None")
        return int(request.values["code"][0])

    def _photographs(self) -> tf.Tensor:
        """Return the images before preprocessing, computed back from the net's input: uint8 [N, H, W, 3]."""
        preset, binding = self._preset, self._binding
        if preset is None or preset.gray is not None or binding.channels != 3:
            raise OptionError(
                "the photographs cannot be computed back from the net's input; give images, a uint8 tensor "
                "[N, H, W, 3] of net.graph"
            )
        values = tf.cast(self._ops.graph.get_tensor_by_name(binding.input), tf.float32)
        values = values if binding.has_batch_axis else values[tf.newaxis]
        values = values if binding.input_channels_last else tf.transpose(values, [0, 2, 3, 1])
        pixels = (values * np.asarray(preset.std, np.float32) + np.asarray(preset.mean, np.float32)) / preset.scale
        pixels = pixels if preset.order == "rgb" else pixels[..., ::-1]
        return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)


def _one(items: Any, what: str) -> Any:
    found = list(items.items()) if isinstance(items, dict) else list(items)
    if len(found) != 1:
        raise OptionError(f"summary_op makes one overlay; give one {what}, not {len(found)}")
    return found


def _checked(images: Any) -> tf.Tensor:
    if not isinstance(images, tf.Tensor) or images.dtype != tf.uint8 or images.shape.as_list()[3:] != [3]:
        raise OptionError(f"images is a uint8 tensor [N, H, W, 3] of net.graph, not {images!r}")
    return images
