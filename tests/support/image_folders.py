"""Folders of images: the scenes of the demo, and noise."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Dict, Tuple

import numpy as np
from PIL import Image

from gradcam_tf1.nets.demo import demo_scenes


def copy_scenes(folder: Path, *names: str) -> Path:
    """The first scenes of the demo in this folder, under these names (with or without subfolders)."""
    for scene, name in zip(demo_scenes(), names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(scene.path, str(folder / name))
    return folder


def write_noise(folder: Path, sizes: Dict[str, Tuple[int, int]], seed: int = 0) -> Path:
    """Images of chance in this folder: name -> (height, width)."""
    folder.mkdir(parents=True, exist_ok=True)
    state = np.random.RandomState(seed)
    for name, (height, width) in sizes.items():
        Image.fromarray(state.randint(0, 256, (height, width, 3)).astype(np.uint8)).save(str(folder / name))
    return folder
