"""The runs of the net that a method makes for one image and its targets, on inputs of its own making."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cells import cells_of
from gradcam_tf1.engine.graph_ops import GraphOps
from gradcam_tf1.engine.session_runner import SessionRunner
from gradcam_tf1.errors import GradientError
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.methods.interfaces import Build, LiftedMaps, LiftedOps, ProbeBase
from gradcam_tf1.scoring.map_layout import layout_of
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells, LayerInfo, ScoreRequest, Slot


class Probe(ProbeBase):
    """One image and its T targets.

    Parameters
    ----------
    ops : GraphOps
        The ops of the net.
    runner : SessionRunner
        Runs them.
    fed : np.ndarray
        The image as it is fed, [H, W, C] of the input's dtype.
    requests : sequence of ScoreRequest
        The T targets; their class ids are fixed, so that a changed input is explained for the same classes.
    pixels, to_batch
        Of this image, as in `MapRequest`.
    image : np.ndarray, optional
        See `ProbeBase`; None: what `fed` leads to.
    """

    def __init__(
        self,
        ops: GraphOps,
        runner: SessionRunner,
        fed: np.ndarray,
        requests: Sequence[ScoreRequest],
        pixels: np.ndarray,
        to_batch: Callable[[np.ndarray], np.ndarray],
        image: Optional[np.ndarray] = None,
    ) -> None:
        self._ops = ops
        self._runner = runner
        self._fed = fed
        self._to_batch = to_batch
        self.pixels = pixels
        self.requests = requests
        self.image = self._float_images(fed[np.newaxis])[0] if image is None else image
        self._notes: List[List[str]] = [[] for _ in requests]
        self.step: Callable[[int], None] = _no_step
        self._own_features: Dict[LayerInfo, np.ndarray] = {}

    def to_input(self, pixels: np.ndarray) -> np.ndarray:
        """Preprocess RGB 0..255 [M, H, W, 3] to inputs like `image` [M, H, W, C], for baselines that are images."""
        return self._float_images(self._to_batch(pixels))

    def _float_images(self, batch: np.ndarray) -> np.ndarray:
        return self._runner.run({0: self._ops.images()}, batch)[0]

    @property
    def targets(self) -> int:
        """T."""
        return len(self.requests)

    @property
    def takes_any_size(self) -> bool:
        """Whether `inputs` may have another H and W than `image`."""
        return self._ops.takes_any_size()

    @property
    def chunk(self) -> int:
        """Inputs per `session.run`: a method makes no more than these at a time."""
        return self._runner.chunk

    def note(self, target: int, sentence: str) -> None:
        """Add a sentence to the notes in the status of the target's map."""
        self._notes[target].append(sentence)

    def take_notes(self) -> List[Tuple[str, ...]]:
        """Return the notes of each target and forget them."""
        taken, self._notes = self._notes, [[] for _ in self.requests]
        return [tuple(notes) for notes in taken]

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Return the scores of all targets for each input: [M, H, W, C] -> float32 [M, T]."""
        return self._scores(inputs, {})

    def scores_at(self, layer: LayerInfo, features: np.ndarray) -> np.ndarray:
        """Return the scores where the layer holds `features`. Only what follows the layer is computed.

        Parameters
        ----------
        layer : LayerInfo
            A single layer.
        features : np.ndarray
            float32 [M, h, w, K].

        Returns
        -------
        np.ndarray
            float32 [M, T].

        Raises
        ------
        GradientError
            For a layer of tokens.
        """
        tensor = self._ops.layer_tensor(layer)
        if tensor.shape.rank == 3 and not self._ops.takes_signals():
            raise GradientError(f"'{layer.name}' holds tokens: a map of them cannot be put back; name another layer")
        values = layout_of(layer).put_back(features, tensor.shape.rank)
        # the image is fed too, in case a path round the layer leads to the logits
        return self._scores(np.broadcast_to(self.image, (len(features), *self.image.shape)), {tensor: values})

    def own_features(self, layer: LayerInfo) -> np.ndarray:
        """Return the features of the image itself, computed once: float32 [h, w, K]."""
        if layer not in self._own_features:
            own = (self._ops.float_images(), self.image[np.newaxis])
            features: Dict[Any, tf.Tensor] = {0: self._ops.features(layer)}
            found = self._runner.run(features, self._fed[np.newaxis], self._repeated(0, 1), floats=own)
            self._own_features[layer] = found[0][0]
        return self._own_features[layer]

    def cells(self, layer: LayerInfo) -> Optional[Cells]:
        """Return where the cells of the layer lie on `image`; None: they share it evenly."""
        return self.cells_of(layer.name, self.own_features(layer).shape[:-1])

    def cells_of(self, name: str, grid: Sequence[int], sides: Optional[Sequence[int]] = None) -> Optional[Cells]:
        """Return the same for any tensor of the net by its name and the sides of its grid, and of another input."""
        return cells_of(self._ops.places, name, self.image.shape[:-1] if sides is None else sides, grid)[0]

    def layer_grads(self, layer: LayerInfo, inputs: np.ndarray, target: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return features and grads of one target's score for each input: two float32 [M, h, w, K]."""
        slot = self._slot(target)
        grads = self._ops.grads(LOGIT, (layer,), slot)[layer]
        found = self._run({"a": self._ops.features(layer), "g": grads}, inputs, self._values(inputs, target))
        return found["a"], found["g"]

    def pixel_grads(self, inputs: np.ndarray, target: int) -> np.ndarray:
        """Return dy/dx of one target's score for each input: [M, H, W, C] -> float32 [M, H, W, C]."""
        grads = self._ops.pixel_grads(self._slot(target))
        return self._run({0: grads}, inputs, self._values(inputs, target))[0]

    def evaluate(self, build: Build, inputs: np.ndarray, target: int) -> Dict[Any, np.ndarray]:
        """Return what `build` makes of one target's score and the images' tensor, for each input: arrays [M, ...]."""
        found = self._ops.extension(build, self._slot(target))
        return self._run(found, inputs, self._values(inputs, target))

    def lifted(self, rule: str, references: np.ndarray, target: int) -> LiftedMaps:
        """Return the DeepLIFT contributions of the image's pixels to one target's score.

        Parameters
        ----------
        rule : str
            One of `lift.LIFT_RULES`.
        references : np.ndarray
            float32 [M, H, W, C].
        target : int
            Which target.

        Returns
        -------
        LiftedMaps
            [M, H, W, C].

        Raises
        ------
        GradientError
            As `lift`.
        """
        ops = self._ops.lifted_pixels(rule, self._slot(target))
        inputs = np.broadcast_to(self.image, (len(references), *self.image.shape))
        found = self._run_lifted(ops, inputs, {ops.references: references}, target)
        return found._replace(contributions=found.contributions * (inputs.astype(np.float64) - references))

    def lifted_at(self, layer: LayerInfo, rule: str, target: int) -> LiftedMaps:
        """Return the DeepLIFT contributions of a layer's features, against features of zero: [1, h, w, K]."""
        ops = self._ops.lifted_layer(rule, layer, self._slot(target))
        found = self._run_lifted(ops, self.image[np.newaxis], {}, target)
        return found._replace(contributions=found.contributions * self.own_features(layer))

    def _run_lifted(self, ops: LiftedOps, inputs: np.ndarray, feed: Dict[Any, np.ndarray], target: int) -> LiftedMaps:
        fetches = {"multipliers": ops.multipliers, "rises": ops.rise}
        found = self._run(fetches, inputs, {**self._values(inputs, target), **feed})
        return LiftedMaps(found["multipliers"].astype(np.float64), found["rises"].astype(np.float64), ops.about)

    def _scores(self, inputs: np.ndarray, feed: Dict[tf.Tensor, np.ndarray]) -> np.ndarray:
        targets = range(self.targets)
        fetches = {target: self._ops.score(LOGIT, self._slot(target)) for target in targets}
        for target in targets:
            feed = {**feed, **self._values(inputs, target)}
        scores = self._run(fetches, inputs, feed)
        return np.stack([scores[target] for target in targets], axis=1)

    def _slot(self, target: int) -> Slot:
        return Slot(target, self.requests[target].score)

    def _values(self, inputs: np.ndarray, target: int) -> Dict[tf.Tensor, np.ndarray]:
        """Return the target's values, the same for every input."""
        return self._repeated(target, len(inputs))

    def _repeated(self, target: int, count: int) -> Dict[tf.Tensor, np.ndarray]:
        fed = self._ops.fed(self.requests[target], self._slot(target))
        return {tensor: np.repeat(value, count, axis=0) for tensor, value in fed.items()}

    def _run(
        self, fetches: Dict[Any, tf.Tensor], inputs: np.ndarray, feed: Dict[tf.Tensor, np.ndarray]
    ) -> Dict[Any, np.ndarray]:
        # the image itself is fed below them, since the graph may read its size there
        fed = np.broadcast_to(self._fed, (len(inputs), *self._fed.shape))
        return self._runner.run(fetches, fed, feed, (self._ops.float_images(), inputs), self.step)


def _no_step(_count: int) -> None:
    """Report no progress."""
