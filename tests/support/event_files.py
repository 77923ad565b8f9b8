"""Read event files with TensorBoard's own reader."""

from __future__ import annotations

from typing import Dict, List, Tuple

import cv2
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVERYTHING = {"images": 0, "scalars": 0}


def _read(folder: str) -> EventAccumulator:
    reader = EventAccumulator(folder, size_guidance=EVERYTHING)
    return reader.Reload()


def images_of(folder: str) -> Dict[str, List[Tuple[int, np.ndarray]]]:
    """Tag -> steps and images, uint8 [H, W, 3], RGB."""
    reader = _read(folder)
    return {tag: [(e.step, decoded(e)) for e in reader.Images(tag)] for tag in reader.Tags()["images"]}


def decoded(event) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert image.shape[:2] == (event.height, event.width)
    return image


def scalars_of(folder: str) -> Dict[str, List[Tuple[int, float]]]:
    """Tag -> steps and values."""
    reader = _read(folder)
    return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
