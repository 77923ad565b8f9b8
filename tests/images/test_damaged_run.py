"""A thousand damaged images between good ones, through the net: none ends the run, holds it up or makes it swell."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from damaged_images import damage
from PIL import Image

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model
from gradcam_tf1.run.manifest import read_manifest

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(sys.platform == "win32", reason="no named pipes, no measure of memory"),
]

RUN = """
import json, resource, sys, threading, time, warnings
warnings.simplefilter("ignore")
from gradcam_tf1 import GradCamGraph, RunOptions, Style
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
slowest = [0.0, time.monotonic()]
def progress(result, total):
    now = time.monotonic()
    slowest[:] = max(slowest[0], now - slowest[1]), now
with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
    some, style = RunOptions(n_images=16, threads=2), Style(heatmaps=False)
    net.visualize_imgs(sys.argv[1], sys.argv[2] + "-warm", methods="gradcam", style=style, run=some)
    before, slowest[1] = most(), time.monotonic()
    threads = threading.active_count()
    results = net.visualize_imgs(
        sys.argv[1], sys.argv[2], methods="gradcam", style=style, run=RunOptions(threads=2, progress=progress)
    )
    left = threading.active_count() - threads
    print(json.dumps([len(results), len(results.failed), most() - before, slowest[0], left]))
"""


def test_a_thousand_damaged_images_between_good_ones(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    damage(photos, 1_000)
    good = {f"{number:04d}-good.png" for number in range(0, 1_000, 7)}
    state = np.random.RandomState(0)
    for name in sorted(good):
        Image.fromarray(state.randint(0, 256, (30, 40, 3)).astype(np.uint8)).save(str(photos / name))
    command = [sys.executable, "-c", RUN, str(photos), str(out)]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300, check=True)
    count, failed, memory, slowest, threads = json.loads(process.stdout.decode().split("\n")[-2])
    assert count == len(os.listdir(str(photos))) > 1_150
    assert failed > 500
    assert memory < 300
    assert slowest < 30
    assert threads == 0
    lines = {line["relative"]: line for line in read_manifest(str(out / "manifest.jsonl"))}
    assert sorted(lines) == sorted(os.listdir(str(photos)))
    assert sum(line["status"] == "error" for line in lines.values()) == failed
    for name, line in lines.items():
        if line["status"] == "error":
            assert name in line["error"]
            assert len(line["error"]) > len(name) + 15
            assert not line["targets"]
        else:
            assert all(os.path.getsize(str(out / path)) for path in files_of(line))
    assert all(lines[name]["status"] == "ok" for name in good)
    written = {path for line in lines.values() for path in files_of(line)}
    assert {name for name in os.listdir(str(out)) if name not in ("manifest.jsonl", "run.json")} == written
    alone = tmp_path / "alone"
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        net.visualize_imgs(
            [str(photos / name) for name in sorted(good)], str(alone), methods="gradcam", style=Style(heatmaps=False)
        )
    for path in os.listdir(str(alone)):
        if path.endswith(".png"):
            one, other = (np.asarray(Image.open(str(folder / path))).astype(int) for folder in (alone, out))
            assert np.abs(one - other).mean() < 0.01  # in other company the last digits may be others


def files_of(line):
    return [path for target in line["targets"] for record in target["maps"] for path in record["files"].values()]
