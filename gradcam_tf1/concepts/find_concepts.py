"""`find_concepts`: factorise the features of a folder, and say where each factor is and which classes it speaks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from gradcam_tf1.concepts.class_crops import Importance, crop_features, images_of_class
from gradcam_tf1.concepts.concept_files import check_own_files, write_concepts
from gradcam_tf1.concepts.concept_options import CRAFT, ConceptOptions
from gradcam_tf1.concepts.concept_pictures import HighPlaces
from gradcam_tf1.concepts.concept_records import ClassEffect, Concept, ConceptImage, Concepts
from gradcam_tf1.concepts.drawn_images import DrawnImages
from gradcam_tf1.concepts.image_batches import ImageBatches, stacked
from gradcam_tf1.concepts.nonnegative_factors import Factors, RowSample, factorise, not_negative
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.layer_runs import LayerRuns
from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.run.image_stream import StreamOptions
from gradcam_tf1.run.listing import counted
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.reading import RunImage
from gradcam_tf1.run.settings import net_settings

_DEFAULT = ConceptOptions()
_SPOKEN_FOR = 3  # classes of a concept
_FULL = 90  # percentile of the images' highest coefficients that is drawn at full strength


def find_concepts(
    net: BoundNet, images: Any, out_folder: Optional[str] = None, *, options: ConceptOptions = _DEFAULT
) -> Concepts:
    """Find the concepts of a layer over a folder: A = U W with U, W >= 0, the rows of W being the concepts.

    dff factorises the features of all positions of all images. craft factorises the features of crops of the images
    that are predicted as one class, averaged over each crop, and ranks the concepts by total Sobol indices. In both,
    the map of a concept is its coefficient at each position by non-negative least squares. The images are read two
    times (dff) or three times (craft), in bounded memory.

    Parameters
    ----------
    net : GradCamGraph
        A net of images.
    images : str or list of str
        As `imgs_path` of `visualize_imgs`, but not standard input.
    out_folder : str or None
        Gets concepts.html, concepts.json, concepts.csv, concepts.npz and the drawn images in concept_images/; images
        inside it are skipped. None writes nothing.
    options : ConceptOptions
        Method, number of concepts, layer, class and so on.

    Returns
    -------
    Concepts

    Raises
    ------
    OptionError
        If the net takes no images, the features are negative or zero, there are fewer of them than concepts, no image
        is predicted as the class, or another program has a file of that name.
    ImageFileError
        If no image can be read.
    TargetError, BindingError, RunError
        As `explain`.
    GradientError
        If craft is asked for a layer of tokens.
    OSError
        If a file cannot be written.

    References
    ----------
    Deep Feature Factorization For Concept Discovery, https://arxiv.org/abs/1806.10206
    CRAFT: Concept Recursive Activation FacTorization for Explainability, https://arxiv.org/abs/2211.10154
    """
    if not isinstance(options, ConceptOptions):
        raise OptionError(f"options is {options!r}; give options=ConceptOptions(...)")
    folder = None if out_folder is None else as_folder(out_folder)
    if folder is not None:
        check_own_files(folder, "concepts")
    runs = LayerRuns(net.explainers[0], options.layer)
    stream = StreamOptions(n_images=options.n_images, seed=options.seed, max_pixels=options.max_pixels)
    batches = ImageBatches(net, images, folder or "", stream, runs.chunk, options.progress)
    search = _ConceptSearch(net, runs, batches, options)
    found = search.run()
    return found if folder is None else write_concepts(folder, found, search.drawn, search.places)


class _ConceptSearch:
    """One search: the passes over the images, and what they leave."""

    def __init__(self, net: BoundNet, runs: LayerRuns, batches: ImageBatches, options: ConceptOptions) -> None:
        self._net, self._runs, self._batches, self._options = net, runs, batches, options
        self._rows: List[ConceptImage] = []
        self._first: Tuple[np.ndarray, Tuple[int, ...]] = (np.zeros(0), ())
        self.drawn = DrawnImages(options.shown)
        self.places = HighPlaces(0, options.crop)

    def run(self) -> Concepts:
        """Factorise, then look at all images with the factors."""
        options, runs = self._options, self._runs
        class_id: Optional[int] = None
        chosen: Optional[Dict[int, None]] = None
        if options.method == CRAFT:
            class_id, chosen = images_of_class(runs, self._batches, options)
            sample = crop_features(runs, self._batches, chosen, options)
        else:
            sample = self._features()
        factors = factorise(sample.rows(), options.count, options.seed)
        importance = None if class_id is None else Importance(runs, factors, class_id, options)
        self.places = HighPlaces(len(factors.vectors), options.crop)
        for images in self._batches.batches(chosen):
            self._look(images, factors, importance)
        notes = [f"{counted(sample.seen, 'row')} of features, {min(sample.seen, options.samples)} of them factorised"]
        if len(factors.vectors) < options.count:
            notes.append(f"{options.count} concepts were asked for; above zero: {len(factors.vectors)}")
        return self._concepts(factors, class_id, importance, notes)

    def _features(self) -> RowSample:
        sample = RowSample(self._options.samples, self._options.seed)
        for images in self._batches.batches():
            features, _ = self._runs.features(stacked(images))
            features = not_negative(features, self._runs.layer.name, self._options.rectify)
            sample.add(features.reshape(-1, features.shape[-1]))
        return sample

    def _look(self, images: List[RunImage], factors: Factors, importance: Optional[Importance]) -> None:
        """Find the maps of a batch, and keep what the page shows of them."""
        pixels = stacked(images)
        features, scores = self._runs.features(pixels)
        maps = factors.coefficients(np.maximum(features, 0))
        cells = self._runs.cells(pixels.shape[1:3], maps.shape[1:3])
        if not self._first[1]:
            self._first = (pixels[:1], features.shape[1:])
        for n, image in enumerate(images):
            name, top = readable(image.file.relative), int(scores[n].argmax())
            if importance is not None:
                importance.add(maps[n], pixels[n])
            if image.fitted is not None and image.image is not None:
                placement: Any = image.fitted.placement
                self.places.offer(name, image.image, maps[n], placement, cells)
                self.drawn.offer(len(self._rows), name, image.image, maps[n], placement, cells)
            flat = maps[n].reshape(-1, maps.shape[-1])
            self._rows.append(ConceptImage(name, top, self._runs.name(top), flat.mean(axis=0), flat.max(axis=0)))

    def _concepts(
        self, factors: Factors, class_id: Optional[int], importance: Optional[Importance], notes: List[str]
    ) -> Concepts:
        """Return the concepts in their order."""
        ranks = None if importance is None else importance.values()
        if importance is not None and ranks is None:
            notes.append("the score of the class does not depend on the concepts: they have no importance")
        order = np.arange(len(factors.vectors)) if ranks is None else np.argsort(-ranks, kind="stable")
        effects = self._effects(factors, notes)
        full = np.percentile([row.highest for row in self._rows], _FULL, axis=0)
        concepts = []
        for number, c in enumerate(order):
            names = tuple(name for name, _ in self.places.of(c))
            rank = None if ranks is None else float(ranks[c])
            numbers = (float(factors.share[c]), float(factors.strength[c]), float(full[c]))
            concepts.append(Concept(number, *numbers, rank, self._spoken_for(effects, c), names))
        self.places.reorder(order)
        self.drawn.finish(order, full[order])
        rows = [replace(row, mean=row.mean[order], highest=row.highest[order]) for row in self._rows]
        target = None if class_id is None else ClassEffect(class_id, self._runs.name(class_id), 0.0)
        return Concepts(
            *(self._options.method, self._runs.layer.name, target, tuple(concepts), factors.vectors[order]),
            *(factors.explained, tuple(rows), dict(self._batches.failed), tuple(notes), self._settings()),
        )

    def _effects(self, factors: Factors, notes: List[str]) -> Optional[np.ndarray]:
        """Return y(s w) - y(0) of each concept: float [C, classes]; None for tokens."""
        pixels, shape = self._first
        vectors = np.concatenate([np.zeros((1, shape[-1])), factors.strength[:, np.newaxis] * factors.vectors])
        filled = np.broadcast_to(vectors[:, np.newaxis, np.newaxis], (len(vectors), *shape)).astype(np.float32)
        try:
            scores = self._runs.scores_at(filled, pixels)
        except GradientError as error:
            notes.append(f"the classes of the concepts are not known: {error}")
            return None
        effects: np.ndarray = scores[1:] - scores[:1]
        return effects

    def _spoken_for(self, effects: Optional[np.ndarray], concept: int) -> Tuple[ClassEffect, ...]:
        if effects is None:
            return ()
        own = effects[concept]
        least = max(0.0, float(own.mean())) if len(own) > 1 else 0.0
        best = [int(class_id) for class_id in np.argsort(-own, kind="stable")[:_SPOKEN_FOR] if own[class_id] > least]
        return tuple(ClassEffect(class_id, self._runs.name(class_id), float(own[class_id])) for class_id in best)

    def _settings(self) -> Dict[str, Any]:
        options = self._options
        kept = {name: value for name, value in vars(options).items() if name not in ("progress", "layer", "shown")}
        return {**net_settings(self._net), **kept, "concepts": options.count, "at_layer": self._runs.layer.name}
