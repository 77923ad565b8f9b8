#!/usr/bin/env python
"""Compare the maps of a GPU with those of the CPU: every method on the demo net, and on the real nets that are here.

    make gpu-check                                    the first GPU
    python scripts/gpu_check.py --device /gpu:1       another one; --model FILE --method NAME choose

Without a GPU it says so and ends with code 0. A difference above the limits ends it with code 1. The real nets are
the frozen graphs of the folder $GRADCAM_TF1_MODELS/pb.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

# Cards since Ampere round the factors of products to 10 bits unless they are told not to; the CPU does not
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import numpy as np

from gradcam_tf1 import METHODS, GradCamError, GradCamGraph, read_image
from gradcam_tf1.diagnosis.machine import machine
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

# The last digit may decide where a gradient passes a ReLU or a max-pooling, so single pixels of guided maps may differ
MEAN, CORRELATION = 1e-2, 0.999
_MODELS = "GRADCAM_TF1_MODELS"
Images = List[np.ndarray]


def difference(cpu: np.ndarray, gpu: np.ndarray) -> Tuple[float, float]:
    """Return the mean absolute difference in units of the CPU map's mean absolute value, and the correlation."""
    cpu, gpu = cpu.astype(np.float64).ravel(), gpu.astype(np.float64).ravel()
    size = np.abs(cpu).mean()
    if size == 0 or np.ptp(cpu) == 0:
        return float(np.abs(cpu - gpu).max() / (size or 1)), 1.0
    if np.ptp(gpu) == 0:
        return float(np.abs(cpu - gpu).mean() / size), 0.0
    return float(np.abs(cpu - gpu).mean() / size), float(np.corrcoef(cpu, gpu)[0, 1])


def agrees(mean: float, correlation: float) -> bool:
    """Whether two maps are the same but for rounding; NaN is not."""
    return mean <= MEAN and correlation >= CORRELATION


def maps(model: str, preset: str | None, device: str, methods: Sequence[str], images: Images) -> Dict[str, np.ndarray]:
    """Return the maps of each method on a device, raw; a method that does not fit the net is missing."""
    found = {}
    config = tf.ConfigProto(allow_soft_placement=True, device_count={"CPU": 2})  # two: the tests compare these
    with GradCamGraph(model, preset=preset, devices=(device,), config=config) as net:
        for method in methods:
            try:
                explained = net.explain(images, methods=method)
            except GradCamError as error:
                click.echo(f"  {method}: left out on {device}: {str(error).splitlines()[0]}", err=True)
                continue
            found[method] = np.concatenate([each.values.ravel() for each in explained])
    return found


def compare(model: str, preset: str, devices: Tuple[str, str], methods: Sequence[str], images: Images) -> List[str]:
    """Print one line per method; return the methods that disagree or that only one device computes.

    A net on which no method works was not compared: that is returned too.
    """
    first, second = (maps(model, preset, device, methods, images) for device in devices)
    bad = sorted(set(first) ^ set(second))
    for method in sorted(set(first) & set(second)):
        mean, correlation = difference(first[method], second[method])
        good = agrees(mean, correlation)
        click.echo(
            f"  {method:24} mean difference {mean:.1e}, correlation {correlation:.6f}{'' if good else '  DIFFERENT'}"
        )
        bad += [] if good else [method]
    click.echo(f"  {len(first)} methods on {devices[0]}, {len(second)} on {devices[1]}")
    return bad if first or second else ["no method works on either device"]


def nets() -> List[Tuple[str, str]]:
    """Return the demo net and the real frozen graphs, each with a preset."""
    folder = Path(os.environ.get(_MODELS, "")) / "pb"
    real = sorted(folder.rglob("*.pb")) if os.environ.get(_MODELS) else []
    return [(demo_model(), DEMO_PRESET), *((str(path), "inception") for path in real)]


def _check(device: str) -> None:
    """Refuse a GPU that is not there: TensorFlow would quietly take the CPU in its place."""
    count = len(tf.config.experimental.list_physical_devices("GPU"))
    if (tf.DeviceSpec.from_string(device).device_index or 0) >= count:
        raise SystemExit(f"{device} is not there: TensorFlow sees {count} GPUs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and return the exit code."""
    parser = argparse.ArgumentParser(description="Compare the maps of a GPU with those of the CPU.")
    parser.add_argument("--device", help="such as /gpu:1; the first GPU if it is left out")
    parser.add_argument("--model", action="append", help="frozen graph, with the preset inception")
    parser.add_argument("--method", action="append", choices=sorted(METHODS))
    given = parser.parse_args(arguments)
    click.echo("\n".join(machine()))
    if given.device is None and not tf.config.experimental.list_physical_devices("GPU"):
        click.echo("gpu-check is skipped: TensorFlow sees no GPU here; docs/gpu.md says which build sees which card")
        return 0
    if given.device and tf.DeviceSpec.from_string(given.device).device_type == "GPU":
        _check(given.device)
    images = [read_image(scene.path) for scene in demo_scenes()]
    images = [image for image in images if image.shape == images[0].shape][:2]
    bad = []
    for model, preset in [(name, "inception") for name in given.model] if given.model else nets():
        click.echo(model)
        devices = ("/cpu:0", given.device or "/gpu:0")
        bad += [f"{model}: {name}" for name in compare(model, preset, devices, given.method or sorted(METHODS), images)]
    click.echo(f"different: {'; '.join(bad)}" if bad else "the maps are the same on both")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
