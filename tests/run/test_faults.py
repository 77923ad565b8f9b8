"""What goes wrong in a long run: it is said clearly, and the folder can be resumed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from flat_options import grouped
from image_folders import write_noise
from PIL import Image
from short_memory import ShortMemory

from gradcam_tf1.cli import main
from gradcam_tf1.cli.progress import Stopper
from gradcam_tf1.errors import OptionError, OutOfMemoryError, StoppedError, TimeLimitError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.run.manifest import read_manifest
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.tf_runtime import tf

SIDE = 8


def make_photos(folder, count=12, side=SIDE):
    return write_noise(folder, {f"{i:03}.png": (side, side) for i in range(count)})


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos")


def lines(out):
    return list(read_manifest(os.path.join(out, "manifest.jsonl")))


def small_graph(change):
    """Convolution, ReLU, mean, dense; `change` is done to the features."""
    state = np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
        kernel = state.randn(3, 3, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), name="features")
        pooled = change(tf.reduce_mean(features, [1, 2]), x)
        tf.matmul(pooled, state.randn(4, 3).astype(np.float32), name="logits")
    return graph.as_graph_def()


def greedy(pooled, x):
    """Takes 64 ** N bytes for N images: 16 MB for four, more than there are addresses for eight."""
    many = tf.cast(tf.pow(tf.constant(64, tf.int64), tf.cast(tf.shape(x)[0], tf.int64)), tf.int64)
    waste = tf.reduce_sum(tf.cast(tf.fill(tf.stack([many]), tf.constant(0, tf.uint8))[:1], tf.float32))
    return pooled + waste


def slow(pooled, x):
    """Goes round in circles for a white image."""
    white = tf.reduce_mean(x) > 0.99
    turns = tf.where(white, tf.constant(10**9), tf.constant(1))
    last = tf.while_loop(lambda i: i < turns, lambda i: i + 1, [tf.constant(0)])
    return pooled + 0 * tf.cast(last, tf.float32)


def test_out_of_memory_halves_the_batch_and_goes_on(photos, out):
    with GradCamGraph(small_graph(greedy), preset="zero-one") as net:
        with pytest.raises(OutOfMemoryError, match="the net failed"):
            net.explain(np.zeros((8, SIDE, SIDE, 3), np.uint8))
        results = net.visualize_imgs(str(photos), out, methods="gradcam")
    assert [result.ok for result in results] == [True] * 12
    assert [line["relative"] for line in lines(out)] == [f"{i:03}.png" for i in range(12)]
    assert results.warnings == ("out of memory at a batch size of 8: 4 from then on",)


class Hungry(GradCamGraph):
    """A preprocessing that has room for so many images only."""

    room = 2

    def preprocess(self, images):
        if len(images) > self.room:
            raise ShortMemory
        return images / 255


def test_memory_may_be_short_in_python_too(photos, out):
    with Hungry(small_graph(lambda pooled, _x: pooled)) as net:
        results = net.visualize_imgs(str(photos), out, methods="gradcam")
        assert [result.ok for result in results] == [True] * 12
        assert len(results.warnings) == 2
        net.room = 0
        results = net.visualize_imgs(str(photos), out, methods="gradcam")
    assert len(results.failed) == 12
    assert "out of memory for this image: MemoryError" in lines(out)[0]["error"]


def test_a_batch_that_takes_too_long_has_failed(photos, out):
    Image.new("RGB", (SIDE, SIDE), "white").save(str(photos / "005.png"))
    with GradCamGraph(small_graph(slow), preset="zero-one") as net:
        net.explain(np.zeros((SIDE, SIDE, 3), np.uint8))
        with net.time_limit(0.0001), pytest.raises(TimeLimitError, match=r"longer than the time limit of 0\.0001 s"):
            net.explain(np.zeros((SIDE, SIDE, 3), np.uint8))
        start = time.monotonic()
        results = net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(batch_size=1, timeout=2))
        assert time.monotonic() - start < 60
    assert [result.relative for result in results.failed] == ["005.png"]
    assert lines(out)[5]["error"].endswith("005.png': the net took longer than the time limit of 2 s")


def test_on_error_stop_ends_there_and_resume_goes_on(net, photos, out):
    whole = (photos / "005.png").read_bytes()
    (photos / "005.png").write_bytes(b"no image")
    threads = threading.active_count()
    for resume in (False, True):
        with pytest.raises(StoppedError, match=r"005\.png.*; the run stops there after 5 finished images"):
            net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(on_error="stop", resume=resume))
        assert [line["relative"] for line in lines(out)] == [f"{i:03}.png" for i in range(5)]
        assert threading.active_count() == threads
    (photos / "005.png").write_bytes(whole)
    results = net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(on_error="stop", resume=True))
    assert [result.ok for result in results] == [True] * 12


def test_stop_finishes_the_batch(net, photos, out):
    asked = []
    results = net.visualize_imgs(
        str(photos),
        out,
        methods="gradcam",
        run=RunOptions(batch_size=3, stop=lambda: asked.append(1) or len(asked) > 2),
    )
    assert (results.complete, len(results), len(lines(out))) == (False, 6, 6)
    results = net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(batch_size=3, resume=True))
    assert (results.complete, len(results), len(lines(out))) == (True, 12, 12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "cry"}, "on_error is skip or stop, not 'cry'"),
        ({"timeout": 0}, "above 0, at most 1000000, not 0"),
    ],
)
def test_wrong_options(net, photos, out, options, message):
    with pytest.raises(OptionError, match=message):
        net.visualize_imgs(str(photos), out, **grouped(**options))
    assert not os.path.exists(out)


def command(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_exit_codes_of_the_command(photos, tmp_path, out):
    run = ("run", demo_model(), photos, "--preset", "inception", "--method", "gradcam", "--threads", 2)
    (photos / "011.png").write_bytes(b"no image")
    stopped = command(*run, "--out", out, "--on-error", "stop", "--timeout", 60)
    assert stopped.exit_code == 1
    assert "the run stops there after 11 finished images; resume to continue" in stopped.output
    resumed = command(*run, "--out", out, "--resume")
    assert resumed.exit_code == 1
    assert "11 images explained, 1 failed" in resumed.output
    changed = command(*run, "--out", out, "--resume", "--alpha", 0.1)
    assert changed.exit_code == 2
    assert "alpha was 0.6, now it is 0.1" in changed.output
    deep = tmp_path / ("x" * 300)
    assert command(*run, "--out", deep).exit_code == 2


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 100 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_and_then_has_room_again(net, tiny_disk, tmp_path):
    photos = make_photos(tmp_path / "photos", 20, 40)
    filler = tiny_disk / "filler"
    filler.write_bytes(b"x" * 60_000)
    result = command(
        "run", demo_model(), photos, "--out", tiny_disk / "out", "--preset", "inception", "--method", "gradcam"
    )
    assert result.exit_code == 2
    assert os.strerror(errno.ENOSPC) in result.output
    assert "Traceback" not in result.output
    finished = lines(str(tiny_disk / "out"))
    assert all(os.path.getsize(str(tiny_disk / "out" / path)) for line in finished for path in files_of(line))
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=2m", str(tiny_disk)], check=True)
    again = command(
        *("run", demo_model(), photos, "--out", tiny_disk / "out", "--preset", "inception", "--method", "gradcam"),
        "--resume",
    )
    assert again.exit_code == 0, again.output
    assert lines(str(tiny_disk / "out"))[: len(finished)] == finished
    assert len(lines(str(tiny_disk / "out"))) == 20


def files_of(line):
    return [path for target in line["targets"] for map in target["maps"] for path in map["files"].values()]


@pytest.mark.programs
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_batch_end(tmp_path, number, usual_signals):
    photos, out = make_photos(tmp_path / "photos", 400, 32), tmp_path / "out"
    program = [sys.executable, "-m", "gradcam_tf1", "run", demo_model(), str(photos), "--preset", "inception", "--out"]
    with subprocess.Popen([*program, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        manifest = out / "manifest.jsonl"
        while process.poll() is None and not (manifest.exists() and manifest.stat().st_size):
            time.sleep(0.002)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    finished = lines(str(out))
    assert 0 < len(finished) < 400
    assert len(finished) % 8 == 0
    assert f"stopped: {len(finished)} images finished" in errors.decode()
    assert all(Path(out, path).is_file() for line in finished for path in files_of(line))


@pytest.fixture
def usual_signals():
    """Ctrl-C raises KeyboardInterrupt, also where the tests themselves run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_second_signal_is_the_usual_one(usual_signals):
    before = signal.getsignal(signal.SIGTERM)
    with Stopper() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGTERM) == before


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)


def test_a_signal_that_is_ignored_stays_so(usual_signals):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Stopper() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert not stop()
