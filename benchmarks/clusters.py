"""What it costs to cluster the maps of a large folder."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator

import cv2
import numpy as np
from timing import Case, Limit

from gradcam_tf1 import GradCamGraph, RunOptions, find_strategies
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model
from gradcam_tf1.nets.scenes import draw_scene
from gradcam_tf1.report.report_folder import ReportFolder, ident_of
from gradcam_tf1.report.run_rows import digest_of, run_rows
from gradcam_tf1.run.manifest_lines import line_of

DRAWN, COPIES = 250, 20


def make_run(folder: Path) -> str:
    """Explain drawn scenes with a report, and repeat their lines and records: 5,000 images."""
    rng, out = np.random.RandomState(0), folder / "out"
    (folder / "photos").mkdir()
    for n in range(DRAWN):
        image = draw_scene(rng, 120, 160, [DEMO_CLASSES[n % 3]])[0]
        cv2.imwrite(str(folder / "photos" / f"{n:04d}.png"), image[..., ::-1])
    with GradCamGraph(demo_model(), preset="inception") as net:
        net.visualize_imgs(str(folder / "photos"), str(out), methods="gradcam", run=RunOptions(report=True))
    report, results = ReportFolder(str(out)), list(run_rows(str(out)))
    lines = []
    for n in range(DRAWN * COPIES):
        result = replace(results[n % DRAWN], index=n, relative=f"{n:05d}.png")
        lines.append(line_of(result, str(out)))
        record = report.read_record(ident_of(n % DRAWN)) or {}
        own = {"id": ident_of(n), "name": result.relative, "row": digest_of(result)}
        for name, ending in (("preview", ".jpg"), ("thumb", ".thumb.jpg")):
            own[name] = f"images/{own['id']}{ending}"
            if n >= DRAWN:
                images = out / "report" / "images"
                shutil.copy(images / (ident_of(n % DRAWN) + ending), images / (own["id"] + ending))
        report.write_record({**record, **own})
    (out / "manifest.jsonl").write_bytes(b"".join(lines))
    return str(out)


@contextmanager
def strategies_of_5000() -> Iterator[Case]:
    """Strategies of 5,000 maps whose report is up to date."""
    with TemporaryDirectory() as folder:
        out = make_run(Path(folder))
        alternatives = {"strategies of 5,000 maps": lambda: find_strategies(out)}
        yield Case(alternatives, [Limit("strategies of 5,000 maps", 30_000)], rounds=3)
