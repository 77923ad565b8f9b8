#!/usr/bin/env python
"""Draw docs/images/feature.jpg: what the star unit of the demo net sees, beside the scenes that activate it most.

.venv-tf1/bin/python scripts/feature_image.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from gradcam_tf1 import FeatureOptions, GradCamGraph, find_features
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes


def main(folder: str = "docs/images") -> None:
    """Draw the sheet of the star and keep it as a JPEG."""
    scenes = str(Path(demo_scenes()[0].path).parent)
    with tempfile.TemporaryDirectory() as work:
        with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
            find_features(net, "star", scenes, work, options=FeatureOptions(top=4))
        sheet = Image.open(f"{work}/star.sheet.png").convert("RGB")
        sheet.save(f"{folder}/feature.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
