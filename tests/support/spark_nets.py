"""A net that executors import: it writes down each time that a process opens it."""

from __future__ import annotations

import os
from typing import Any

from gradcam_tf1.graph import GradCamGraph


class CountedNet(GradCamGraph):
    def __init__(self, model: Any, *, log: str, **options: Any) -> None:
        super().__init__(model, **options)
        with open(log, "a") as file:
            file.write(f"{os.getpid()}\n")

    def preprocess(self, images):
        return images / 255.0
