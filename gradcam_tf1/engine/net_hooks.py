"""What the engine calls on a GradCamGraph: its hooks, and how it prepares images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Optional

import numpy as np

from gradcam_tf1.images.geometry import Fitted, FreeSize
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors, LoadedModel


class NetHooks(ABC):
    """The side of a net that its explainers see; `BoundNet` provides it.

    Attributes
    ----------
    nb_classes : int or None
        Checked against the logits, if given.
    batch_size : int
        Images per run.
    size : (int or None, int or None)
        Requested height and width of images.
    fit_mode : str
        How images are brought to the size; with "short-side" `size` is the length of the shorter side.
    graph : tf.Graph
        The private graph of the first device.
    model : LoadedModel
        What was loaded, without its graph.
    """

    nb_classes: Optional[int]
    batch_size: int
    size: FreeSize
    fit_mode: str
    graph: tf.Graph
    model: LoadedModel

    @abstractmethod
    def preprocess(self, images: np.ndarray) -> np.ndarray:
        """Map pixel values to what the net expects."""

    @abstractmethod
    def fetch_key_tensors(self) -> Optional[KeyTensors]:
        """Name the key tensors."""

    @abstractmethod
    def reshape(self, features: tf.Tensor) -> tf.Tensor:
        """Bring a layer of tokens [N, tokens, K] to a map [N, h, w, K]."""

    @property
    @abstractmethod
    def channels_in(self) -> int:
        """Channels of the images that go in."""

    @property
    @abstractmethod
    def takes_own_range(self) -> bool:
        """Whether pixel values outside 0..255 may be right."""

    @abstractmethod
    def fit_image(self, image: Any, input: Any = None) -> Fitted:
        """Bring one image to the input's size."""

    @abstractmethod
    def fit_pixels(self, image: np.ndarray, input: Any = None) -> Fitted:
        """Bring one image that was checked already to the input's size."""
