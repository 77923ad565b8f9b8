"""What the pages of the documentation assume to be there: model.pb, labels.txt, photos/ and the nets they name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from array_nets import ArrayNet
from clip_nets import clip_graph
from further_nets import siamese, with_meta
from image_folders import write_noise
from PIL import Image
from recipe_nets import deeplab, multispectral, write_frozen

from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.nets.vgg_layers import random_weights

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}


def vgg19_layers() -> Any:
    return random_weights(19, classes=10, width=1 / 32).layers


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: Any) -> Dict[str, Any]:
    """What the Python of the pages needs; return the names that it uses without making them."""
    shutil.copy(demo_model(), str(tmp_path / "model.pb"))
    (tmp_path / "labels.txt").write_text("\n".join(DEMO_CLASSES))
    (tmp_path / "photos").mkdir()
    for scene in demo_scenes()[:2]:
        shutil.copy(scene.path, str(tmp_path / "photos"))
    monkeypatch.chdir(tmp_path)
    signal, volume = ArrayNet((11,)), ArrayNet((3, 4, 5))
    (tmp_path / "ecg.pb").write_bytes(signal.graph().SerializeToString())
    (tmp_path / "scan.pb").write_bytes(volume.graph().SerializeToString())
    (tmp_path / "patient.pb").write_bytes(with_meta().SerializeToString())
    (tmp_path / "pair.pb").write_bytes(siamese("before", "after").SerializeToString())
    vgg = {f"{name}/{part}": pair[i] for name, pair in vgg19_layers().items() for i, part in enumerate("Wb")}
    np.savez(str(tmp_path / "vgg19.npz"), **vgg)
    (tmp_path / "nets").symlink_to(ROOT / "nets")
    return {"photo": read_image(demo_scenes()[0].path), "signals": signal.arrays(1), "volumes": volume.arrays(1)}


@pytest.fixture
def workshop(desk: Dict[str, Any], tmp_path: Path) -> None:
    """What the commands of the pages need besides."""
    layers = {name: list(pair) for name, pair in vgg19_layers().items()}
    np.save(str(tmp_path / "vgg19.npy"), layers, allow_pickle=True)
    write_frozen(deeplab, str(tmp_path / "deeplab.pb"))
    write_frozen(multispectral, str(tmp_path / "multispectral.pb"))
    (tmp_path / "video.pb").write_bytes(clip_graph().as_graph_def().SerializeToString())
    write_noise(tmp_path / "clips" / "walk", {f"frame{i}.png": (6, 8) for i in range(4)})
    (tmp_path / "scenes").mkdir()
    np.save(str(tmp_path / "scenes" / "field.npy"), np.zeros((64, 64, 4), np.uint8))
    (tmp_path / "masks").mkdir()
    for scene in demo_scenes()[:2]:
        Image.new("L", scene.size[::-1], 255).save(str(tmp_path / "masks" / Path(scene.path).name))
    (tmp_path / "classes.csv").write_text("image,class\nscene_00.png,0\nscene_01.png,1\n")
    (tmp_path / "failed.txt").write_text("photos/scene_00.png\n")
    lines = [
        f"{Path(scene.path).name},{kind},{left},{top},{right},{bottom}"
        for scene in demo_scenes()[:2]
        for kind, (top, left, bottom, right) in scene.boxes.items()
    ]
    (tmp_path / "boxes.csv").write_text("\n".join(["image,class,left,top,right,bottom", *lines]))
