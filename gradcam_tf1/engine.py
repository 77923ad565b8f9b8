"""Everything asked of a batch in one `session.run`, and of methods that need more, what they need."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.finish import finish
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.families import HostMethod, IteratedMethod, LayerMethod, PixelMethod, ProductMethod
from gradcam_tf1.probe import Probe
from gradcam_tf1.runner import Runner
from gradcam_tf1.symbols import Symbols
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, MapKey

# more targets than this are computed in several runs: each slot adds a backward pass to the graph
MAX_SLOTS = 32

Answer = Dict[str, Any]
Layers = Tuple[LayerInfo, ...]


class Engine:
    """Runs one net. batch_size: pictures per run, unless the graph has its own baked in."""

    def __init__(self, graph: tf.Graph, sess: tf.Session, binding: Binding, batch_size: int) -> None:
        self._binding = binding
        self._symbols = Symbols(graph, binding)
        self._runner = Runner(sess, binding, batch_size)
        classes = self._symbols.scores("logit").shape[1]
        self._classes = getattr(classes, "value", classes)

    def classes(self, batch: np.ndarray) -> int:
        """The number of classes, from the graph or, where its shapes do not tell, from running one picture."""
        if self._classes is None:
            self._classes = self._runner.run({0: self._symbols.scores("logit")}, batch[:1])[0].shape[1]
        return self._classes

    def build(self, methods: Sequence[str], layers: Layers) -> None:
        """Build what one target needs. Raises: GradientError where a method cannot work on this net."""
        self._map_fetches(methods, layers, slots=1)

    def run(
        self,
        batch: np.ndarray,
        codes: np.ndarray,
        methods: Sequence[str],
        layers: Layers,
        *,
        pixels: Optional[np.ndarray] = None,
        to_batch: Any = None,
        options: Optional[Mapping[str, Mapping[str, Any]]] = None,
    ) -> Answer:
        """Explain a batch.

        Args:
            batch: [N, H, W, C] of the input's dtype. codes: int32 [N, T], see `targets.py`.
            methods: names from METHODS. layers: what the layer methods look at.
            pixels: float32 [N, H, W, 3], RGB 0..255, the pictures behind the batch, and to_batch: what makes such
                a batch of such pictures; iterated methods need both.
            options: method -> its keyword options.

        Returns:
            class_ids int64 [N, T], scores float32 [N, T], probabilities float32 [N, T] or None, predicted int64 [N],
            maps {(method, layer): [N, T, ...]}, statuses with the same keys.
        """
        parts = [
            self._one_pass(batch, codes[:, t : t + MAX_SLOTS], methods, layers)
            for t in range(0, codes.shape[1], MAX_SLOTS)
        ]
        answer = _join_targets(parts)
        for name in methods:
            if isinstance(METHODS[name], IteratedMethod):
                probes = self._probes(batch, answer["class_ids"], pixels, to_batch)
                answer["maps"].update(_iterate(METHODS[name], probes, layers, (options or {}).get(name, {})))
        return finish(answer, methods, layers)

    def _one_pass(self, batch: np.ndarray, codes: np.ndarray, methods: Sequence[str], layers: Layers) -> Answer:
        slots = range(codes.shape[1])
        fetches: Dict[Any, tf.Tensor] = {"predicted": self._symbols.predicted()}
        for slot in slots:
            fetches["class_ids", slot] = self._symbols.class_ids(slot)
            fetches["scores", slot] = self._symbols.score("logit", slot)
        if self._binding.probabilities:
            fetches["probabilities"] = self._symbols.probabilities()
        map_fetches = self._map_fetches(methods, layers, len(slots))
        fetches.update({(key, slot): tensors[slot] for key, tensors in map_fetches.items() for slot in slots})
        found = self._runner.run(fetches, batch, {self._symbols.codes(slot): codes[:, slot] for slot in slots})

        def stacked(key: Any) -> np.ndarray:
            return np.stack([found[key, slot] for slot in slots], axis=1)

        answer = {name: stacked(name) for name in ("class_ids", "scores")}
        answer["class_ids"] = answer["class_ids"].astype(np.int64)
        if "probabilities" in found:
            answer["probabilities"] = np.take_along_axis(found["probabilities"], answer["class_ids"], axis=1)
        return {**answer, "predicted": found["predicted"], "maps": {key: stacked(key) for key in map_fetches}}

    def _map_fetches(self, methods: Sequence[str], layers: Layers, slots: int) -> Dict[MapKey, List[tf.Tensor]]:
        fetches: Dict[MapKey, List[tf.Tensor]] = {}
        symbols, each = self._symbols, range(slots)
        for method in (METHODS[name] for name in _with_factors(methods)):
            if isinstance(method, LayerMethod):
                cams = [symbols.cams(method, layers, slot) for slot in each]
                fetches.update({(method.name, at.name): [c[n] for c in cams] for n, at in enumerate(layers)})
            elif isinstance(method, PixelMethod):
                fetches[method.name, ""] = [symbols.pixels(method, slot) for slot in each]
            elif isinstance(method, HostMethod):
                for n, layer in enumerate(layers):
                    fetches["features", layer.name] = [symbols.features(layer)] * slots
                    if method.needs_grads:
                        key = (f"grads of {method.head}", layer.name)
                        fetches[key] = [symbols.grads(method.head, layers, slot)[n] for slot in each]
        return fetches

    def _probes(self, batch: np.ndarray, class_ids: np.ndarray, pixels: Any, to_batch: Any) -> List[Probe]:
        rows = zip(batch, class_ids.astype(np.int32), pixels)
        return [Probe(self._symbols, self._runner, fed, ids, rgb, to_batch) for fed, ids, rgb in rows]


def _iterate(method: Any, probes: List[Probe], layers: Layers, options: Mapping[str, Any]) -> Dict[MapKey, np.ndarray]:
    chosen: Sequence[Optional[LayerInfo]] = layers if method.uses_layer else [None]
    return {
        (method.name, layer.name if layer else ""): np.stack([method.compute(p, layer, **options) for p in probes])
        for layer in chosen
    }


def _with_factors(methods: Sequence[str]) -> List[str]:
    """The methods with the factors of products added, each once."""
    names: List[str] = []
    for name in methods:
        method = METHODS[name]
        wanted = [method.pixels, method.cam] if isinstance(method, ProductMethod) else [name]
        names.extend(factor for factor in wanted if factor not in names)
    return names


def _join_targets(parts: List[Answer]) -> Answer:
    """Answers for parts of the targets made one."""
    if len(parts) == 1:
        return parts[0]
    joined = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0] if name in _PER_TARGET}
    joined["predicted"] = parts[0]["predicted"]
    joined["maps"] = {key: np.concatenate([part["maps"][key] for part in parts], axis=1) for key in parts[0]["maps"]}
    return joined


_PER_TARGET = ("class_ids", "scores", "probabilities")
