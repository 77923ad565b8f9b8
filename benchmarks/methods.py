"""Compare all methods: python benchmarks/methods.py [--write] (`make benchmark-methods` writes docs/methods.md).

Drawn scenes of every level with the demo net, and, where the folder of real nets is, photographs with boxes. What is
measured is kept in build/, method by method: a second call with the same sizes goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
from method_items import Material, levels_of, models_folder, photographs, scenes
from method_measures import Measured, Plan, measured_methods
from method_sanity import BLOCKS, FEWER, IMAGES, kept_shares
from method_tables import level_table, main_table, on_fewer_images, write_part

from gradcam_tf1 import METHODS
from gradcam_tf1.tf_runtime import tf

BUILD = Path(__file__).resolve().parent.parent / "build"
# runs per photograph: the 768 channels of the layer, times 10
TOO_LONG = ("sscam", "iscam")


def compare(name: str, material: Material, plan: Plan, write: bool) -> None:
    """Measure all methods, print their tables, and put them into the page."""
    results = _measure(name, material, plan)
    values = {method: found.values for method, found in results.items()}
    costs = {method: found.seconds for method, found in results.items()}
    shares = {method: found.kept for method, found in results.items() if found.kept is not None}
    lines = [_about(material, plan) + on_fewer_images(values), "", *main_table(values, costs, shares, plan.seed)]
    parts = {name: lines}
    if any(item.level for item in material.items):
        parts[f"{name} by level"] = level_table(values, dict(levels_of(material.items)))
    for part, text in parts.items():
        print("\n".join(text))
        if write:
            write_part(part, text)


def _measure(name: str, material: Material, plan: Plan) -> Dict[str, Measured]:
    """Measure all methods; each one is kept in build/ as soon as it is known."""
    sizes = {"asked": material.asked, "items": len(material.items), **plan._asdict()}
    del sizes["slow_kept"]  # which changes no value
    path = BUILD / f"methods-{name}.json"
    results = _kept(path, sizes)
    for method, found in measured_methods(material, plan, results):
        results[method] = found
        _keep(path, sizes, results)
        hits, count = found.values["pointing"], int((~np.isnan(found.values["pointing"])).sum())
        print(f"{name}: {method}: {np.nanmean(hits):.2f} of {count}, {found.seconds:.3g} s", flush=True)
    asked = [method for method in results if method in METHODS and (plan.slow_kept or not METHODS[method].iterated)]
    unknown = [method for method in asked if results[method].kept is None]
    for method, kept in kept_shares(unknown, material, plan):
        results[method] = results[method]._replace(kept=kept)
        _keep(path, sizes, results)
        print(f"{name}: {method}: {kept:.2f} is kept by drawn weights", flush=True)
    return results


def _about(material: Material, plan: Plan) -> str:
    options = [f"`{name}.{key}={value}`" for name, own in plan.options.items() for key, value in own.items()]
    others = f"; {', '.join(options)}, other options at their defaults" if options else "; default options"
    fewer = FEWER if plan.slow_kept else "none"
    return (
        f"{material.images}: {len(material.items)} images of {material.asked}, in which the explained class is found. "
        f"Tolerance {material.tolerance:g} pixels. Insertion (on a blurred image) and "
        f"deletion (to the mean colour): probability, {plan.steps} steps, the first {plan.slow} images{others}. Kept: "
        f"the first {IMAGES} images, {fewer} for methods that run the net many times; {BLOCKS} steps. "
        f"Seed {plan.seed}, TensorFlow {tf.__version__}, numpy {np.__version__}, Python {platform.python_version()}."
    )


def _kept(path: Path, sizes: Dict[str, Any]) -> Dict[str, Measured]:
    content = json.loads(path.read_text()) if path.exists() else {}
    if content.get("sizes") != json.loads(json.dumps(sizes)):
        return {}
    return {
        name: Measured(
            {metric: np.array(row, float) for metric, row in each["values"].items()}, each["seconds"], each.get("kept")
        )
        for name, each in content["results"].items()
    }


def _keep(path: Path, sizes: Dict[str, Any], results: Dict[str, Measured]) -> None:
    rows: Dict[str, Any] = {
        name: {**each._asdict(), "values": {metric: row.tolist() for metric, row in each.values.items()}}
        for name, each in results.items()
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"sizes": sizes, "results": rows}))


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=20, help="drawn scenes of each level; 0 leaves them out")
    parser.add_argument("--slow", type=int, default=21, help="images for methods that run the net many times")
    parser.add_argument("--slowest", type=int, default=10, help="images for those with the most runs")
    parser.add_argument("--photos", type=int, default=4, help="photographs for the same; 0 leaves photographs out")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/methods.md")
    given = parser.parse_args(arguments)
    session = {"config": tf.ConfigProto(intra_op_parallelism_threads=2)}
    if given.scenes:
        plan = Plan(given.slow, given.slowest, {"rise": {"masks": 1000}})
        compare("scenes", scenes(given.scenes, plan.seed, **session), plan, given.write)
    if given.photos and models_folder():
        plan = Plan(given.photos, max(1, given.photos // 2), {"rise": {"masks": 500}}, TOO_LONG, 10, slow_kept=False)
        compare("photographs", photographs(models_folder(), **session), plan, given.write)


if __name__ == "__main__":
    main()
