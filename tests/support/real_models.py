"""Where the real nets and photographs are."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def find_models() -> Path | None:
    """The folder of real nets and photographs: $GRADCAM_TF1_MODELS, else ../shared/models beside the project."""
    given = os.environ.get("GRADCAM_TF1_MODELS")
    folder = Path(given) if given else ROOT.parent / "shared" / "models"
    return folder if (folder / "models.json").is_file() else None
