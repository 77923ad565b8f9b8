"""Folders of the demo's scenes."""

from __future__ import annotations

import shutil
from pathlib import Path

from gradcam_tf1.nets.demo import demo_scenes


def copy_scenes(folder: Path, *names: str) -> Path:
    """The first scenes of the demo in this folder, under these names (with or without subfolders)."""
    for scene, name in zip(demo_scenes(), names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(scene.path, str(folder / name))
    return folder
