"""`gradcam-tf1 demo`: the embedded net on its own scenes, so that one sees in seconds what the maps say."""

from __future__ import annotations

import os
from typing import Sequence

import click

from gradcam_tf1.cli.terminal import Progress, load_tensorflow, say
from gradcam_tf1.drawing.contact_sheet import BAD, GOOD, Tile, contact_sheet
from gradcam_tf1.drawing.overlay import write_png
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.run.result import TargetRecord
from gradcam_tf1.run.results import Results
from gradcam_tf1.run.run_options import RunOptions

SHEET = "contact_sheet.png"


@click.command(short_help="See it work: the embedded net on its own scenes.")
@click.option(
    "--out", "out_folder", default="demo_out", show_default=True, type=click.Path(), help="Folder to write into."
)
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
def demo(out_folder: str, quiet: bool) -> None:
    """Ask the embedded net about every object in its dozen scenes: asked for the star, the star lights up.

    Writes the images and contact_sheet.png, and prints the share of maps whose peak falls in the right box.
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
    asked = sum(len(result.targets) for result in results)
    summary = f"{right} of {asked} maps ({right / asked:.0%}) have their peak in the box of the object asked for"
    sheet = os.path.join(out_folder, SHEET)
    write_png(sheet, contact_sheet(rows, f"Grad-CAM: {summary}"))
    if not quiet:
        say(f"{len(scenes)} scenes, {asked} questions: {summary}")
        say(f"look at {sheet}; all images are in {out_folder}")


def _tiles(results: Results, scenes: Sequence) -> tuple[list[list[Tile]], int]:
    """For each scene the image and one overlay per question; and how many peaks are in their boxes."""
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
