"""`gradcam-tf1 demo`: explain the built-in scenes with the built-in net, in seconds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Sequence

import click
import numpy as np

from gradcam_tf1.cli.progress import Progress
from gradcam_tf1.cli.terminal import load_tensorflow, say
from gradcam_tf1.drawing.contact_sheet import BAD, GOOD, Tile, contact_sheet
from gradcam_tf1.drawing.overlay import write_png
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.methods.options import MAX_SEED
from gradcam_tf1.run.result import TargetRecord
from gradcam_tf1.run.results import Results
from gradcam_tf1.run.run_options import RunOptions

if TYPE_CHECKING:
    from gradcam_tf1.nets.demo import Scene

SHEET = "contact_sheet.png"


@click.command(short_help="Try it: explain built-in scenes with the built-in net.")
@click.option("--out", "out_folder", default="demo_out", show_default=True, type=click.Path(), help="Output folder.")
@click.option(
    "--draw",
    "kind",
    metavar="KIND",
    help="Instead draw new scenes with one object, to try other commands on: star, ring, triangle, square, cross, "
    "crescent or heart.",
)
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=60, show_default=True, help="--draw: number of scenes."
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True, help="--draw: random seed.")
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def demo(out_folder: str, kind: str | None, count: int, seed: int, quiet: bool) -> None:
    """Explain every object of a dozen built-in scenes with the built-in net.

    Writes the images and contact_sheet.png, and prints the share of maps whose peak lies in the box of their object.
    """
    if kind is not None:
        _draw(out_folder, kind, count, seed)
        if not quiet:
            say(f"{count} scenes of a {kind}, in {out_folder}")
        return
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


def _draw(folder: str, kind: str, count: int, seed: int) -> None:
    """Write scenes with one object of a kind into a new folder."""
    from gradcam_tf1.nets.scene_levels import SCENE_SIZE
    from gradcam_tf1.nets.scenes import KINDS, draw_scene

    if kind not in KINDS:
        raise OptionError(f"no kind {kind!r}; possible: {', '.join(KINDS)}")
    if os.path.lexists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise OptionError(f"{folder!r} is there already; scenes are drawn into a new folder, give another --out")
    os.makedirs(folder, exist_ok=True)
    for number in range(count):
        image, _ = draw_scene(np.random.RandomState([seed, KINDS.index(kind), number]), *SCENE_SIZE, [kind])
        write_png(os.path.join(folder, f"{kind}_{number:03d}.png"), image)


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
