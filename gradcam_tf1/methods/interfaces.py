"""What the families need of the engine, as abstract classes: the engine is above this package and derives from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.gradients.float_images import FloatImages
from gradcam_tf1.gradients.relevance import RelevanceComposite
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells, LayerInfo, ScoreKey, Slot

if TYPE_CHECKING:
    from gradcam_tf1.methods.attention import AttentionMethod
    from gradcam_tf1.methods.families import LayerMethod, PixelMethod

Build = Callable[["tf.Tensor", FloatImages], Dict[Any, "tf.Tensor"]]


class LiftedOps(NamedTuple):
    """The tensors of a DeepLIFT pass.

    Attributes
    ----------
    multipliers : tf.Tensor
        float32 [N, H, W, C] of the images, or [N, h, w, K] of a layer.
    rise : tf.Tensor
        The score at the image minus that at the reference, [N].
    references : tf.Tensor, optional
        The placeholder for the references of the images, float32 [N, H, W, C]; None where the reference is zero.
    about : str
        What the rule reached, for the notes.
    """

    multipliers: tf.Tensor
    rise: tf.Tensor
    references: Optional[tf.Tensor]
    about: str


class LiftedMaps(NamedTuple):
    """What a DeepLIFT pass found for M inputs.

    Attributes
    ----------
    contributions : np.ndarray
        Multipliers times the difference from the reference: float64 [M, H, W, C] or [M, h, w, K].
    rises : np.ndarray
        float64 [M], what they should add up to.
    about : str
        As in `LiftedOps`.
    """

    contributions: np.ndarray
    rises: np.ndarray
    about: str


class GraphOpsBase(ABC):
    """The ops that are added to a net; each is built once."""

    @abstractmethod
    def cams(
        self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: Slot, options: Mapping[str, Any]
    ) -> List[tf.Tensor]:
        """Return a layer method's maps before the closing ReLU: float32 [N, h, w] for each of `spread(layers)`."""

    @abstractmethod
    def channel_cams(
        self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: Slot, options: Mapping[str, Any]
    ) -> List[tf.Tensor]:
        """Return what each channel adds to these maps: float32 [N, h, w, K] each."""

    @abstractmethod
    def features(self, layer: LayerInfo) -> tf.Tensor:
        """Return the features of a single layer: float32 [N, h, w, K]."""

    @abstractmethod
    def grads(self, head: ScoreKey, layers: Tuple[LayerInfo, ...], slot: Slot) -> Dict[LayerInfo, tf.Tensor]:
        """Return dy/dA for each single layer: float32 [N, h, w, K]."""

    @abstractmethod
    def pixels(self, method: PixelMethod, slot: Slot) -> tf.Tensor:
        """Return a pixel method's map: float32 [N, H, W, C]."""

    @abstractmethod
    def pixel_grads(self, slot: Slot) -> tf.Tensor:
        """Return dy/dx: float32 [N, H, W, C]."""

    @abstractmethod
    def lifted_pixels(self, rule: str, slot: Slot) -> LiftedOps:
        """Return the DeepLIFT multipliers of the images: float32 [N, H, W, C]."""

    @abstractmethod
    def lifted_layer(self, rule: str, layer: LayerInfo, slot: Slot) -> LiftedOps:
        """Return the DeepLIFT multipliers of a single layer's features against features of zero: [N, h, w, K]."""

    @abstractmethod
    def attention_map(self, method: AttentionMethod, slot: Slot) -> tf.Tensor:
        """Return an attention method's map: float32 [N, h, w]. Raises GradientError where there is no attention."""

    @abstractmethod
    def takes_any_size(self) -> bool:
        """Return whether the net takes images of any size, with floats of the image's own size."""

    @abstractmethod
    def rule_note(self, method: PixelMethod, slot: Slot) -> Tuple[str, ...]:
        """Return one sentence on what the method's gradient rule reached; nothing for the plain gradient."""

    @abstractmethod
    def relevance(self, how: RelevanceComposite, slot: Slot) -> tf.Tensor:
        """Return the relevance of the images: float32 [N, H, W, C]."""

    @abstractmethod
    def relevance_start(self, slot: Slot) -> Tuple[tf.Tensor, tf.Tensor]:
        """Return what the relevance of the net's outputs adds up to, and the score: float32 [N] each."""

    @abstractmethod
    def relevance_note(self, how: RelevanceComposite, slot: Slot) -> str:
        """Return one sentence on the rules of the layers."""

    @abstractmethod
    def relevance_cams(
        self, how: RelevanceComposite, layers: Tuple[LayerInfo, ...], slot: Slot, by_channel: bool
    ) -> List[tf.Tensor]:
        """Return Relevance-CAM of each of `spread(layers)`: float32 [N, h, w], or its summands [N, h, w, K]."""


class ProbeBase(ABC):
    """One image and its T targets, and the runs of the net on M inputs that a method makes from it.

    Attributes
    ----------
    image : np.ndarray
        float32 [H, W, C], the image as the net's first float tensor has it: preprocessed, at the input's size.
    pixels : np.ndarray
        float32 [H, W, 3], RGB 0..255, the same before preprocessing.
    step : Callable[[int], None]
        Called with the number of inputs of each chunk that was run.
    """

    image: np.ndarray
    pixels: np.ndarray
    step: Callable[[int], None]

    @property
    @abstractmethod
    def targets(self) -> int:
        """T."""

    @property
    @abstractmethod
    def takes_any_size(self) -> bool:
        """Whether `inputs` may have another H and W than `image`."""

    @property
    @abstractmethod
    def chunk(self) -> int:
        """Inputs per run: a method makes no more than these at a time."""

    @abstractmethod
    def to_input(self, pixels: np.ndarray) -> np.ndarray:
        """Preprocess RGB 0..255 [M, H, W, 3] to inputs like `image` [M, H, W, C], for baselines that are images."""

    @abstractmethod
    def note(self, target: int, sentence: str) -> None:
        """Add a sentence to the notes in the status of the target's map."""

    @abstractmethod
    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Return the scores of all targets for each input: [M, H, W, C] -> float32 [M, T]."""

    @abstractmethod
    def scores_at(self, layer: LayerInfo, features: np.ndarray) -> np.ndarray:
        """Return the scores where the layer holds `features`: float32 [M, h, w, K] -> float32 [M, T]."""

    @abstractmethod
    def own_features(self, layer: LayerInfo) -> np.ndarray:
        """Return the features of the image itself: float32 [h, w, K]."""

    @abstractmethod
    def cells(self, layer: LayerInfo) -> Optional[Cells]:
        """Return where the cells of the layer lie on `image`; None: they share it evenly."""

    @abstractmethod
    def cells_of(self, name: str, grid: Sequence[int], sides: Optional[Sequence[int]] = None) -> Optional[Cells]:
        """Return the same for any tensor of the net by its name and the sides of its grid, and of another input."""

    @abstractmethod
    def layer_grads(self, layer: LayerInfo, inputs: np.ndarray, target: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return features and grads of one target's score for each input: two float32 [M, h, w, K]."""

    @abstractmethod
    def pixel_grads(self, inputs: np.ndarray, target: int) -> np.ndarray:
        """Return dy/dx of one target's score for each input: [M, H, W, C] -> float32 [M, H, W, C]."""

    @abstractmethod
    def evaluate(self, build: Build, inputs: np.ndarray, target: int) -> Dict[Any, np.ndarray]:
        """Return what `build` makes of one target's score and the images' tensor, for each input: arrays [M, ...]."""

    @abstractmethod
    def lifted(self, rule: str, references: np.ndarray, target: int) -> LiftedMaps:
        """Return the DeepLIFT contributions of the image's pixels to one target's score, against M references."""

    @abstractmethod
    def lifted_at(self, layer: LayerInfo, rule: str, target: int) -> LiftedMaps:
        """Return the DeepLIFT contributions of a layer's features, against features of zero: M = 1."""
