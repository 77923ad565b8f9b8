"""Folders that cannot be written, images that may not be read, names that no file can have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from archive_files import example, png_bytes, record, write_names, write_tar
from click.testing import CliRunner
from command_line import harmless_line
from PIL import Image

from gradcam_tf1.cli import main
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model
from gradcam_tf1.run.manifest import read_manifest
from gradcam_tf1.run.run_options import RunOptions

NOBODY = 65534
AS_NOBODY = f"""
import json, os, sys
from gradcam_tf1 import GradCamGraph, OptionError
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model
root = os.geteuid() == 0  # to whom nothing is forbidden
with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
    for line in sys.stdin:
        photos, out, modes = json.loads(line)
        net.visualize_imgs(photos, out, methods="gradcam")  # all modules are there before the rights are gone
        for path, mode in modes.items():
            os.chmod(path, mode)
        if root:
            os.setgroups([])
            os.setegid({NOBODY})
            os.seteuid({NOBODY})
        try:
            results = net.visualize_imgs(photos, out, methods="gradcam")
            told = [result.error for result in results]
        except (OSError, OptionError) as error:
            told = str(error)
        if root:
            os.seteuid(0)
            os.setegid(0)
        print(json.dumps(told), flush=True)
"""


@pytest.fixture
def folder():
    """One that every user may enter, unlike pytest's own."""
    path = tempfile.mkdtemp()
    os.chmod(path, 0o755)
    yield Path(path)
    shutil.rmtree(path)


def photos_in(folder, count=5):
    photos = folder / "photos"
    photos.mkdir()
    state = np.random.RandomState(0)
    for number in range(count):
        Image.fromarray(state.randint(0, 256, (24, 24, 3)).astype(np.uint8)).save(str(photos / f"{number}.png"))
    return photos


@pytest.fixture(scope="module")
def as_nobody():
    """What a run says when rights were changed and the process has none of root's; one process for all runs."""
    if sys.platform == "win32":
        pytest.skip("rights of POSIX")
    command = [sys.executable, "-c", AS_NOBODY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def told(photos, out, modes):
            given = [str(photos), str(out), {str(path): mode for path, mode in modes.items()}]
            process.stdin.write(json.dumps(given) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield told


def test_an_image_that_may_not_be_read(as_nobody, folder):
    photos, out = photos_in(folder), folder / "out"
    told = as_nobody(photos, out, {photos / "2.png": 0o600, **everywhere(out, 5)})
    assert [bool(error) for error in told] == [False, False, True, False, False]
    assert told[2].endswith("2.png' cannot be opened: Permission denied")
    assert [line["error"] or "" for line in read_manifest(str(out / "manifest.jsonl"))] == told


def everywhere(out, count):
    """Rights to write over what an earlier run of so many images left."""
    names = ["", "manifest.jsonl", "run.json"]
    return {out / name: 0o777 if not name else 0o666 for name in names}


def test_a_folder_of_images_that_may_not_be_listed(as_nobody, folder):
    photos, out = photos_in(folder), folder / "out"
    (photos / "closed").mkdir()
    shutil.copy(str(photos / "0.png"), str(photos / "closed"))
    told = as_nobody(photos, out, {photos / "closed": 0o700, **everywhere(out, 6)})
    assert told[-1].endswith("closed' cannot be listed: Permission denied")
    assert told[:-1] == [""] * 5


def test_an_output_folder_that_may_not_be_written(as_nobody, net, folder):
    photos, out = photos_in(folder), folder / "out"
    told = as_nobody(photos, out, {out: 0o555})
    assert told.startswith(f"{str(out)!r} may not be written to; choose another output folder")
    before = list(read_manifest(str(out / "manifest.jsonl")))
    assert len(before) == 5
    os.chmod(str(out), 0o755)
    assert net.visualize_imgs(str(photos), str(out), methods="gradcam", run=RunOptions(resume=True)).complete
    assert list(read_manifest(str(out / "manifest.jsonl"))) == before


def test_a_subfolder_that_may_not_be_written(as_nobody, folder):
    photos, out = photos_in(folder), folder / "out"
    (photos / "sub").mkdir()
    shutil.copy(str(photos / "0.png"), str(photos / "sub" / "last.png"))
    told = as_nobody(photos, out, {**everywhere(out, 6), out / "sub": 0o555})
    assert "Permission denied" in told
    assert str(out / "sub") in told
    assert [line["relative"] for line in read_manifest(str(out / "manifest.jsonl"))] == [f"{n}.png" for n in range(5)]


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        yield net


def test_names_as_long_as_a_file_system_has_them(net, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    names = ["x" * 251 + ".png", "y" * 251 + ".png", "\u732b" * 83 + ".png"]
    for name in names:
        (photos / name).write_bytes(png_bytes())
    results = net.visualize_imgs(str(photos), str(out), methods="gradcam")
    assert [result.error for result in results] == [""] * 3
    assert len({path for result in results for path in result.files}) == 2 * 3


def test_a_path_that_is_too_long_for_files_in_it(net, tmp_path, monkeypatch):
    photos = photos_in(tmp_path)
    monkeypatch.chdir(tmp_path)
    length = os.pathconf(str(tmp_path), "PC_PATH_MAX") - 30
    out = str(tmp_path)
    while len(out) < length:
        out = os.path.join(out, "d" * min(200, max(1, length - len(out) - 1)))
    with pytest.raises(OSError, match="File name too long"):
        net.visualize_imgs(str(photos), out, methods="gradcam")
    result = CliRunner().invoke(
        main, ["run", demo_model(), str(photos), "--out", out, "--preset", "inception", "--method", "gradcam"]
    )
    assert result.exit_code == 2
    assert "File name too long" in result.output


NAMES = [
    "../../evil.png",
    "two\nlines\x1b[31m.png",
    "/abs.png",
    "..\\..\\up.png",
    "-rf.png",
    "\u202egnp.png",
    "a\x9b1m.png",
]


def test_hostile_names_in_every_source(tmp_path, monkeypatch):
    """Files of such names, members of archives and records: nothing lies outside, the terminal is not moved."""
    sources, photos = tmp_path / "in", tmp_path / "in" / "photos"
    photos.mkdir(parents=True)
    for name in (b"caf\xe9.png", b"two\nlines\x1b[2J.png", b"a\\..\\up.png", b"-rf.png", b" .png"):
        with open(os.path.join(os.fsencode(str(photos)), name), "wb") as stream:
            stream.write(png_bytes())
    (photos / "bad\x1b]0;owned\x07.png").write_bytes(b"no image")
    write_tar(sources / "a.tar", [(name, png_bytes()) for name in NAMES])
    write_names(str(sources / "b.zip"), NAMES, "zip")
    records = [record(example(image__encoded=png_bytes(), image__filename=name.encode())) for name in NAMES]
    (sources / "c.tfrecord").write_bytes(b"".join(records) + record(example(image__filename=b"\x1b[31mempty.png")))
    out = tmp_path / "deep" / "out"
    given = [str(sources / name) for name in ("photos", "a.tar", "b.zip", "c.tfrecord")]
    command = ["run", demo_model(), *given, "--out", str(out), "--preset", "inception", "--method", "gradcam"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1, result.output
    assert f"{5 + 3 * len(NAMES)} images explained, 2 failed" in result.output
    assert all(map(harmless_line, result.output.split("\n")))
    assert sorted(os.listdir(str(tmp_path))) == ["deep", "in"]
    assert os.listdir(str(tmp_path / "deep")) == ["out"]
    assert sorted(os.listdir(str(sources))) == ["a.tar", "b.zip", "c.tfrecord", "photos"]
    assert len(os.listdir(str(photos))) == 6
    for name in ("manifest.jsonl", "run.json"):
        assert all(32 <= byte < 127 or byte == 10 for byte in (out / name).read_bytes())
    lines = list(read_manifest(str(out / "manifest.jsonl")))
    assert len(lines) == 5 + 3 * len(NAMES) + 2
    assert os.fsdecode(os.path.join(os.fsencode(str(photos)), b"caf\xe9.png")) in {line["source"] for line in lines}
    for line in lines:
        for path in (p for target in line["targets"] for cam in target["maps"] for p in cam["files"].values()):
            real = os.path.realpath(str(out / path))
            assert real.startswith(str(out) + os.sep)
            assert os.path.isfile(real)
            assert harmless_line(path)
