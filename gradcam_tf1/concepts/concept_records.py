"""What a search for concepts found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.concepts.nonnegative_factors import coefficients, not_negative
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.layer_runs import LayerRuns


@dataclass(frozen=True)
class ClassEffect:
    """What a concept does to the logit of a class.

    Attributes
    ----------
    class_id : int
        The class.
    label : str
        Its name, else "class 3".
    effect : float
        y(s w) - y(0): the logit where every position of the layer holds the concept's vector w at its typical strength
        s, less the logit of features that are zero.
    """

    class_id: int
    label: str
    effect: float


@dataclass(frozen=True, eq=False)
class Concept:
    """One concept.

    Attributes
    ----------
    number : int
        From 0; the most important first (craft), or the one with the largest share (dff).
    share : float
        Its share of what the factors make up of the features.
    strength : float
        Its typical coefficient: sum u^2 / sum u.
    full : float
        The coefficient that is drawn at full strength: the 90th percentile of the images' highest ones.
    importance : float or None
        CRAFT: the total Sobol index of the class's logit, the mean over the images.
    classes : tuple of ClassEffect
        At most three classes it speaks for, the strongest first: effects above zero and above the mean of all classes.
    images : tuple of str
        Names of the images where it is highest, the highest first.
    """

    number: int
    share: float
    strength: float
    full: float
    importance: Optional[float]
    classes: Tuple[ClassEffect, ...]
    images: Tuple[str, ...]

    @property
    def name(self) -> str:
        """As in "concept 1"."""
        return f"concept {self.number + 1}"

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        return {
            **{"concept": self.number + 1, "share": self.share, "strength": self.strength, "full": self.full},
            **{"importance": self.importance, "images": list(self.images)},
            "classes": [vars(each) for each in self.classes],
        }


@dataclass(frozen=True, eq=False)
class ConceptImage:
    """The concepts of one image.

    Attributes
    ----------
    name : str
        The image.
    class_id : int
        Its top class.
    label : str
        The name of that class, else "class 3".
    mean, highest : np.ndarray
        float64 [C]: mean and maximum of each concept's coefficients over the positions.
    figure : str
        Path of its drawn concept maps; "" if it was not drawn.
    """

    name: str
    class_id: int
    label: str
    mean: np.ndarray
    highest: np.ndarray
    figure: str = ""


@dataclass(frozen=True, eq=False)
class Concepts:
    """The concepts of a layer.

    Attributes
    ----------
    method : str
        "dff" or "craft".
    layer : str
        The layer.
    target : ClassEffect or None
        CRAFT: the class whose images were taken, with effect 0.
    concepts : tuple of Concept
        The concepts.
    vectors : np.ndarray
        float64 [C, K], not negative, of length 1 each: their vectors.
    explained : float
        1 - sum((A - U W)^2) / sum(A^2) of the sampled rows.
    images : tuple of ConceptImage
        The images.
    failed : mapping
        Name of each image that was left out, with the reason.
    notes : tuple of str
        Sentences for the reader.
    settings : mapping
        Everything that changes a number.
    page : str
        Path of the page; "" if nothing was written.
    """

    method: str
    layer: str
    target: Optional[ClassEffect]
    concepts: Tuple[Concept, ...]
    vectors: np.ndarray
    explained: float
    images: Tuple[ConceptImage, ...]
    failed: Mapping[str, str]
    notes: Tuple[str, ...]
    settings: Mapping[str, Any]
    page: str = ""

    def maps(self, net: BoundNet, image: Any) -> np.ndarray:
        """Return the concept maps of one image, placed on it.

        Parameters
        ----------
        net : GradCamGraph
            The net of the search.
        image : array, PIL image or path
            As in `GradCamGraph.fit_image`.

        Returns
        -------
        np.ndarray
            float32 [C, H, W], the coefficients; 0 outside of what the net saw.

        Raises
        ------
        OptionError, ImageFileError, BindingError
            As `find_concepts`.
        """
        runs = LayerRuns(net.explainers[0], self.layer)
        fitted = net.fit_image(image)
        features, _ = runs.features(fitted.pixels[np.newaxis].astype(np.float32))
        rectify = bool(self.settings["rectify"])
        found = coefficients(not_negative(features[0], self.layer, rectify), self.vectors)
        cells = runs.cells(fitted.pixels.shape[:2], found.shape[:2])
        placed = [fitted.placement.place(found[..., c], cells) for c in range(found.shape[-1])]
        return np.stack(placed)

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        target = None if self.target is None else {"class_id": self.target.class_id, "label": self.target.label}
        images = [{"image": each.name, "class_id": each.class_id, "label": each.label} for each in self.images]
        return {
            **{"method": self.method, "layer": self.layer, "target": target, "explained": self.explained},
            **{"concepts": [each.as_json() for each in self.concepts], "notes": list(self.notes)},
            **{"images": images, "failed": dict(self.failed), "settings": dict(self.settings)},
        }
