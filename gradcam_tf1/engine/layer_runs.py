"""Runs of a net at one layer: its features, what follows from given features, and the gradients there."""

from __future__ import annotations

from typing import Any, Dict, Hashable, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cells import cells_of
from gradcam_tf1.engine.auto_layer import OWN
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.errors import GradientError, OptionError, TargetError
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.scoring.map_layout import layout_of
from gradcam_tf1.scoring.score_requests import TargetContext, make_requests
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells, LayerInfo, ScoreRequest, Slot


class LayerRuns:
    """A net of images and one of its layers.

    Parameters
    ----------
    explainer : NetExplainer
        The bound net.
    layer : int, str, tf.Tensor or None
        The layer; None for the bound one.

    Raises
    ------
    OptionError
        If the net takes no images, or the layer is not a single one.
    """

    def __init__(self, explainer: NetExplainer, layer: Any = None) -> None:
        binding = explainer.binding
        if binding.array_shape is not None:
            raise OptionError("concepts are looked for in images; this net takes signals, volumes or clips")
        if binding.per_image:
            names = ", ".join(binding.per_image)
            raise OptionError(f"the net takes {names} with each image; give one value for all with --feed NAME=VALUE")
        layers = explainer.resolve_layers(layer)
        if len(layers) != 1 or layers[0].parts or layers[0] == OWN:
            raise OptionError("concepts are those of one layer, and several are given or bound; name one (--layer)")
        self.layer: LayerInfo = layers[0]
        self._explainer = explainer
        self._engine = explainer.engine
        self._runner = self._engine.runner

    @property
    def chunk(self) -> int:
        """Images per run of the session."""
        return self._runner.chunk

    def class_id(self, target: Any) -> int:
        """Return the id of a class by its id or name. Raises TargetError."""
        if target is None or isinstance(target, (list, tuple)):
            raise TargetError(f"the class is {target!r}; give one class by id or name")
        context = TargetContext(self._engine.known_classes(), self._explainer.labels)
        request = make_requests(target, 1, context)[0]
        code = int(request.values["code"][0]) if request.score == LOGIT and "code" in request.values else -1
        if code < 0:
            raise TargetError(f"the class is {target!r}; give one class by id or name")
        return code

    def name(self, class_id: int) -> str:
        """Return the label of a class, else "class 3"."""
        labels = self._explainer.labels
        return f"class {class_id}" if labels is None else labels.name(class_id)

    def features(self, pixels: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Return the features, float32 [N, h, w, K], and the class scores, float32 [N, C].

        Parameters
        ----------
        pixels : np.ndarray
            float32 [N, H, W, channels], images at the size of the input, before preprocessing.
        """
        ops = self._engine.ops
        fetches: Dict[Hashable, tf.Tensor] = {"features": ops.features(self.layer), "scores": ops.scores("logit")}
        found = self._runner.run(fetches, self._explainer.to_batch(pixels))
        return found["features"], found["scores"]

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """Return the class scores alone: float32 [N, C]."""
        return self._runner.run({0: self._engine.ops.scores("logit")}, self._explainer.to_batch(pixels))[0]

    def scores_at(self, features: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Return the scores of all classes where the layer holds `features`: float32 [M, C].

        Parameters
        ----------
        features : np.ndarray
            float32 [M, h, w, K].
        pixels : np.ndarray
            float32 [1, H, W, channels]: the image that is fed besides, in case a path leads round the layer.

        Raises
        ------
        GradientError
            For a layer of tokens.
        """
        tensor = self._engine.ops.layer_tensor(self.layer)
        if tensor.shape.rank == 3:
            raise GradientError(
                f"'{self.layer.name}' holds tokens: features cannot be put back into it; name another layer"
            )
        values = layout_of(self.layer).put_back(features, tensor.shape.rank)
        values = values.astype(tensor.dtype.as_numpy_dtype)
        image = self._explainer.to_batch(pixels[:1])
        batch = np.broadcast_to(image, (len(features), *image.shape[1:]))
        return self._runner.run({0: self._engine.ops.scores("logit")}, batch, {tensor: values})[0]

    def gradients(self, pixels: np.ndarray, class_id: int) -> np.ndarray:
        """Return dy/dA of the logit of a class, float32 [N, h, w, K]. Raises GradientError if there is no way."""
        ops, slot = self._engine.ops, Slot(0)
        request = ScoreRequest(LOGIT, {"code": np.full(len(pixels), class_id, np.int32)})
        grads = ops.grads(LOGIT, (self.layer,), slot)[self.layer]
        return self._runner.run({0: grads}, self._explainer.to_batch(pixels), ops.fed(request, slot))[0]

    def cells(self, sides: Sequence[int], grid: Sequence[int]) -> Optional[Cells]:
        """Return where the cells of the layer lie on an input of these sides; None: they share it evenly."""
        return cells_of(self._explainer.binding.places, self.layer.name, sides, grid)[0]
