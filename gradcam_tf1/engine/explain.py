"""From inputs and a question about them to an Explanation: prepare, read the targets, run, collect."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite, isnan
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.layer_specs import is_auto, resolve_layer
from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.figure_kinds import FigureExplainer
from gradcam_tf1.engine.array_inputs import (
    array_methods,
    as_arrays,
    as_token_ids,
    check_methods,
    no_such_target,
    rows_of_ids,
)
from gradcam_tf1.engine.auto_layer import OWN, check_own
from gradcam_tf1.engine.changed_images import ChangedImages
from gradcam_tf1.engine.detections import DetectionFinder, placed_detections, settle_detections
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.engine.further_inputs import FurtherInputs
from gradcam_tf1.engine.input_batches import in_rgb, input_batch, stack_pixels
from gradcam_tf1.engine.layer_fusion import check_fusion, fuse_layers
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.map_request import MapAnswer, MapRequest
from gradcam_tf1.engine.net_hooks import NetHooks
from gradcam_tf1.engine.smoothing import explain_request
from gradcam_tf1.errors import GradientError, OptionError, TargetError
from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.images.fitted_clips import fit_clips
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.given_images import as_images
from gradcam_tf1.labels import Labels
from gradcam_tf1.methods.choices import ChosenMethods, Methods, choose_methods, opened_methods
from gradcam_tf1.methods.masking import check_baselines
from gradcam_tf1.methods.noise import as_noise
from gradcam_tf1.scoring.mask_regions import fit_mask, fit_point
from gradcam_tf1.scoring.score_requests import TargetContext, make_requests
from gradcam_tf1.tf_runtime import numpy_dtype
from gradcam_tf1.types import Binding, LayerInfo, MapKey, ScoreRequest


@dataclass(frozen=True)
class NetInput:
    """Inputs of one shape, ready to be explained.

    Attributes
    ----------
    pixels : np.ndarray
        [N, ...], the images at the input's size before preprocessing, or signals and volumes as they are.
    to_batch : callable
        Makes the batch that is fed of such pixels.
    placements : sequence
        N records that place maps back on the originals.
    readers : mapping
        Read targets that point into the image, see `TargetContext`.
    images : tuple
        The original images; None for one that came fitted, () for signals, volumes, clips and texts.
    rows : mapping
        Further tensor -> values [N, ...] that come with these inputs: of embeddings, the token ids.
    """

    pixels: np.ndarray
    to_batch: Callable[[np.ndarray], np.ndarray]
    placements: Sequence[Any]
    readers: Mapping[str, Callable[..., Any]]
    images: Tuple[Optional[np.ndarray], ...] = ()
    rows: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class NetExplainer(FigureExplainer):
    """A bound net on one device, ready to explain inputs."""

    net: NetHooks
    binding: Binding
    engine: MapEngine
    labels: Optional[Labels]

    def prepare(self, inputs: Any) -> NetInput:
        """Bring inputs to the net's size. The binding decides what they are: images, clips, signals or volumes.

        Raises
        ------
        OptionError
            If they are not what the net takes.
        ImageFileError
            If a file cannot be read.
        """
        if self.binding.frame_order:
            return self._clips(inputs)
        return self._images(inputs) if self.binding.array_shape is None else self._arrays(inputs)

    def _images(self, inputs: Any) -> NetInput:
        net = self.net
        given = as_images(inputs, net.takes_own_range, net.channels_in)
        fitted = [item if isinstance(item, Fitted) else net.fit_pixels(item) for item in given]
        readers: Dict[str, Callable[..., Any]] = {
            "fit_mask": lambda n, mask: fit_mask(mask, fitted[n].placement),
            "fit_point": lambda n, point: fit_point(point, fitted[n].placement),
            "embed": self._embed,
        }
        images = tuple(None if isinstance(item, Fitted) else item for item in given)
        return NetInput(stack_pixels(fitted), self.to_batch, [item.placement for item in fitted], readers, images)

    def _clips(self, inputs: Any) -> NetInput:
        def fit(frame: Any) -> Fitted:
            return frame if isinstance(frame, Fitted) else self.net.fit_pixels(frame)

        clips = fit_clips(inputs, self.binding, fit, self.net.takes_own_range)
        readers = dict.fromkeys(("fit_mask", "fit_point", "embed"), no_such_target)
        return NetInput(stack_pixels(clips), self.to_batch, [clip.placement for clip in clips], readers)

    @property
    def to_batch(self) -> Callable[[np.ndarray], np.ndarray]:
        """See `NetInput`."""
        if self.binding.frame_order:
            return self._clips_to_batch
        return self._to_batch if self.binding.array_shape is None else self._arrays_to_batch

    def pixels_shape(self, sides: Sequence[int]) -> Tuple[int, ...]:
        """Return the shape of `NetInput.pixels` of one input of these sides."""
        shape = self.binding.array_shape
        channels = self.net.channels_in if shape is None or self.binding.frame_order else shape[-1]
        return (1, *sides, channels or 1)

    def _clips_to_batch(self, pixels: np.ndarray) -> np.ndarray:
        frames = self._to_batch(pixels.reshape((-1, *pixels.shape[2:])))
        return frames.reshape((*pixels.shape[:2], *frames.shape[1:]))

    def _arrays(self, inputs: Any) -> NetInput:
        rows: Dict[str, np.ndarray] = {}
        if self.binding.token_ids:
            ids = as_token_ids(inputs, self.binding)
            rows, inputs = rows_of_ids(ids, self.binding), self.engine.runner.embeddings(ids)
        values = as_arrays(inputs, self.binding)
        placements = [ArrayPlacement(each.shape[:-1]) for each in values]
        readers = dict.fromkeys(("fit_mask", "fit_point", "embed"), no_such_target)
        return NetInput(values, self.to_batch, placements, readers, rows=rows)

    def _arrays_to_batch(self, pixels: np.ndarray) -> np.ndarray:
        return pixels.astype(numpy_dtype(self.binding.dtype))

    def explain(
        self, given: NetInput, targets: Any, methods: Methods, layers: Any, score: str, options: ExplainOptions
    ) -> Explanation:
        """Explain prepared inputs; the arguments and errors are those of `GradCamGraph.explain`."""
        chosen, infos = opened_methods(self.chosen_methods(methods, options)), self.resolve_layers(layers)
        if options.fuse is not None:
            check_fusion(options.fuse, len(infos))
        batch = given.to_batch(given.pixels)
        rows = {**given.rows, **self.further.rows({} if options.inputs is None else options.inputs, len(batch))}
        targets = DetectionFinder(self.engine, self.binding, self.labels, batch, rows).spread(targets)
        detections = placed_detections(targets, given.placements)
        request = MapRequest(
            batch=batch,
            scores=self._scores(batch, given, targets, score, rows),
            methods=chosen,
            layers=infos,
            pixels=given.pixels,
            to_batch=given.to_batch,
            report=options.progress,
            eigen_smooth=options.eigen_smooth,
            found=targets if detections else (),
        )
        answer = explain_request(self.engine, self.binding, request, as_noise(options.noise), options.aug_smooth)
        if options.fuse is not None:
            fuse_layers(answer, options.fuse, request.sides)
        if detections:
            answer = settle_detections(answer, targets)
        return Explanation(
            class_ids=answer.class_ids,
            scores=answer.scores,
            probabilities=answer.probabilities,
            predicted=answer.predicted,
            maps=self._in_rgb(answer.maps, given),
            statuses=answer.statuses,
            placements=given.placements,
            layers=tuple(info.name for info in infos),
            abouts=tuple(score.about for score in request.scores),
            failures=answer.failures,
            cells=answer.cells,
            labels=self.labels,
            images=given.images,
            top=_top(answer, self.labels),
            detections=detections,
        )

    def _in_rgb(self, maps: Dict[MapKey, np.ndarray], given: NetInput) -> Dict[MapKey, np.ndarray]:
        """Return the maps of images and clips with their channels as red, green, blue."""
        if self.binding.array_shape is not None and not self.binding.frame_order:
            return maps
        height, width = given.pixels.shape[-3:-1]
        return in_rgb(maps, self.net.preprocess, (height, width))

    def probe(self, given: NetInput, class_id: int, measured: str = "logit", explained: str = "logit") -> ChangedImages:
        """Return what runs the net on changed copies of the first input, for this class.

        Parameters
        ----------
        given : NetInput
            From `prepare`; images.
        class_id : int
            The class.
        measured, explained : {"logit", "probability", "log_probability", "margin", "down"}
            Which score of the class `ChangedImages.score` returns, and which its `maps` explain.
        """
        pixels = given.pixels[:1]
        score = ScoreRequest((explained,), {"code": np.array([class_id], np.int32)})
        request = MapRequest(given.to_batch(pixels), [score], {}, pixels=pixels, to_batch=given.to_batch)
        return ChangedImages(self.engine, self.binding, request, (measured,))

    @property
    def further(self) -> FurtherInputs:
        """The net's inputs beside the images."""
        return FurtherInputs(self.engine.graph, self.binding, self.net.preprocess)

    def usable(self, methods: Methods, layers: Any) -> Tuple[List[str], Dict[str, str]]:
        """See `GradCamGraph.usable_methods`."""
        usable, reasons = [], {}
        for name in choose_methods(methods):
            try:
                self.engine.build([name], self._all_layers(layers))
                usable.append(name)
            except GradientError as error:
                reasons[name] = str(error)
        return usable, reasons

    def resolve_layers(self, specs: Any) -> Tuple[LayerInfo, ...]:
        """Return each layer once, whatever its names; None is the bound layer. Raises OptionError, BindingError."""
        given = [self.binding.layer] if specs is None else specs if isinstance(specs, (list, tuple)) else [specs]
        if not len(given):
            raise OptionError("no layer is given; give a name or a count such as -1, or None for the bound layer")
        if any(is_auto(spec) for spec in given):
            check_own(self.binding)
        graph, binding = self.engine.graph, self.binding
        return tuple(dict.fromkeys(OWN if is_auto(spec) else resolve_layer(graph, binding, spec) for spec in given))

    def _all_layers(self, specs: Any) -> Tuple[LayerInfo, ...]:
        """The same, with all that "auto" may come to."""
        binding = self.binding
        own = [branch.layer or binding.shared_layer for branch in binding.branches] or [binding.shared_layer]
        places = self.resolve_layers(specs)
        return tuple(place for place in places if place != OWN) + (self.resolve_layers(own) if OWN in places else ())

    def chosen_methods(self, methods: Methods, options: ExplainOptions) -> ChosenMethods:
        """Return the methods with their options. Raises OptionError for what this kind of input does not allow."""
        chosen = choose_methods(methods)
        if self.binding.array_shape is None:
            if not self.net.takes_own_range:
                check_baselines(chosen)
            return chosen
        if options.aug_smooth:
            kind = "clips" if self.binding.frame_order else "signals and volumes"
            raise OptionError(f"aug_smooth mirrors and brightens single images; leave it out for {kind}")
        if not self.binding.frame_order:
            return array_methods(chosen, self.binding)
        check_methods(chosen, self.binding)
        return chosen

    def _scores(
        self, batch: np.ndarray, given: NetInput, targets: Any, score: str, rows: Dict[str, np.ndarray]
    ) -> List[ScoreRequest]:
        context = TargetContext(self.engine.classes(batch, rows), self.labels, score, **given.readers)
        requests = make_requests(targets, len(batch), context)
        return [replace(request, inputs=rows) for request in requests] if rows else requests

    def _embed(self, image: Any) -> np.ndarray:
        if self.binding.per_image:
            raise TargetError(
                f"a likeness needs the net's output for another image, for which {self.binding.per_image[0]!r} has "
                "no value; give one for all in `feed`"
            )
        vector: np.ndarray = self.engine.embed(self._to_batch(stack_pixels([self.net.fit_image(image)])))[0]
        return vector

    def _to_batch(self, pixels: np.ndarray) -> np.ndarray:
        return input_batch(pixels, self.net.preprocess, self.binding)


def _top(answer: MapAnswer, labels: Optional[Labels]) -> Tuple[Tuple[ClassScore, ...], ...]:
    """Return the best classes of each image that have a finite score; () for an image without an answer."""
    best = answer.best
    chosen = best.scores * np.nan if best.probabilities is None else best.probabilities
    rows = zip(answer.failures, best.class_ids.tolist(), best.scores.tolist(), chosen.tolist())
    return tuple(() if failure else _classes(labels, *row) for failure, *row in rows)


def _classes(
    labels: Optional[Labels], class_ids: List[int], scores: List[float], probabilities: List[float]
) -> Tuple[ClassScore, ...]:
    return tuple(
        ClassScore(id_, None if labels is None else labels.name(id_), score, None if isnan(share) else share)
        for id_, score, share in zip(class_ids, scores, probabilities)
        if isfinite(score)
    )
