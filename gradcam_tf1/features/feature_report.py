"""What `find_features` returns. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

import numpy as np

from gradcam_tf1.features.feature_unit import FeatureUnit
from gradcam_tf1.images.geometry import Box


@dataclass(frozen=True, eq=False)
class TopImage:
    """An image that activates a unit.

    Attributes
    ----------
    source : str
        Its path.
    value : float
        The unit's value.
    image : np.ndarray
        uint8 [H, W, 3], RGB, the image itself.
    box : tuple of int or None
        (top, left, bottom, right) of the region that activates it, in pixels of the image, the last two exclusive: the
        largest region above half of the highest value of the channel's map; for a class, of its Grad-CAM. None if no
        value is above zero.
    """

    source: str
    value: float
    image: np.ndarray
    box: Optional[Box]

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        return {"source": self.source, "value": self.value, "box": self.box, "size": self.image.shape[:2]}


@dataclass(frozen=True, eq=False)
class SeenFeature:
    """What one unit sees.

    Attributes
    ----------
    name : str
        The class or the channel, for people.
    unit : FeatureUnit
        As it was requested.
    layer : str
        Name of its layer; "" for a class.
    class_id : int or None
        The class.
    picture : np.ndarray or None
        uint8 [H, W, 3], RGB: the picture that activates it most, black and white being the ends of the range of values.
        None without steps.
    pixels : np.ndarray or None
        float32 [H, W, C], the same with the channels and the range that the net's images have.
    start, reached : float or None
        The unit's value on the nearly gray picture at the start, and on `pixels`.
    noise : float
        Its best value on 16 random images, half of them white noise, half with the frequencies of photographs.
    top : tuple of TopImage
        The images with the highest values, or the lowest for a negative unit; () without images.
    note : str
        What is wrong with the picture, "" if nothing is.
    token : str
        Start of the names of its files.
    """

    name: str
    unit: FeatureUnit
    layer: str
    class_id: Optional[int]
    picture: Optional[np.ndarray]
    pixels: Optional[np.ndarray]
    start: Optional[float]
    reached: Optional[float]
    noise: float
    top: Tuple[TopImage, ...]
    note: str
    token: str

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        unit = self.unit
        return {
            **{"name": self.name, "class_id": self.class_id, "layer": self.layer or None, "channel": unit.channel},
            **{"direction": unit.direction, "position": unit.position, "negative": unit.negative},
            **{"cosine": unit.cosine, "start": self.start, "reached": self.reached, "noise": self.noise},
            "best_image": self.top[0].value if self.top else None,
            "note": self.note,
            "top": [each.as_json() for each in self.top],
        }


@dataclass(frozen=True, eq=False)
class FeatureReport:
    """What some units of a net see.

    Attributes
    ----------
    model : str
        The model.
    features : tuple of SeenFeature
        The units in the order of the request.
    images : int
        Number of images that were looked at.
    failed : dict
        Name of each image that could not be used -> the reason.
    settings : dict
        What changes the numbers.
    files : dict
        Name of each unit -> path of its sheet; {} if nothing was written.
    """

    model: str
    features: Tuple[SeenFeature, ...]
    images: int
    failed: Dict[str, str]
    settings: Dict[str, Any]
    files: Dict[str, str] = field(default_factory=dict)

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        return {
            **{"model": self.model, "settings": self.settings, "images": self.images, "failed": self.failed},
            "features": [each.as_json() for each in self.features],
        }
