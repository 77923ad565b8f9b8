"""Draw scenes of rising difficulty for the demo net, with the place of every object. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.nets.scenes import KINDS, Box, background, clutter, draw_object, draw_scene

SCENE_SIZE = (240, 320)

_ALIKE = (("ring", "crescent"), ("star", "cross"), ("triangle", "heart"), ("square", "cross"))
_MOST_CLUTTER = 4  # times that of a shipped scene
_TAG = 26  # side of the planted cue in pixels
_TAG_COLOURS = ([250.0, 20.0, 230.0], [250.0, 250.0, 20.0])
_OVERLAP = (1.1, 1.5)  # distance of the centres in radii; 2 radii do not overlap

Disc = Tuple[float, float, float]  # y, x, radius


@dataclass(frozen=True)
class DrawnScene:
    """One drawn scene.

    Attributes
    ----------
    image : np.ndarray
        uint8 [H, W, 3], RGB.
    boxes : dict
        Kind -> (top, left, bottom, right) in pixels, the last two exclusive; of overlapping objects the whole one.
    cue : tuple of int or None
        Box of a planted tag that belongs to no object.
    """

    image: np.ndarray = field(repr=False)
    boxes: Dict[str, Box]
    cue: Optional[Box] = None


def draw_level(level: str, number: int, seed: int = 0) -> DrawnScene:
    """Draw one scene of a level.

    Parameters
    ----------
    level : str
        One of LEVELS.
    number : int
        Number of the scene, from 0.
    seed : int
        Of all scenes; each scene has its own random numbers, so any of them can be drawn alone.

    Returns
    -------
    DrawnScene

    Raises
    ------
    OptionError
        If there is no such level.
    """
    if level not in LEVELS:
        raise OptionError(f"no level {level!r}; possible: {', '.join(LEVELS)}")
    rng = np.random.RandomState([seed, list(LEVELS).index(level), number])
    return LEVELS[level][1](rng)


def _plain(rng: np.random.RandomState) -> DrawnScene:
    return _finished(rng, *_with_discs(rng, background(rng, *SCENE_SIZE), _kinds(rng, 1), [_disc(rng, (0.12, 0.2))]))


def _several(rng: np.random.RandomState) -> DrawnScene:
    return DrawnScene(*draw_scene(rng, *SCENE_SIZE, _kinds(rng, rng.randint(2, 5))))


def _cluttered(rng: np.random.RandomState) -> DrawnScene:
    image = background(rng, *SCENE_SIZE)
    for _ in range(_MOST_CLUTTER):
        clutter(rng, image)
    return _finished(rng, *_with_discs(rng, image, _kinds(rng, 2), _apart(rng, 2, (0.12, 0.2))))


def _small(rng: np.random.RandomState) -> DrawnScene:
    image = background(rng, *SCENE_SIZE)
    clutter(rng, image)
    return _finished(rng, *_with_discs(rng, image, _kinds(rng, 2), _apart(rng, 2, (0.06, 0.09))))


def _overlapping(rng: np.random.RandomState) -> DrawnScene:
    image = background(rng, *SCENE_SIZE)
    clutter(rng, image)
    while True:
        y, x, radius = _disc(rng, (0.14, 0.18))
        angle, distance = rng.uniform(0, 2 * np.pi), radius * rng.uniform(*_OVERLAP)
        second = y + distance * np.sin(angle), x + distance * np.cos(angle), radius
        if _is_inside(second):
            return _finished(rng, *_with_discs(rng, image, _kinds(rng, 2), [(y, x, radius), second]))


def _alike(rng: np.random.RandomState) -> DrawnScene:
    image = background(rng, *SCENE_SIZE)
    clutter(rng, image)
    kinds = [str(kind) for kind in rng.permutation(_ALIKE[rng.randint(len(_ALIKE))])]
    return _finished(rng, *_with_discs(rng, image, kinds, _apart(rng, 2, (0.12, 0.18))))


def _cued(rng: np.random.RandomState) -> DrawnScene:
    image = background(rng, *SCENE_SIZE)
    clutter(rng, image)
    top = (0, SCENE_SIZE[0] - _TAG)[rng.randint(2)]
    left = (0, SCENE_SIZE[1] - _TAG)[rng.randint(2)]
    tag = top, left, top + _TAG, left + _TAG
    while True:
        y, x, radius = disc = _disc(rng, (0.12, 0.2))
        if not (tag[0] - radius < y < tag[2] + radius and tag[1] - radius < x < tag[3] + radius):
            break
    image, boxes = _with_discs(rng, image, _kinds(rng, 1), [disc])
    squares = (np.indices((_TAG, _TAG)) // 4).sum(axis=0) % 2
    image[tag[0] : tag[2], tag[1] : tag[3]] = np.where(
        squares[..., np.newaxis], [250.0, 20.0, 230.0], [250.0, 250.0, 20.0]
    )
    return _finished(rng, image, boxes, tag)


def _kinds(rng: np.random.RandomState, count: int) -> List[str]:
    return [str(kind) for kind in rng.permutation(KINDS)[:count]]


def _disc(rng: np.random.RandomState, sizes: Tuple[float, float]) -> Disc:
    """Return a disc inside the image; its radius is a share of the root of the image's area."""
    height, width = SCENE_SIZE
    radius = float(np.sqrt(height * width) * rng.uniform(*sizes))
    margin = radius + 3.0
    return rng.uniform(margin, height - margin), rng.uniform(margin, width - margin), radius


def _apart(rng: np.random.RandomState, count: int, sizes: Tuple[float, float]) -> List[Disc]:
    """Return discs that do not touch."""
    discs: List[Disc] = []
    while len(discs) < count:
        y, x, radius = _disc(rng, sizes)
        if all(np.hypot(y - b, x - a) > radius + other + 8.0 for b, a, other in discs):
            discs.append((y, x, radius))
    return discs


def _is_inside(disc: Disc) -> bool:
    y, x, radius = disc
    margin = radius + 3.0
    return margin <= y <= SCENE_SIZE[0] - margin and margin <= x <= SCENE_SIZE[1] - margin


def _with_discs(
    rng: np.random.RandomState, image: np.ndarray, kinds: List[str], discs: List[Disc]
) -> Tuple[np.ndarray, Dict[str, Box]]:
    return image, {kind: draw_object(rng, image, kind, *disc) for kind, disc in zip(kinds, discs)}


def _finished(
    rng: np.random.RandomState, image: np.ndarray, boxes: Dict[str, Box], cue: Optional[Box] = None
) -> DrawnScene:
    """Add the noise of a shipped scene and round to 8 bits."""
    noisy = image + rng.normal(0.0, rng.uniform(0.0, 6.0), image.shape)
    return DrawnScene(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), boxes, cue)


# name -> what is difficult, and the drawing
LEVELS: Dict[str, Tuple[str, Callable[[np.random.RandomState], DrawnScene]]] = {
    "plain": ("one object, no clutter", _plain),
    "several": ("two to four objects on clutter, as the shipped scenes", _several),
    "clutter": ("two objects, four times the clutter", _cluttered),
    "small": ("two objects of half the size", _small),
    "overlap": ("two objects, the second one in front of the first", _overlapping),
    "look-alikes": ("two objects of kinds that look alike, such as ring and crescent", _alike),
    "cue": ("one object, and a bright tag in a corner that the net has not learned", _cued),
}
