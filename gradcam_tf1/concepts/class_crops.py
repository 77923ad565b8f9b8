"""CRAFT: crops of the images of one class, and how much its score depends on each concept."""

from __future__ import annotations

from math import ceil
from typing import Dict, List, Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.concepts.concept_options import ConceptOptions
from gradcam_tf1.concepts.image_batches import ImageBatches, stacked
from gradcam_tf1.concepts.nonnegative_factors import Factors, RowSample, not_negative
from gradcam_tf1.concepts.sobol_indices import mask_design, total_indices
from gradcam_tf1.engine.layer_runs import LayerRuns
from gradcam_tf1.errors import OptionError

_STEP = 0.8  # of the side of a crop, from one to the next at most


def images_of_class(runs: LayerRuns, batches: ImageBatches, options: ConceptOptions) -> Tuple[int, Dict[int, None]]:
    """Return the class, and the numbers of the images that the net predicts as it. Raises OptionError if none is."""
    predicted: Dict[int, int] = {}
    for images in batches.batches():
        tops = runs.scores(stacked(images)).argmax(axis=1)
        predicted.update((image.index, int(top)) for image, top in zip(images, tops))
    found = list(predicted.values())
    class_id = max(found, key=lambda each: (found.count(each), -each))
    if options.target is not None:
        class_id = runs.class_id(options.target)
    chosen = {index: None for index, top in predicted.items() if top == class_id}
    if not chosen:
        most = max(found, key=lambda each: (found.count(each), -each))
        raise OptionError(
            f"no image is predicted as {runs.name(class_id)!r}, of which craft takes crops; most are predicted as "
            f"{runs.name(most)!r}: name another class (--class), or give other images"
        )
    return class_id, chosen


def crop_features(
    runs: LayerRuns, batches: ImageBatches, chosen: Dict[int, None], options: ConceptOptions
) -> RowSample:
    """Return the features of crops, averaged over their positions, as rows [K]."""
    sample = RowSample(options.samples, options.seed)
    for images in batches.batches(chosen):
        for pixels in stacked(images):
            features, _ = runs.features(crops(pixels, options.crop))
            features = not_negative(features, runs.layer.name, options.rectify)
            sample.add(features.mean(axis=(1, 2)))
    return sample


def crops(pixels: np.ndarray, share: float) -> np.ndarray:
    """Cut an image into crops that overlap, and enlarge each to the size of the image (bilinear).

    Parameters
    ----------
    pixels : np.ndarray
        float32 [H, W, channels].
    share : float
        Sides of a crop as a share of the image's.

    Returns
    -------
    np.ndarray
        float32 [crops, H, W, channels], row by row: ceil((1 - share) / (0.8 share)) + 1 along each side, evenly placed
        from edge to edge.
    """
    count = ceil((1 - share) / (_STEP * share) - 1e-9) + 1
    sides = [max(1, round(share * length)) for length in pixels.shape[:2]]
    starts = [np.rint(np.linspace(0, length - side, count)).astype(int) for length, side in zip(pixels.shape, sides)]
    found: List[np.ndarray] = []
    for top in starts[0]:
        for left in starts[1]:
            crop = np.ascontiguousarray(pixels[top : top + sides[0], left : left + sides[1]])
            crop = cv2.resize(crop, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            found.append(crop.reshape(pixels.shape))
    return np.stack(found)


class Importance:
    """The mean of the total Sobol indices over images.

    Of an image with the coefficients U [h, w, C] the score is f(m) = y(U diag(m) W), with the masks m uniform in
    0..1 for each concept, the same at all positions; what the factors leave of the features is left out.
    """

    def __init__(self, runs: LayerRuns, factors: Factors, class_id: int, options: ConceptOptions) -> None:
        self._runs, self._factors, self._class_id = runs, factors, class_id
        self._most = options.ranked_images
        self._masks, self._mixed = mask_design(len(factors.vectors), options.designs, options.seed)
        self._found: List[np.ndarray] = []

    def add(self, maps: np.ndarray, pixels: np.ndarray) -> None:
        """Take an image: its coefficients, float [h, w, C], and its pixels [H, W, channels]."""
        if len(self._found) < self._most:
            scores = self._scores(maps, pixels, self._masks)
            mixed = np.stack([self._scores(maps, pixels, masks) for masks in self._mixed])
            self._found.append(total_indices(scores, mixed))

    def _scores(self, maps: np.ndarray, pixels: np.ndarray, masks: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(masks), self._runs.chunk):
            kept = masks[start : start + self._runs.chunk, np.newaxis, np.newaxis]
            features = ((maps * kept) @ self._factors.vectors).astype(np.float32)
            parts.append(self._runs.scores_at(features, pixels[np.newaxis])[:, self._class_id])
        return np.concatenate(parts)

    def values(self) -> Optional[np.ndarray]:
        """Return the importance of each concept, float64 [C]; None if the score depends on none of them."""
        mean: np.ndarray = np.mean(self._found, axis=0)
        return mean if mean.any() else None
