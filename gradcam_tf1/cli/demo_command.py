"""`gradcam-tf1 demo`: explain the built-in scenes with the built-in net, in seconds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Sequence

import click

from gradcam_tf1.cli.progress import Progress
from gradcam_tf1.cli.terminal import load_tensorflow, say
from gradcam_tf1.drawing.contact_sheet import BAD, GOOD, Tile, contact_sheet
from gradcam_tf1.drawing.overlay import write_png
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.run.result import TargetRecord
from gradcam_tf1.run.results import Results
from gradcam_tf1.run.run_options import RunOptions

if TYPE_CHECKING:
    from gradcam_tf1.nets.demo import Scene

SHEET = "contact_sheet.png"


@click.command(short_help="Try it: explain built-in scenes with the built-in net.")
@click.option("--out", "out_folder", default="demo_out", show_default=True, type=click.Path(), help="Output folder.")
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def demo(out_folder: str, quiet: bool) -> None:
    """Explain every object of a dozen built-in scenes with the built-in net.

    Writes the images and contact_sheet.png, and prints the share of maps whose peak lies in the box of their object.
    """
    load_tensorflow()
    from gradcam_tf1.graph import GradCamGraph
    from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes

    scenes = demo_scenes()
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net, Progress(quiet) as progress:
        results = net.visualize_imgs(
            [scene.path for scene in scenes],
            out_folder,
            targets=[list(scene.boxes) for scene in scenes],
            run=RunOptions(progress=progress),
        )
    rows, right = _tiles(results, scenes)
    count = sum(len(result.targets) for result in results)
    summary = f"{right} of {count} maps ({right / count:.0%}) have their peak in the box of their object"
    sheet = os.path.join(out_folder, SHEET)
    write_png(sheet, contact_sheet(rows, f"Grad-CAM: {summary}"))
    if not quiet:
        say(f"{len(scenes)} scenes, {count} objects: {summary}")
        say(f"look at {sheet}; all images are in {out_folder}")


def _tiles(results: Results, scenes: Sequence[Scene]) -> tuple[list[list[Tile]], int]:
    """Return a row of tiles per scene, the image and an overlay per object, and the number of peaks in their boxes."""
    rows, right = [], 0
    for result, scene in zip(results, scenes):
        row = [Tile(read_image(scene.path), os.path.basename(scene.path))]
        for target in result.targets:
            tile, hit = _tile(target, scene.boxes[target.label])
            right += hit
            row.append(tile)
        rows.append(row)
    return rows, right


def _tile(target: TargetRecord, box: tuple[int, int, int, int]) -> tuple[Tile, bool]:
    cam = target.maps[0]
    hit = cam.peak is not None and box[0] <= cam.peak[0] < box[2] and box[1] <= cam.peak[1] < box[3]
    title = f"{target.label}  {target.probability:.2f}"
    return Tile(read_image(cam.files["overlay"]), title, GOOD if hit else BAD, box, cam.peak), hit
