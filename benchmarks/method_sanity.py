"""Measure how much of each method's maps is left on a net whose weights are drawn anew."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterable, Iterator, Tuple

import cv2
from method_items import Material
from method_measures import Plan

from gradcam_tf1 import METHODS, SanityOptions, method, sanity_check

IMAGES, FEWER, BLOCKS = 8, 4, 4  # fewer images for methods that run the net many times


def kept_shares(names: Iterable[str], material: Material, plan: Plan) -> Iterator[Tuple[str, float]]:
    """Yield each method with the share of its maps that the upper half of the layers, drawn anew, leaves."""
    with TemporaryDirectory() as folder:
        paths = []
        for number, item in enumerate(material.items[:IMAGES]):
            paths.append(str(Path(folder) / f"{number}.png"))
            if not cv2.imwrite(paths[-1], item.image[..., ::-1]):
                raise OSError(f"{paths[-1]} cannot be written")
        for name in names:
            some = paths[: FEWER if METHODS[name].iterated else IMAGES]
            options = SanityOptions(modes="cascade", checks=(), blocks=BLOCKS, seed=plan.seed)
            chosen = method(name, **plan.options.get(name, {}))
            report = sanity_check(material.net, some, methods=[chosen], options=options)
            yield name, report.verdicts[0].kept.mean
