"""A run that was killed or had no space goes on where it ended, and gives what an undisturbed run gives."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flat_options import grouped
from image_folders import write_noise
from output_files import contents

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model
from gradcam_tf1.run.manifest import ManifestWriter, read_manifest
from gradcam_tf1.run.manifest_lines import record_of, result_of
from gradcam_tf1.run.result import MapRecord, Result, TargetRecord
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.run.settings import fingerprint
from gradcam_tf1.tf_runtime import tf

COUNT = 30
BAD = (3, 17)
ODD = os.fsdecode(b"caf\xe9.png")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    sizes = {f"{i:03}.png": (40, 50 + i % 3) for i in range(COUNT)}
    folder = write_noise(tmp_path_factory.mktemp("resume") / "photos", sizes)
    for i in BAD:
        (folder / f"{i:03}.png").write_bytes(b"not an image")
    return folder


@pytest.fixture(scope="module")
def whole(net, photos, tmp_path_factory):
    """What an undisturbed run writes: name -> bytes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    net.visualize_imgs(str(photos), str(out), style=Style(raw=True))
    return contents(out)


def put(files, out):
    for name, data in files.items():
        path = Path(out, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return str(out)


@pytest.mark.parametrize("lines", [0, 1, 3, 8, 13, 16, COUNT])
@pytest.mark.parametrize("torn", [0, 40])
def test_a_run_goes_on_after_any_line_and_gives_the_same_bytes(net, photos, whole, tmp_path, lines, torn):
    every = whole["manifest.jsonl"].splitlines(keepends=True)
    kept = b"".join(every[:lines]) + b"".join(every[lines : lines + 1])[:torn]
    done = {name for line in every[:lines] for name in re.findall(rb'"([^"]+\.(?:png|npz))"', line)}
    names = {name for name in whole if name.encode() in done}
    out = put(
        {**{name: whole[name] for name in names}, "run.json": whole["run.json"], "manifest.jsonl": kept}, tmp_path
    )
    (tmp_path / f".{'0' * 32}.tmp").write_bytes(b"half an image")
    for name in names:
        os.utime(os.path.join(out, name), (1, 1))
    results = net.visualize_imgs(str(photos), out, style=Style(raw=True), run=RunOptions(resume=True))
    assert contents(out) == whole
    assert {name for name in whole if os.stat(os.path.join(out, name)).st_mtime == 1} == names, "finished is finished"
    assert [result.relative for result in results.failed] == [f"{i:03}.png" for i in BAD]
    assert [os.path.exists(path) for result in results for path in result.files] == [True] * 5 * (COUNT - len(BAD))


def test_a_line_torn_at_any_byte_is_cut_off(tmp_path):
    with ManifestWriter(str(tmp_path)) as manifest:
        for i in range(3):
            manifest.write(Result(i, source=f"{i}.png", relative=f"{i}.png", size=(4, 5)))
    path = tmp_path / "manifest.jsonl"
    data = path.read_bytes()
    second = data.index(b"\n", data.index(b"\n") + 1) + 1
    for end in range(second, len(data) + 1):
        path.write_bytes(data[:end])
        with ManifestWriter(str(tmp_path), resume=True) as manifest:
            done = list(manifest.done())
            assert [result.relative for result in done] == ["0.png", "1.png", "2.png"][: manifest.lines]
            assert manifest.lines == (3 if end == len(data) else 2)
            for i in range(manifest.lines, 3):
                manifest.write(Result(i, source=f"{i}.png", relative=f"{i}.png", size=(4, 5)))
        assert path.read_bytes() == data


def test_results_come_back_from_the_manifest_as_they_were(tmp_path):
    out = str(tmp_path)
    files = {"overlay": os.path.join(out, "birds", "owl.png")}
    maps = (
        MapRecord("gradcam", "conv:0", "ok", "", -0.5, 2.0, (3, 4), files, (0, 1, 5, 6), ("as it is",)),
        MapRecord("gradcam", "conv:0", "empty", "overflow", math.nan, 0.0, None, {}),
    )
    owl = Result(
        *(24,),
        **{"source": f"in/{ODD}", "relative": ODD, "index": 1, "size": (480, 640)},
        targets=[TargetRecord(24, "great grey owl", 8.5, None, maps, "not 7")],
        figures={"layers": os.path.join(out, "layers.png")},
        top=(ClassScore(24, "great grey owl", 8.5, None), ClassScore(3, None, math.nan, 0.5)),
    )
    lost = Result(source="in/bad.jpg", relative="bad.jpg", error="truncated")
    with ManifestWriter(out) as manifest:
        manifest.write(lost)
        manifest.write(owl)
    for index, (line, result) in enumerate(zip(read_manifest(manifest.path), (lost, owl))):
        back = result_of(line, index, out)
        assert repr(back.__dict__) == repr(result.__dict__)
        assert (int(back), record_of(back, out)) == (int(result), record_of(result, out))


def test_what_changed_is_refused_and_named(net, photos, whole, tmp_path):
    lines = whole["manifest.jsonl"].splitlines(keepends=True)
    out = put({**whole, "manifest.jsonl": b"".join(lines[:9])}, tmp_path / "out")
    before = contents(out)

    def refused(message, images=photos, by=net, **options):
        with pytest.raises(OptionError, match=message):
            by.visualize_imgs(str(images), out, **grouped(**{"raw": True, "resume": True, **options}))
        assert contents(out) == before

    refused(r"alpha was 0\.6, now it is 0\.25\. Give the earlier settings", alpha=0.25)
    refused("raw was true, now it is false", raw=False)
    refused(r'methods was \["gradcam", "guided_gradcam"\], now it is \["gradcam"\]', methods="gradcam")
    refused("batch_size was 8, now it is 3", batch_size=3)
    fewer = tmp_path / "photos"
    shutil.copytree(str(photos), str(fewer))
    (fewer / "020.png").unlink()
    refused("images was 30, now it is 29", fewer)
    shutil.copy(str(photos / "019.png"), str(fewer / "005a.png"))
    refused(r"image 7 was '006\.png', now it is '005a\.png'", fewer)
    with GradCamGraph(demo_model(), preset="zero-one", labels=DEMO_CLASSES) as other:
        refused("preset was", by=other)
    Path(out, "run.json").write_text("{")  # and with the right net
    before = contents(out)
    refused(r"its run\.json cannot be read")


def test_a_listing_that_became_shorter_is_refused(net, photos, whole, tmp_path):
    run = json.loads(whole["run.json"].decode())
    out = put({**whole, "run.json": json.dumps({**run, "images": 29}).encode()}, tmp_path / "out")
    fewer = tmp_path / "photos"
    shutil.copytree(str(photos), str(fewer))
    (fewer / f"{COUNT - 1:03}.png").unlink()
    with pytest.raises(OptionError, match=r"the finished image '029\.png' is not listed any more"):
        net.visualize_imgs(str(fewer), out, style=Style(raw=True), run=RunOptions(resume=True))


def test_a_damaged_journal_is_refused(net, photos, whole, tmp_path):
    lines = whole["manifest.jsonl"].splitlines(keepends=True)
    for damage in (b"\0\0\0\n", b"{}\n", b"[]\n"):
        out = put({**whole, "manifest.jsonl": lines[0] + damage + lines[1]}, tmp_path / "out")
        with pytest.raises(OptionError, match="its manifest is damaged"):
            net.visualize_imgs(str(photos), out, style=Style(raw=True), run=RunOptions(resume=True))


def test_another_model_of_the_same_name_is_refused(photos, tmp_path):
    model = tmp_path / "model.pb"
    shutil.copy(demo_model(), str(model))
    out = str(tmp_path / "out")
    with GradCamGraph(str(model), preset=DEMO_PRESET) as net:
        net.visualize_imgs(str(photos), out, methods="gradcam")
    shutil.copy(str(model), str(tmp_path / "moved.pb"))
    os.rename(str(tmp_path / "moved.pb"), str(model))
    with GradCamGraph(str(model), preset=DEMO_PRESET) as net:
        assert len(net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(resume=True))) == COUNT
    graph_def = tf.GraphDef.FromString(model.read_bytes())
    weights = max(
        (node.attr["value"].tensor for node in graph_def.node if node.op == "Const"),
        key=lambda tensor: tensor.ByteSize(),
    )
    weights.tensor_content = weights.tensor_content[:-4] + b"\0\0\0\0"
    model.write_bytes(graph_def.SerializeToString())
    with GradCamGraph(str(model), preset=DEMO_PRESET) as net, pytest.raises(OptionError, match="model_sha256 was"):
        net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(resume=True))


def test_fingerprints_of_folders_and_checkpoints(tmp_path):
    (tmp_path / "saved").mkdir()
    for name in ("saved/a.pb", "net.ckpt.index", "net.ckpt.data"):
        (tmp_path / name).write_text(name)
    prints = {fingerprint([str(tmp_path / name)]) for name in ("saved", "saved/a.pb", "net.ckpt", "net.ckpt.index")}
    assert len(prints) == 3, "a folder of one file is as that file"
    assert fingerprint(["live session"]) == ""
    large = tmp_path / "large.pb"
    with open(str(large), "wb") as stream:
        stream.truncate(70 << 20)
    first = fingerprint([str(large)])
    os.utime(str(large), (1, 1))
    assert fingerprint([str(large)]) != first


def test_the_second_run_on_a_folder_is_refused(net, photos, tmp_path):
    with ManifestWriter(str(tmp_path)):
        for resume in (False, True):
            with pytest.raises(OptionError, match="another run is writing into"):
                net.visualize_imgs(str(photos), str(tmp_path), run=RunOptions(resume=resume))
        assert (tmp_path / "manifest.jsonl").read_bytes() == b""
    assert len(net.visualize_imgs(str(photos / "000.png"), str(tmp_path))) == 1


def file_size_limit(size):
    import resource

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize(
    ("limit", "what"), [(lambda _largest: 4000, "image"), (lambda largest: largest + 100, "manifest")]
)
def test_a_full_disk_leaves_a_folder_that_can_be_resumed(net, photos, whole, tmp_path, limit, what):
    """No file may grow beyond the limit: the first to meet it is an image, or the manifest."""
    out = str(tmp_path / "out")
    sizes = sorted(len(data) for name, data in whole.items() if name != "manifest.jsonl")
    file_size_limit(limit(sizes[-1]))
    try:
        with pytest.raises(OSError, match=f"cannot write the {what}: File too large") as caught:
            net.visualize_imgs(str(photos), out, style=Style(raw=True))
    finally:
        file_size_limit(None)
    assert caught.value.filename.startswith(out)
    written = Path(out, "manifest.jsonl").read_bytes()
    assert whole["manifest.jsonl"].startswith(written)
    assert written.endswith(b"\n") or not written
    assert not list(Path(out).rglob("*.tmp"))
    net.visualize_imgs(str(photos), out, style=Style(raw=True), run=RunOptions(resume=True))
    assert contents(out) == whole


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = str(tmp_path / "a.json")
    write_whole(path, b"first", "settings")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="cannot write the settings: Is a directory"):
        write_whole(str(tmp_path / "folder"), b"x", "settings")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "folder"]


PROGRAM = """
import sys
from gradcam_tf1 import GradCamGraph, RunOptions, Style
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model
with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
    net.visualize_imgs(sys.argv[1], sys.argv[2], style=Style(raw=True), run=RunOptions(resume=True))
"""


@pytest.mark.programs
def test_killed_again_and_again(photos, whole, tmp_path):
    """SIGKILL at any moment of the work; the last run is left alone."""
    out, chance = tmp_path / "out", random.Random(0)
    manifest = out / "manifest.jsonl"
    for lines in (1, 9, None):
        with subprocess.Popen([sys.executable, "-c", PROGRAM, str(photos), str(out)]) as process:
            while lines is not None and process.poll() is None:
                if manifest.exists() and manifest.read_bytes().count(b"\n") >= lines:
                    time.sleep(chance.random() / 50)
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.001)
            assert process.wait(60) in (0, -signal.SIGKILL)
            assert whole["manifest.jsonl"].startswith(manifest.read_bytes().rpartition(b"\n")[0])
    assert contents(out) == whole
