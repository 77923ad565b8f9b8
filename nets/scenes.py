"""Draw the scenes of the demo net: objects of a few kinds on clutter, with their boxes. No TensorFlow here."""

from __future__ import annotations

from typing import Dict, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from gradcam_tf1.errors import OptionError

KINDS = ("star", "ring", "triangle", "square", "cross", "crescent", "heart")

Box = Tuple[int, int, int, int]  # top, left, bottom, right; the last two exclusive

_SUPERSAMPLING = 4
_LOW_CONTRAST = 110.0  # RGB distance below which an object is hard to see on its background


def draw_scene(
    rng: np.random.RandomState, height: int, width: int, kinds: Sequence[str]
) -> Tuple[np.ndarray, Dict[str, Box]]:
    """Draw one scene with one object of each kind; objects do not overlap.

    Parameters
    ----------
    rng : np.random.RandomState
        The source of random numbers.
    height, width : int
        The size of the image in pixels.
    kinds : sequence of str
        Some of `KINDS`.

    Returns
    -------
    image : np.ndarray
        uint8 [height, width, 3], RGB.
    boxes : dict
        Kind -> (top, left, bottom, right) in pixels, bottom and right exclusive. A kind that found no free place is
        missing here and in the image.
    """
    image = background(rng, height, width)
    clutter(rng, image)
    boxes: Dict[str, Box] = {}
    for kind in kinds:
        disc = _free_disc(rng, height, width, list(boxes.values()))
        if disc is not None:
            boxes[kind] = draw_object(rng, image, kind, *disc)
    image += rng.normal(0.0, rng.uniform(0.0, 6.0), image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), boxes


def outline(kind: str, rng: np.random.RandomState) -> np.ndarray:
    """Return the outline of a kind inside the unit circle.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    rng : np.random.RandomState
        The source of random numbers.

    Returns
    -------
    np.ndarray
        float64 [points, 2], (x, y), not rotated.

    Raises
    ------
    OptionError
        If there is no such kind.
    """
    if kind == "star":
        radius = np.where(np.arange(10) % 2 == 0, 1.0, rng.uniform(0.36, 0.46))
        return _polar(radius, 10)
    if kind in ("triangle", "square"):
        return _polar(1.0, 3 if kind == "triangle" else 4)
    if kind == "cross":
        arm = rng.uniform(0.26, 0.36)
        corner = np.array([[1.0, -arm], [1.0, arm], [arm, arm]])
        turns = [corner @ np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
        return np.concatenate(turns) * 0.95
    if kind == "heart":
        t = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
        y = 13.0 * np.cos(t) - 5.0 * np.cos(2 * t) - 2.0 * np.cos(3 * t) - np.cos(4 * t)
        return np.stack([16.0 * np.sin(t) ** 3, -y - 2.0], axis=1) / 17.0
    if kind in ("ring", "crescent"):
        return _polar(1.0, 72)
    raise OptionError(f"no kind of object is called {kind!r}; possible: {', '.join(KINDS)}")


def _polar(radius: Union[float, np.ndarray], points: int) -> np.ndarray:
    angle = 2.0 * np.pi * np.arange(points) / points
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _hole(kind: str, rng: np.random.RandomState) -> Optional[np.ndarray]:
    """Return the outline of the hole in a kind, float64 [points, 2]; None if it has no hole."""
    if kind == "ring":
        return np.asarray(_polar(1.0, 72) * rng.uniform(0.5, 0.66))
    if kind == "crescent":
        return np.asarray(_polar(1.0, 72) * rng.uniform(0.78, 0.86) + np.array([rng.uniform(0.4, 0.5), 0.0]))
    return None


def _alpha(rng: np.random.RandomState, kind: str, radius: float, shift: np.ndarray) -> np.ndarray:
    """Return the coverage of one rotated object by pixel, float64 [side, side] in 0..1; `shift` is below one pixel."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    half = int(np.ceil(radius)) + 1
    canvas = np.zeros((2 * half * _SUPERSAMPLING,) * 2, np.uint8)
    for points, value in ((outline(kind, rng), 255), (_hole(kind, rng), 0)):
        if points is not None:
            pixels = ((points @ turn) * radius + half + shift) * _SUPERSAMPLING
            cv2.fillPoly(canvas, [np.rint(pixels).astype(np.int32)], value)
    return np.asarray(cv2.resize(canvas, (2 * half, 2 * half), interpolation=cv2.INTER_AREA) / 255.0)


def draw_object(rng: np.random.RandomState, image: np.ndarray, kind: str, y: float, x: float, radius: float) -> Box:
    """Draw one object with random rotation and colour.

    Parameters
    ----------
    rng : np.random.RandomState
        The source of random numbers.
    image : np.ndarray
        float [H, W, 3], RGB, 0..255; changed in place.
    kind : str
        One of `KINDS`.
    y, x, radius : float
        Centre and radius in pixels.

    Returns
    -------
    Box
        Top, left, bottom, right in pixels, bottom and right exclusive.
    """
    shift = np.array([x % 1.0, y % 1.0])
    alpha = _alpha(rng, kind, radius, shift)
    half = alpha.shape[0] // 2
    top, left = int(y) - half, int(x) - half
    patch = image[top : top + 2 * half, left : left + 2 * half]
    colour = _colour_away_from(rng, patch.mean(axis=(0, 1)))
    shade = 1.0 + rng.uniform(0.0, 0.25) * np.linspace(1.0, -1.0, 2 * half)[:, None, None]
    patch += alpha[:, :, None] * (np.clip(colour * shade, 0, 255) - patch)
    rows, columns = np.nonzero((alpha > 0.5).any(axis=1))[0], np.nonzero((alpha > 0.5).any(axis=0))[0]
    return top + int(rows[0]), left + int(columns[0]), top + int(rows[-1]) + 1, left + int(columns[-1]) + 1


def _free_disc(
    rng: np.random.RandomState, height: int, width: int, taken: Sequence[Box]
) -> Optional[Tuple[float, float, float]]:
    """Return (y, x, radius) of a disc inside the image that does not touch the boxes; None if none was found."""
    scale = np.sqrt(height * width)
    for attempt in range(60):
        radius = scale * rng.uniform(0.12, 0.2 if attempt < 30 else 0.14)
        margin = radius + 3.0
        y, x = rng.uniform(margin, height - margin), rng.uniform(margin, width - margin)
        gap = margin + 0.02 * scale
        if all(y + gap < t or y - gap > b or x + gap < le or x - gap > r for t, le, b, r in taken):
            return y, x, radius
    return None


def _colour(rng: np.random.RandomState, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Return a colour of random hue, with brightness `low`..`high` of 1: float64 [3], RGB, 0..255."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0.15, 0.9), rng.uniform(low, high)]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64) * 255.0)


def _colour_away_from(rng: np.random.RandomState, under: np.ndarray) -> np.ndarray:
    colours = [_colour(rng, 0.25) for _ in range(12)]
    distances = [np.linalg.norm(colour - under) for colour in colours]
    clear = [colour for colour, distance in zip(colours, distances) if distance > _LOW_CONTRAST]
    return clear[0] if clear else colours[int(np.argmax(distances))]


def background(rng: np.random.RandomState, height: int, width: int) -> np.ndarray:
    """Return a rotated gradient of two colours with a soft cloudy texture: float64 [height, width, 3]."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    y, x = np.mgrid[0:height, 0:width] / float(max(height, width))
    ramp = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)[:, :, None]
    first = _colour(rng, 0.1, 0.95)
    second = 0.5 * first + 0.5 * _colour(rng, 0.1, 0.95)
    cells = rng.normal(0.0, rng.uniform(2.0, 16.0), (rng.randint(3, 14), rng.randint(3, 14), 1))
    clouds = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)[:, :, None]
    return np.asarray((1.0 - ramp) * first + ramp * second + clouds)


def clutter(rng: np.random.RandomState, image: np.ndarray) -> None:
    """Draw lines, arcs, discs and specks into a float64 image, in place; none looks like one of KINDS."""
    height, width = image.shape[:2]
    unit = np.sqrt(height * width) / 138.0
    mean = image.mean(axis=(0, 1))
    canvas = np.clip(image, 0, 255).astype(np.uint8)

    def point() -> Tuple[int, int]:
        return int(rng.randint(width)), int(rng.randint(height))

    def colour() -> Tuple[float, ...]:
        return tuple(float(v) for v in 0.45 * mean + 0.55 * _colour(rng, 0.1))

    def size(low: float, high: float) -> int:
        return max(1, int(round(unit * rng.uniform(low, high))))

    for _ in range(rng.randint(0, 9)):
        cv2.line(canvas, point(), point(), colour(), size(0.7, 2.6), cv2.LINE_AA)
    for _ in range(rng.randint(0, 5)):
        start, axes = rng.uniform(0, 360), (size(8, 60), size(8, 60))
        cv2.ellipse(
            canvas,
            point(),
            axes,
            rng.uniform(0, 180),
            start,
            start + rng.uniform(30, 120),
            colour(),
            size(0.7, 2.6),
            cv2.LINE_AA,
        )
    for _ in range(rng.randint(0, 6)):
        cv2.ellipse(canvas, point(), (size(5, 18), size(5, 18)), rng.uniform(0, 180), 0, 360, colour(), -1, cv2.LINE_AA)
    for _ in range(rng.randint(0, 30)):
        cv2.circle(canvas, point(), size(0.6, 2.4), colour(), -1, cv2.LINE_AA)
    image[...] = canvas
