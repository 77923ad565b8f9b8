"""What the pages of the documentation assume to be there: model.pb, labels.txt, photos/ and the nets they name."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict

import numpy as np
import pytest
from array_nets import ArrayNet
from clip_nets import clip_graph
from detector_nets import ANCHORS, ssd
from further_nets import siamese, with_meta
from image_folders import write_noise
from PIL import Image
from recipe_nets import deeplab, multispectral, write_frozen
from text_nets import WORDS, convolution, frozen, of_spectrograms

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


ALL_PHOTOS = {
    "docs/strategies.md": "a class needs twelve maps",
    "docs/concepts.md": "craft needs several images of a class",
}  # other pages are faster with two


def lay_out_photos(page: str) -> None:
    """Copy all scenes to the photos of the desk if the page needs them."""
    for scene in demo_scenes() if page in ALL_PHOTOS else ():
        shutil.copy(scene.path, "photos")


def vgg19_layers() -> Any:
    return random_weights(19, classes=10, width=1 / 32).layers


@lru_cache(maxsize=None)
def _made(make: Callable[[Path], None]) -> Dict[str, bytes]:
    """The files that a function makes, which are made once in a process."""
    with TemporaryDirectory() as folder:
        make(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _lay_out(make: Callable[[Path], None], folder: Path) -> None:
    for name, content in _made(make).items():
        (folder / name).write_bytes(content)


def _nets_of_the_python(folder: Path) -> None:
    (folder / "ecg.pb").write_bytes(ArrayNet((11,)).graph().SerializeToString())
    (folder / "sentiment.pb").write_bytes(frozen(convolution).SerializeToString())
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    (folder / "moods.txt").write_text("negative\npositive\n")
    (folder / "texts.txt").write_text("The film was very good!\nNot a good film, it was boring.\n")
    (folder / "sound.pb").write_bytes(of_spectrograms().SerializeToString())
    (folder / "scan.pb").write_bytes(ArrayNet((3, 4, 5)).graph().SerializeToString())
    (folder / "patient.pb").write_bytes(with_meta().SerializeToString())
    (folder / "pair.pb").write_bytes(siamese("before", "after").SerializeToString())
    vgg = {f"{name}/{part}": pair[i] for name, pair in vgg19_layers().items() for i, part in enumerate("Wb")}
    np.savez(str(folder / "vgg19.npz"), **vgg)


def _nets_of_the_commands(folder: Path) -> None:
    layers = {name: list(pair) for name, pair in vgg19_layers().items()}
    np.save(str(folder / "vgg19.npy"), layers, allow_pickle=True)
    write_frozen(deeplab, str(folder / "deeplab.pb"))
    write_frozen(ssd, str(folder / "detector.pb"))
    np.save(folder / "anchors.npy", ANCHORS)
    write_frozen(multispectral, str(folder / "multispectral.pb"))
    (folder / "video.pb").write_bytes(clip_graph().as_graph_def().SerializeToString())


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
    _lay_out(_nets_of_the_python, tmp_path)
    (tmp_path / "nets").symlink_to(ROOT / "nets")
    return {"photo": read_image(demo_scenes()[0].path), "signals": signal.arrays(1), "volumes": volume.arrays(1)}


@pytest.fixture
def workshop(desk: Dict[str, Any], tmp_path: Path) -> None:
    """What the commands of the pages need besides."""
    shutil.copy("model.pb", "successor.pb")
    _lay_out(_nets_of_the_commands, tmp_path)
    write_noise(tmp_path / "clips" / "walk", {f"frame{i}.png": (6, 8) for i in range(4)})
    for folder in ("scenes", "spectra"):
        (tmp_path / folder).mkdir()
    np.save(str(tmp_path / "spectra" / "bark.npy"), np.random.RandomState(0).randn(40, 16).astype(np.float32) * 20)
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
