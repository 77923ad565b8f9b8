"""What the engine is requested to explain, and what it answers. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.types import Cells, LayerInfo, MapKey, MapStatus, MethodProgress, ScoreRequest

Report = Callable[[MethodProgress], None]


@dataclass(frozen=True)
class MapRequest:
    """A batch, and the maps to make of it.

    Attributes
    ----------
    batch : np.ndarray
        [N, H, W, C] of the input's dtype.
    scores : sequence of ScoreRequest
        T targets of all images.
    methods : mapping
        Method name -> its given options, from `choose_methods`.
    layers : tuple of LayerInfo
        What the layer methods look at.
    pixels : np.ndarray, optional
        float32 [N, H, W, 3], RGB 0..255, the images behind the batch. Iterated methods need them.
    to_batch : Callable, optional
        Makes such a batch of such images. Iterated methods need it.
    report : Callable, optional
        Called with what iterated methods cost, and with their progress.
    floats : np.ndarray, optional
        float32 [N, H, W, C], values of the net's first float tensor in place of those that the batch leads to.
    eigen_smooth : bool
        Whether layer methods give the first principal component of their weighted features, not the sum.
    found : sequence of sequence
        [N][T], the FoundBox of each target that is a detection; () if there is none.
    """

    batch: np.ndarray
    scores: Sequence[ScoreRequest]
    methods: Mapping[str, Mapping[str, Any]]
    layers: Tuple[LayerInfo, ...] = ()
    pixels: Optional[np.ndarray] = None
    to_batch: Optional[Callable[[np.ndarray], np.ndarray]] = None
    report: Optional[Report] = None
    floats: Optional[np.ndarray] = None
    eigen_smooth: bool = False
    found: Sequence[Sequence[Any]] = ()

    @property
    def sides(self) -> Tuple[int, ...]:
        """The sides of the input: (H, W), or the axes of a signal, a volume or a clip."""
        return self.batch.shape[1:-1]


@dataclass(frozen=True)
class BestClasses:
    """The best classes of N images, best first.

    Attributes
    ----------
    class_ids : np.ndarray
        int32 [N, k].
    scores : np.ndarray
        float32 [N, k], before softmax or sigmoid.
    probabilities : np.ndarray, optional
        float32 [N, k]; None where the net has none.
    """

    class_ids: np.ndarray
    scores: np.ndarray
    probabilities: Optional[np.ndarray]


@dataclass(frozen=True)
class MapAnswer:
    """The answer for N images and T targets.

    Attributes
    ----------
    class_ids : np.ndarray
        int64 [N, T], -1 for a target that is no class.
    scores : np.ndarray
        float32 [N, T].
    probabilities : np.ndarray, optional
        float32 [N, T] of these classes; None where the net has none.
    predicted : np.ndarray
        int64 [N], the top class; -1 where the scores are NaN or infinite.
    failures : tuple of str
        For each image why it has no answer, "" where it has one.
    settled : tuple of ScoreRequest
        The requested targets with their class ids fixed, so that a changed image is explained for the same classes.
    best : BestClasses
        The best classes of each image.
    maps : dict
        (method, layer) -> float32 [N, T, ...].
    statuses : dict
        (method, layer) -> [N][T] statuses.
    cells : dict
        (method, layer) -> where the cells of the map lie on the input; maps without an entry are stretched over it.
    """

    class_ids: np.ndarray
    scores: np.ndarray
    probabilities: Optional[np.ndarray]
    predicted: np.ndarray
    failures: Tuple[str, ...]
    settled: Tuple[ScoreRequest, ...]
    best: BestClasses
    maps: Dict[MapKey, np.ndarray] = field(default_factory=dict)
    statuses: Dict[MapKey, List[List[MapStatus]]] = field(default_factory=dict)
    cells: Dict[MapKey, Cells] = field(default_factory=dict)
