"""The images on which methods are compared: drawn scenes of every level, and photographs with boxes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.evaluation.class_map import NetClasses
from gradcam_tf1.evaluation.true_objects import ObjectFiles, read_true_objects
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.nets.scene_levels import LEVELS, draw_level
from gradcam_tf1.nets.scenes import KINDS

PHOTO_NET = "keras_mobilenet_0.75_sm"
SCENE_TOLERANCE = 10.0  # of 320 pixels, as 15 of 500
PHOTO_TOLERANCE = 15.0


class Item(NamedTuple):
    """One image and the class to explain."""

    image: np.ndarray
    class_id: int
    boxes: Tuple[Tuple[int, int, int, int], ...]
    region: np.ndarray
    level: str = ""


class Material(NamedTuple):
    """What methods are compared on."""

    net: GradCamGraph
    items: List[Item]
    tolerance: float
    asked: int  # images from which the items were taken
    images: str  # what they are, for people


def scenes(count: int, seed: int, **session: Any) -> Material:
    """`count` drawn scenes of each level; of each the first object, if the net detects it."""
    from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model

    net = GradCamGraph(demo_model(), preset=DEMO_PRESET, **session)
    # level by level in turn, so that the first items hold all levels
    drawn = ((level, draw_level(level, number, seed)) for number in range(count) for level in LEVELS)
    items = []
    for level, scene in drawn:
        kind, box = next(iter(scene.boxes.items()))
        if _scores(net, scene.image)[KINDS.index(kind)] > 0:
            region = np.zeros(scene.image.shape[:2], bool)
            region[box[0] : box[2], box[1] : box[3]] = True
            items.append(Item(scene.image, KINDS.index(kind), (box,), region, level))
    return Material(net, items, SCENE_TOLERANCE, count * len(LEVELS), "Drawn scenes and the demo net")


def photographs(models: str, **session: Any) -> Material:
    """The photographs of `models`/photos_boxed whose predicted class is that of a box."""
    root = Path(models)
    entry: Dict[str, Any] = json.loads((root / "models.json").read_text())[PHOTO_NET]
    net = GradCamGraph(
        str(root / entry["path"]),
        preset="inception",
        layer=entry["conv"],
        labels=str(root / entry["labels"]),
        **session,
    )
    listing = list(iter_images(str(root / "photos_boxed")))
    files = ObjectFiles(boxes=str(root / "photos_boxed"), class_map=str(root / "labels" / "voc_to_imagenet.json"))
    objects = read_true_objects(files, listing, NetClasses(net.binding.classes, net.labels, net.binding.background))
    items = []
    for file in listing:
        image = file.read()
        class_id = int(_scores(net, image).argmax())
        place = objects.of(file, image.shape[:2]).locate(class_id)
        if place is not None:
            items.append(Item(image, class_id, place.boxes, place.region))
    return Material(net, items, PHOTO_TOLERANCE, len(listing), "Photographs with boxes and MobileNet 0.75")


def models_folder() -> str:
    """Folder of real nets and photographs; "" if there is none."""
    found = os.environ.get("GRADCAM_TF1_MODELS") or str(Path(__file__).resolve().parents[2] / "shared" / "models")
    return found if os.path.isdir(os.path.join(found, "photos_boxed")) else ""


def levels_of(items: List[Item]) -> Iterator[Tuple[str, np.ndarray]]:
    """Yield each level with which items are of it: bool [N]."""
    for level in LEVELS:
        yield level, np.array([item.level == level for item in items])


def _scores(net: GradCamGraph, image: np.ndarray) -> np.ndarray:
    explainer = net.explainers[0]
    given = explainer.prepare([image])
    scores: np.ndarray = explainer.engine.evaluate(given.to_batch(given.pixels))["scores"][0]
    return scores
