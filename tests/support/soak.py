"""The soak (`make soak`): many images, some damaged, killed again and again, resumed; at the end nothing is missing.

python tests/support/soak.py [IMAGES [KILLS]]. Images and results are in a temporary folder, removed at the end. Up to
COMPARED images, what came out is compared, byte by byte, with what a run that nobody disturbs writes.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Set

import cv2
import numpy as np
from output_files import content

from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import demo_model, demo_scenes
from gradcam_tf1.run.manifest import read_manifest

DAMAGED = 0.02
COMPARED = 2000
PATIENCE = 3600  # seconds without a new line


def make_images(folder: Path, count: int, chance: random.Random) -> Set[str]:
    """Noisy variants of the demo scenes. Returns: the names of the damaged ones."""
    scenes = [read_image(scene.path) for scene in demo_scenes()]
    noise = np.random.RandomState(0)
    damaged = set(chance.sample(range(count), round(count * DAMAGED)))
    names = [f"{i // 1000:03}/{i:06}.jpg" for i in range(count)]
    for i, name in enumerate(names):
        scene = scenes[i % len(scenes)][:, :: noise.choice([-1, 1])]
        noisy = np.clip(scene + noise.normal(0, 8, scene.shape), 0, 255).astype(np.uint8)
        data = cv2.imencode(".jpg", noisy)[1].tobytes()
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[: chance.randrange(len(data) * 3 // 4)] if i in damaged else data)
    return {names[i] for i in damaged}


def command(images: Path, out: Path) -> List[str]:
    run = [sys.executable, "-m", "gradcam_tf1", "run", demo_model(), str(images), "--preset", "inception", "--quiet"]
    return [*run, "--method", "gradcam", "--resume", "--out", str(out)]


def count_lines(manifest: Path) -> int:
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def run_and_kill(images: Path, out: Path, lines: int, chance: random.Random) -> bool:
    """Whether the run was killed, somewhere behind so many lines."""
    manifest = out / "manifest.jsonl"
    with subprocess.Popen(command(images, out), stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + PATIENCE
        while process.poll() is None and count_lines(manifest) < lines and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.random() / 5)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def written(out: Path) -> Dict[Path, int]:
    """The images of finished lines and when they were written."""
    lines = (out / "manifest.jsonl").read_bytes()
    (out / "whole.jsonl").write_bytes(lines[: lines.rfind(b"\n") + 1])
    return {
        path: path.stat().st_mtime_ns for line in read_manifest(str(out / "whole.jsonl")) for path in files(line, out)
    }


def files(line: dict, out: Path) -> List[Path]:
    return [out / name for target in line["targets"] for map in target["maps"] for name in map["files"].values()]


def check(out: Path, names: List[str], damaged: Set[str]) -> int:
    """Number of images that were written. Everything there must be to say is asserted."""
    lines = list(read_manifest(str(out / "manifest.jsonl")))
    assert [line["relative"] for line in lines] == names, "each image has one line"
    assert {line["relative"] for line in lines if line["status"] == "error"} == damaged
    assert all(line["error"] for line in lines if line["relative"] in damaged)
    expected = [path for line in lines for path in files(line, out)]
    assert len(set(expected)) == len(expected) == 2 * (len(names) - len(damaged))
    for path in expected:
        assert cv2.imread(str(path)) is not None, path
    there = {path for path in out.rglob("*") if path.is_file()}
    assert there == {*expected, out / "manifest.jsonl", out / "run.json"}, "nothing else is there"
    return len(expected)


def compare(one: Path, other: Path) -> int:
    """Number of files, all of them equal."""
    names = [{path.relative_to(out) for path in out.rglob("*") if path.is_file()} for out in (one, other)]
    assert names[0] == names[1]
    for name in names[0]:
        assert content(one / name) == content(other / name), name
    return len(names[0])


def soak(count: int, kills: int, folder: Path) -> None:
    chance = random.Random(count)
    images, out = folder / "images", folder / "out"
    damaged = make_images(images, count, chance)
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.jpg"))
    start = time.monotonic()
    killed, before = [], {}
    for lines in sorted(chance.randrange(count * 9 // 10) for _ in range(kills)):
        if run_and_kill(images, out, lines, chance):
            killed.append(count_lines(out / "manifest.jsonl"))
        now = written(out)
        assert all(now.get(path) == at for path, at in before.items()), "what is finished is never written again"
        before = now
    (out / "whole.jsonl").unlink()
    code = subprocess.run(command(images, out), stderr=subprocess.DEVNULL, check=False).returncode
    assert code == (1 if damaged else 0), code
    seconds = time.monotonic() - start
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    number = check(out, names, damaged)
    print(f"{count} images, {len(damaged)} of them damaged; {len(killed)} runs killed, after {killed} images")
    print(f"each good image explained once ({number} files), each damaged one listed; {seconds:.0f} s in all")
    if count <= COMPARED:
        subprocess.run(command(images, folder / "undisturbed"), stderr=subprocess.DEVNULL, check=False)
        print(f"{compare(out, folder / 'undisturbed')} files, byte by byte those of an undisturbed run")


def main(count: str = "20000", kills: str = "10") -> None:
    folder = Path(tempfile.mkdtemp(prefix="soak"))
    try:
        soak(int(count), int(kills), folder)
    finally:
        shutil.rmtree(str(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
