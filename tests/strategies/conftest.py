"""A run of the net that learned the wrong thing, on scenes whose cause is known."""

from __future__ import annotations

import clever_hans
import cv2
import pytest

from gradcam_tf1 import GradCamGraph, RunOptions

COUNT = 60


@pytest.fixture(scope="package")
def scenes():
    return clever_hans.scenes(COUNT, seed=9)


@pytest.fixture(scope="package")
def out(tmp_path_factory, scenes):
    """The output folder, with the true class as the folder of each image."""
    folder = tmp_path_factory.mktemp("clever")
    for n, (image, class_id) in enumerate(zip(*scenes[:2])):
        path = folder / "photos" / clever_hans.CLASSES[class_id] / f"{n:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image[..., ::-1])
    with GradCamGraph(str(clever_hans.NET), preset="inception", labels=list(clever_hans.CLASSES)) as net:
        net.visualize_imgs(
            str(folder / "photos"),
            str(folder / "out"),
            methods=["gradcam", "guided_gradcam"],
            run=RunOptions(report=True),
        )
    return folder / "out"
