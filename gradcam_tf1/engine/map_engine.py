"""One run of the net for everything that is requested of a batch, and further runs for the methods that need them."""

from __future__ import annotations

from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Hashable,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from gradcam_tf1.engine.absent_layers import name_branches
from gradcam_tf1.engine.broken_nets import why_broken
from gradcam_tf1.engine.broken_weights import WeightCheck
from gradcam_tf1.engine.changed_constants import ConstantFeeder
from gradcam_tf1.engine.feature_maps import tokens_as_map
from gradcam_tf1.engine.finished_maps import RunPart, finish, join, joined_notes
from gradcam_tf1.engine.found_classes import (
    Found,
    best_of,
    chosen_of,
    class_ids_of,
    of_image,
    predicted_of,
    with_ids,
)
from gradcam_tf1.engine.graph_ops import GraphOps
from gradcam_tf1.engine.image_range import range_feed
from gradcam_tf1.engine.iterate import check_copies, run_jobs
from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.engine.map_request import MapAnswer, MapRequest
from gradcam_tf1.engine.probe import Probe
from gradcam_tf1.engine.session_runner import SessionRunner
from gradcam_tf1.errors import OptionError, RunError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.base import LOGIT, Fetched, Fetches, MapTask
from gradcam_tf1.methods.layer_maps import InputGrid
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, ScoreRequest, Slot

# more targets than this are computed in several runs: each slot adds a backward pass to the graph
MAX_SLOTS = 32

Layers = Tuple[LayerInfo, ...]
Session = Union[LiveSession, "tf.Session"]


class MapEngine(ConstantFeeder):
    """Explains batches with one net.

    Parameters
    ----------
    graph : tf.Graph
        Holds the net.
    sess : LiveSession or tf.Session
        A session of this graph.
    binding : Binding
        The key tensors.
    batch_size : int
        Images per run, unless the graph has its own baked in.
    reshape : Callable
        Tokens [N, tokens, K] -> [N, h, w, K].
    """

    def __init__(
        self,
        graph: tf.Graph,
        sess: Session,
        binding: Binding,
        batch_size: int,
        reshape: Callable[[tf.Tensor], tf.Tensor] = tokens_as_map,
    ) -> None:
        self._binding = binding
        self._known: Dict[str, Any] = {}
        self.graph = graph
        live = sess if isinstance(sess, LiveSession) else LiveSession(sess)
        self._ops = GraphOps(graph, binding, reshape, live.building)
        self._nan_weights = WeightCheck(live, self._ops.weights)
        self._runner = SessionRunner(live, binding, batch_size)
        classes = self._ops.scores("logit").shape[1]
        self._classes: Optional[int] = getattr(classes, "value", classes)

    @property
    def ops(self) -> GraphOps:
        """The ops that were added to the net."""
        return self._ops

    @property
    def runner(self) -> SessionRunner:
        """What feeds and fetches the tensors of the net."""
        return self._runner

    def known_classes(self) -> int:
        """Return the number of classes. Raises OptionError if only a run of the net can tell."""
        if self._classes is None:
            raise OptionError(f"the shape of '{self._binding.logits}' does not say how many classes the net has")
        return self._classes

    def time_limit(self, seconds: Optional[float]) -> ContextManager[None]:
        """See `SessionRunner.time_limit`."""
        return self._runner.time_limit(seconds)

    def classes(self, batch: np.ndarray, inputs: Mapping[str, np.ndarray]) -> int:
        """Return the number of classes, from the graph or, where its shapes do not say, from running one image.

        Parameters
        ----------
        batch : np.ndarray
            As in `MapRequest`.
        inputs : mapping
            Of the batch, as in `ScoreRequest`.
        """
        if self._classes is None:
            further = self._ops.inputs({name: values[:1] for name, values in inputs.items()})
            self._classes = int(self._runner.run({0: self._ops.scores("logit")}, batch[:1], further)[0].shape[1])
        return self._classes

    def float_images(self, batch: np.ndarray, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the values of the net's first float tensor: float32 [N, H, W, C]; the arguments as in `classes`."""
        return self._runner.run({0: self._ops.images()}, batch, self._ops.inputs(inputs))[0]

    def fetch(
        self, tensors: Mapping[Hashable, tf.Tensor], batch: np.ndarray, inputs: Mapping[str, np.ndarray]
    ) -> Dict[Hashable, np.ndarray]:
        """Return the values of tensors with the image axis first; the arguments as in `classes`."""
        return self._runner.run(dict(tensors), batch, self._ops.inputs(inputs))

    def known(self, what: str, find: Callable[[], Any]) -> Any:
        """Return what `find` finds in the graph, searched once."""
        if what not in self._known:
            self._known[what] = find()
        return self._known[what]

    def values(self, tensors: Sequence[tf.Tensor]) -> List[np.ndarray]:
        """Return the values of tensors that depend on no input, such as weights."""
        return self._runner.constants(tensors)

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """Return the logits tensor of each image as one vector: float32 [N, D]."""
        return self._runner.run({0: self._ops.embedding()}, batch)[0]

    def evaluate(
        self, batch: np.ndarray, tensors: Sequence[str] = (), inputs: Optional[Mapping[str, np.ndarray]] = None
    ) -> Dict[Hashable, np.ndarray]:
        """Return what the net makes of a batch, without any target.

        Parameters
        ----------
        batch : np.ndarray
            As in `MapRequest`.
        tensors : sequence of str
            Names of further tensors, with the image axis first.
        inputs : mapping or None
            Of the batch, as in `ScoreRequest`.

        Returns
        -------
        dict
            "scores" and "probabilities", float32 [N, C], and the tensors by name.
        """
        fetches: Dict[Hashable, tf.Tensor] = {
            "scores": self._ops.scores("logit"),
            "probabilities": self._ops.scores("probability"),
        }
        fetches.update({name: self.graph.get_tensor_by_name(name) for name in tensors})
        return self._runner.run(fetches, batch, self._ops.inputs(inputs or {}))

    def build(self, methods: Sequence[str], layers: Layers) -> None:
        """Build what one target needs.

        Raises
        ------
        GradientError
            Where a method cannot work on this net.
        """
        self._check({name: {} for name in methods}, layers)
        for name in methods:
            METHODS[name].build(self._ops, layers)

    def run(self, request: MapRequest) -> MapAnswer:
        """Explain a batch.

        Raises
        ------
        GradientError, OptionError
            Where a method cannot work on this net or these layers.
        RunError
            With TensorFlow's reason.
        """
        self._check(request.methods, request.layers, request.eigen_smooth)
        starts = range(0, len(request.scores), MAX_SLOTS)
        part = join([self._run_part(request, request.scores[t : t + MAX_SLOTS]) for t in starts])
        iterated = [name for name in request.methods if METHODS[name].iterated]
        if iterated:
            probes = self.probes(request, part.settled)
            tasks = {name: MapTask(request.layers, (), request.methods[name]) for name in iterated}
            jobs = [job for name, task in tasks.items() for job in METHODS[name].jobs(probes, task)]
            part = part.with_maps(*run_jobs(jobs, probes, request.report))
        answer = finish(part, self._failures(part, request), request, self.grid(request.sides))
        name_branches(answer, request.layers, self._binding, self.graph)
        return answer

    def grid(self, sides: Sequence[int]) -> InputGrid:
        """Return the pixels of an input with these sides, and where the cells of the layers lie on them."""
        return InputGrid(sides, self._binding.places)

    def _check(self, methods: Mapping[str, Mapping[str, Any]], layers: Layers, eigen_smooth: bool = False) -> None:
        """Refuse what cannot be computed together, before anything runs."""
        several = [layer for layer in layers if layer.parts]
        if several:
            parts = ", ".join(part.name for part in several[0].parts)
            if eigen_smooth:
                raise OptionError(
                    f"eigen_smooth makes one principal component of a layer; {parts} are several. Name one of them as "
                    "layer"
                )
            for name, options in methods.items():
                METHODS[name].check_parts(parts, options)
        check_copies([METHODS[name] for name in methods], self._binding.mixing, self._runner.chunk)

    def _run_part(self, request: MapRequest, scores: Sequence[ScoreRequest]) -> RunPart:
        """Run the net once for up to MAX_SLOTS targets, and make the maps of all methods that need no other run."""
        slots = [Slot(place, score.score) for place, score in enumerate(scores)]
        tasks = {
            name: MapTask(request.layers, slots, options, request.eigen_smooth)
            for name, options in request.methods.items()
        }
        tensors = {name: METHODS[name].fetches(self._ops, task) for name, task in tasks.items()}
        found = self._fetch(request, dict(zip(slots, scores)), tensors.values())
        fetched = {name: _values(part, found) for name, part in tensors.items()}
        grid = self.grid(request.sides)
        maps = {
            (name, layer): raw
            for name, task in tasks.items()
            for layer, raw in METHODS[name].finish(fetched[name], task, grid).items()
        }
        notes = {
            (name, layer): [row] * len(request.batch)
            for name, task in tasks.items()
            for layer, row in METHODS[name].notes(self._ops, task).items()
        }
        for name, task in tasks.items():
            for layer, rows in METHODS[name].findings(fetched[name], task).items():
                notes[name, layer] = joined_notes(notes.get((name, layer)), rows)
        class_ids = np.stack([class_ids_of(score, found, slot) for slot, score in zip(slots, scores)], axis=1)
        return RunPart(
            class_ids=class_ids,
            scores=np.stack([found["scores", slot] for slot in slots], axis=1),
            probabilities=chosen_of(found.get("probabilities"), class_ids),
            predicted=predicted_of(found),
            broken=found["broken"],
            best=best_of(found),
            settled=tuple(with_ids(score, found, slot) for slot, score in zip(slots, scores)),
            maps=maps,
            notes=notes,
        )

    def _fetch(
        self, request: MapRequest, scores: Mapping[Slot, ScoreRequest], tensors: Iterable[Fetches]
    ) -> Dict[Hashable, np.ndarray]:
        """Fetch the classes and scores of the targets, and the tensors of all methods by their names."""
        ops = self._ops
        fetches: Dict[Hashable, tf.Tensor] = {"broken": ops.broken_scores()}
        fetches["best scores"], fetches["best classes"] = ops.best()
        if self._binding.probabilities:
            fetches["probabilities"] = ops.probabilities()
        feed = range_feed(self, request)
        for slot, score in scores.items():
            fetches["scores", slot] = ops.score(LOGIT, slot)
            resolve = {"code": ops.class_ids, "rival": ops.rival_ids}
            ranks = [name for name in resolve if name in score.values and (score.values[name] < 0).any()]
            fetches.update({(name, slot): resolve[name](slot) for name in ranks})  # other codes are the classes
            feed.update(ops.fed(score, slot))
        # by name, because several methods fetch the same tensors
        fetches.update({tensor.name: tensor for part in tensors for tensor in part.values()})
        floats = None if request.floats is None else (ops.float_images(), request.floats)
        found = self._runner.run(fetches, request.batch, feed, floats)
        return {**found, "broken": found["broken"] | self._nan_weights()}

    def _failures(self, part: RunPart, request: MapRequest) -> Tuple[str, ...]:
        """Return for each image why it has no answer, "" where it has one."""
        inputs = request.scores[0].inputs
        return tuple(
            self._why_broken(request.batch, inputs, n) if broken else "" for n, broken in enumerate(part.broken)
        )

    def _why_broken(self, batch: np.ndarray, inputs: Mapping[str, np.ndarray], n: int) -> str:
        further = self._ops.inputs({name: values[n : n + 1] for name, values in inputs.items()})
        return why_broken(self._runner, self._ops.scores("logit"), batch[n : n + 1], further)

    def probes(self, request: MapRequest, settled: Sequence[ScoreRequest]) -> List[Probe]:
        """Return for each image what runs the net on changed copies of it, for targets whose classes are fixed."""
        if request.pixels is None or request.to_batch is None:
            raise OptionError("iterated methods need the images behind the batch: give pixels and to_batch")
        floats = [None] * len(request.batch) if request.floats is None else request.floats
        ops, run, to_batch = self._ops, self._runner, request.to_batch
        return [
            Probe(ops, run, image, [of_image(score, n) for score in settled], rgb, to_batch, own)
            for n, (image, rgb, own) in enumerate(zip(request.batch, request.pixels, floats))
        ]


def _values(tensors: Fetches, found: Found) -> Fetched:
    """Return what was fetched for one method. Refuse a map without positions."""
    for key, tensor in tensors.items():
        if 0 in found[tensor.name].shape:
            shape = list(found[tensor.name].shape[1:])
            raise RunError(f"'{key.layer}' comes out as {shape} on this image, which is too small for the net")
    return {key: found[tensor.name] for key, tensor in tensors.items()}
