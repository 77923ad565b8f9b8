"""Everything asked of a batch in one `session.run`, and of methods that need more, what they need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.binding.cells import cells_of
from gradcam_tf1.engine.absent_layers import name_branches
from gradcam_tf1.engine.broken_nets import why_broken
from gradcam_tf1.engine.feature_maps import tokens_as_map
from gradcam_tf1.engine.finished_maps import finish, smooth_channels
from gradcam_tf1.engine.graph_ops import GraphOps
from gradcam_tf1.engine.iterate import Notes, Report, check_copies, iterate
from gradcam_tf1.engine.layers_together import Where, check_together, spread
from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.engine.probe import Probe
from gradcam_tf1.engine.session_runner import SessionRunner
from gradcam_tf1.errors import RunError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.families import HostMethod, IteratedMethod, LayerMethod, PixelMethod, ProductMethod
from gradcam_tf1.methods.pixel import GRADIENT
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, MapKey, ScoreRequest, Slot

# more targets than this are computed in several runs: each slot adds a backward pass to the graph
MAX_SLOTS = 32

NO_CLASS = -1
_CODES = ("code", "rival")

Answer = Dict[str, Any]
Layers = Tuple[LayerInfo, ...]
Session = Union[LiveSession, "tf.Session"]


class MapEngine:
    """Runs one net. batch_size: images per run, unless the graph has its own baked in. reshape: see `GraphOps`."""

    def __init__(
        self, graph: tf.Graph, sess: Session, binding: Binding, batch_size: int, reshape: Callable = tokens_as_map
    ) -> None:
        self._binding = binding
        self.graph = graph
        live = sess if isinstance(sess, LiveSession) else LiveSession(sess)
        self._symbols = GraphOps(graph, binding, reshape, live.building)
        self._runner = SessionRunner(live, binding, batch_size)
        classes = self._symbols.scores("logit").shape[1]
        self._classes = getattr(classes, "value", classes)

    def time_limit(self, seconds: Optional[float]) -> ContextManager[None]:
        """See `SessionRunner.time_limit`."""
        return self._runner.time_limit(seconds)

    def classes(self, batch: np.ndarray, inputs: Mapping[str, np.ndarray]) -> int:
        """The number of classes, from the graph or, where its shapes do not tell, from running one image.

        inputs: of the batch, as in `ScoreRequest`.
        """
        if self._classes is None:
            further = self._symbols.inputs({name: values[:1] for name, values in inputs.items()})
            self._classes = self._runner.run({0: self._symbols.scores("logit")}, batch[:1], further)[0].shape[1]
        return self._classes

    def build(self, methods: Sequence[str], layers: Layers) -> None:
        """Build what one target needs. Raises: GradientError where a method cannot work on this net."""
        check_together(methods, layers, {})
        check_copies(methods, self._binding.mixing, self._runner.chunk)
        self._map_fetches(methods, layers, [Slot(0)])
        for method in (METHODS[name] for name in methods):
            if isinstance(method, IteratedMethod) and method.needs_grads:  # what it asks for while it runs
                if method.uses_layer:
                    self._symbols.grads("logit", layers, Slot(0))
                else:
                    self._symbols.pixels(GRADIENT, Slot(0))

    def run(
        self,
        batch: np.ndarray,
        requests: Sequence[ScoreRequest],
        methods: Sequence[str],
        layers: Layers,
        *,
        pixels: Optional[np.ndarray] = None,
        to_batch: Any = None,
        options: Optional[Mapping[str, Mapping[str, Any]]] = None,
        report: Optional[Report] = None,
        floats: Optional[np.ndarray] = None,
        eigen_smooth: bool = False,
    ) -> Answer:
        """Explain a batch.

        Args:
            batch: [N, H, W, C] of the input's dtype. requests: T targets of all images, see `score_requests.py`.
            methods: names from METHODS. layers: what the layer methods look at.
            pixels: float32 [N, H, W, 3], RGB 0..255, the images behind the batch, and to_batch: what makes such
                a batch of such images; iterated methods need both.
            options: method -> its keyword options. report: told what iterated methods cost and how far they are.
            floats: float32 [N, H, W, C], for the net's first float tensor in place of what the batch leads to.
            eigen_smooth: layer methods give the first principal component of their weighted features, not the sum.

        Returns:
            class_ids int64 [N, T], scores float32 [N, T], probabilities float32 [N, T] or None, predicted int64 [N],
            failures [N], maps {(method, layer): [N, T, ...]}, statuses with the same keys, and cells where a map is not
            stretched.
        """
        check_together(methods, layers, options or {}, eigen_smooth)
        check_copies(methods, self._binding.mixing, self._runner.chunk)
        answer, requests = self._passes(batch, requests, methods, layers, floats, eigen_smooth)
        if eigen_smooth:
            answer["maps"] = smooth_channels(answer["maps"])
        answer["failures"] = self._failures(answer.pop("broken"), batch, requests[0].inputs)
        answer["notes"] = self._rule_notes(methods, layers, requests, len(batch))
        iterated = [method for method in map(METHODS.get, methods) if isinstance(method, IteratedMethod)]
        if iterated:
            probes = self._probes(batch, requests, pixels, to_batch, floats)
            maps, notes = iterate(iterated, layers, probes, options or {}, report)
            answer["maps"].update(maps)
            answer["notes"].update(notes)
        sides = batch.shape[1:-1]
        finished = finish(answer, methods, layers, options or {}, sides, self.where(sides))
        name_branches(finished, requests, layers, self._binding, self.graph)
        return finished

    def where(self, size: Sequence[int]) -> Where:
        """Where the cells of a layer lie on inputs of this size, see `Places.cells`; tells by name and grid."""
        return lambda name, grid: cells_of(self._binding.places, name, size, grid)

    def settle(self, batch: np.ndarray, requests: Sequence[ScoreRequest]) -> Tuple[List[ScoreRequest], np.ndarray]:
        """The asks with their class ids fixed, and what the net's first float tensor holds: float32 [N, H, W, C]."""
        further = self._symbols.inputs(requests[0].inputs)
        images = self._runner.run({0: self._symbols.images()}, batch, further)[0]
        return self.with_classes(batch, requests), images

    def with_classes(self, batch: np.ndarray, requests: Sequence[ScoreRequest]) -> List[ScoreRequest]:
        """The asks with their class ids fixed."""
        return self._passes(batch, requests, [], (), None, False)[1]

    def _passes(
        self,
        batch: np.ndarray,
        requests: Sequence[ScoreRequest],
        methods: Sequence[str],
        layers: Layers,
        floats: Any,
        eigen: bool,
    ) -> Tuple[Answer, List[ScoreRequest]]:
        starts = range(0, len(requests), MAX_SLOTS)
        parts = [self._one_pass(batch, requests[t : t + MAX_SLOTS], methods, layers, floats, eigen) for t in starts]
        answer = _join_targets(parts)
        return answer, answer.pop("asks")

    def _failures(self, broken: np.ndarray, batch: np.ndarray, inputs: Mapping[str, np.ndarray]) -> Tuple[str, ...]:
        """For each image why it has no answer, "" where it has one. broken: bool [N]. inputs: as in `ScoreRequest`."""
        return tuple(self._why_broken(batch, inputs, n) if wrong else "" for n, wrong in enumerate(broken))

    def _why_broken(self, batch: np.ndarray, inputs: Mapping[str, np.ndarray], n: int) -> str:
        further = self._symbols.inputs({name: values[n : n + 1] for name, values in inputs.items()})
        return why_broken(self._runner, self._symbols.scores("logit"), batch[n : n + 1], further)

    def _rule_notes(
        self, methods: Sequence[str], layers: Layers, requests: Sequence[ScoreRequest], images: int
    ) -> Notes:
        """What the gradient rules of pixel methods, and of products made with them, have reached."""
        notes: Notes = {}
        for method in (METHODS[name] for name in methods):
            pixels = METHODS[method.pixels] if isinstance(method, ProductMethod) else method
            if isinstance(pixels, PixelMethod):
                row = [
                    self._symbols.rule_note(pixels, Slot(t % MAX_SLOTS, request.score))
                    for t, request in enumerate(requests)
                ]
                places = [at.name for at in layers] if method.uses_layer else [""]
                notes.update({(method.name, place): [row] * images for place in places})
        return notes

    def _one_pass(
        self,
        batch: np.ndarray,
        requests: Sequence[ScoreRequest],
        methods: Sequence[str],
        layers: Layers,
        floats: Any,
        eigen: bool,
    ) -> Answer:
        slots = [Slot(place, request.score) for place, request in enumerate(requests)]
        fetches: Dict[Any, tf.Tensor] = {"predicted": self._symbols.predicted(), "broken": self._symbols.broken()}
        if self._binding.probabilities:
            fetches["probabilities"] = self._symbols.probabilities()
        fed: Dict[tf.Tensor, np.ndarray] = {}
        for slot, request in zip(slots, requests):
            fetches["scores", slot] = self._symbols.score("logit", slot)
            fetches.update({(name, slot): self._resolved(name, slot) for name in request.values if name in _CODES})
            fed.update(self._symbols.fed(request, slot))
        map_fetches = self._map_fetches(methods, layers, slots, eigen)
        fetches.update({(key, slot): tensor for key, row in map_fetches.items() for slot, tensor in zip(slots, row)})
        own = None if floats is None else (self._symbols.float_images(), floats)
        found = self._runner.run(fetches, batch, fed, own)
        for key in map_fetches:
            if 0 in found[key, slots[0]].shape:
                shape = list(found[key, slots[0]].shape[1:])
                raise RunError(f"'{key[1]}' comes out as {shape} on this image, which is too small for the net")
        answer = {
            "predicted": np.where(found["broken"], NO_CLASS, found["predicted"]),
            "broken": found["broken"],
            "scores": np.stack([found["scores", slot] for slot in slots], axis=1),
            "class_ids": np.stack([_class_ids(request, found, slot) for slot, request in zip(slots, requests)], axis=1),
            "maps": {key: np.stack([found[key, slot] for slot in slots], axis=1) for key in map_fetches},
            "asks": [_with_ids(request, found, slot) for slot, request in zip(slots, requests)],
        }
        if "probabilities" in found:
            chosen = np.take_along_axis(found["probabilities"], np.maximum(answer["class_ids"], 0), axis=1)
            answer["probabilities"] = np.where(answer["class_ids"] == NO_CLASS, np.nan, chosen)
        return answer

    def _resolved(self, name: str, slot: Slot) -> tf.Tensor:
        return self._symbols.class_ids(slot) if name == "code" else self._symbols.rival_ids(slot)

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """The logits tensor of each image as one vector: float32 [N, D]."""
        return self._runner.run({0: self._symbols.embedding()}, batch)[0]

    def _map_fetches(
        self, methods: Sequence[str], layers: Layers, slots: List[Slot], eigen: bool = False
    ) -> Dict[MapKey, List[tf.Tensor]]:
        fetches: Dict[MapKey, List[tf.Tensor]] = {}
        symbols = self._symbols
        for method in (METHODS[name] for name in _with_factors(methods)):
            if isinstance(method, LayerMethod):
                build = symbols.channel_cams if eigen else symbols.cams
                cams = [build(method, layers, slot) for slot in slots]
                fetches.update(
                    {(method.name, name): [c[n] for c in cams] for n, (name, _) in enumerate(spread(layers))}
                )
            elif isinstance(method, PixelMethod):
                fetches[method.name, ""] = [symbols.pixels(method, slot) for slot in slots]
            elif isinstance(method, HostMethod):
                for name, layer in spread(layers):
                    fetches["features", name] = [symbols.features(layer)] * len(slots)
                    if method.needs_grads:
                        key = (f"grads of {method.head}", name)
                        fetches[key] = [symbols.grads(method.head, layers, slot)[layer] for slot in slots]
        return fetches

    def _probes(
        self, batch: np.ndarray, requests: List[ScoreRequest], pixels: Any, to_batch: Any, floats: Any
    ) -> List[Probe]:
        rows = [[_of_image(request, n) for request in requests] for n in range(len(batch))]
        images = zip(batch, rows, pixels, [None] * len(batch) if floats is None else floats)
        return [Probe(self._symbols, self._runner, fed, row, rgb, to_batch, own) for fed, row, rgb, own in images]


def _class_ids(request: ScoreRequest, found: Mapping[Any, np.ndarray], slot: Slot) -> np.ndarray:
    """The classes asked about, int64 [N]; none where the target is no class, or a place among scores that are NaN."""
    if ("code", slot) not in found:
        return np.full(len(found["broken"]), NO_CLASS)
    unknown = found["broken"] & (request.values["code"] < 0)
    return np.where(unknown, NO_CLASS, found["code", slot]).astype(np.int64)


def _with_ids(request: ScoreRequest, found: Mapping[Any, np.ndarray], slot: Slot) -> ScoreRequest:
    """The ask with its codes resolved, so that a changed image is asked about the same classes."""
    return replace(request, values={name: found.get((name, slot), value) for name, value in request.values.items()})


def _of_image(request: ScoreRequest, n: int) -> ScoreRequest:
    values, inputs = (
        {name: value[n : n + 1] for name, value in part.items()} for part in (request.values, request.inputs)
    )
    return replace(request, values=values, inputs=inputs)


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
    joined.update({name: parts[0][name] for name in ("predicted", "broken")})
    joined["asks"] = [request for part in parts for request in part["asks"]]
    joined["maps"] = {key: np.concatenate([part["maps"][key] for part in parts], axis=1) for key in parts[0]["maps"]}
    return joined


_PER_TARGET = ("class_ids", "scores", "probabilities")
