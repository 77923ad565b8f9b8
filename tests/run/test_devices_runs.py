"""A run on several devices writes what a run on one writes, and ends as cleanly."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from device_nets import SIDE, TWO, Counted, cpus, explain_on, graph_def, images
from flat_options import grouped
from output_files import contents
from PIL import Image
from short_memory import ShortMemory

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.run.batch_explainer import one_at_a_time
from gradcam_tf1.run.manifest import read_manifest
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.tf_runtime import tf


class Net(GradCamGraph):
    """Its preprocessing does what `at` says for an image, by the red of its first pixel."""

    at = None

    def preprocess(self, images):
        for red in set(images[:, 0, 0, 0].astype(int)) & set(self.at or ()):
            self.at[red]()
        return images / 127.5 - 1


COUNT = 24


@pytest.fixture
def photos(tmp_path):
    """The red of the first pixel is the number of the image."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, pixels in enumerate(np.random.RandomState(0).randint(0, 256, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)):
        pixels[0, 0, 0] = i
        Image.fromarray(pixels).save(str(folder / f"{i:03}.png"))
    return str(folder)


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "out")


def net_on(devices, change=graph_def, **options):
    return Net(change(), devices=devices, config=cpus(), **options)


def names(out):
    return [line["relative"] for line in read_manifest(os.path.join(out, "manifest.jsonl"))]


LISTED = [f"{i:03}.png" for i in range(COUNT)]


def test_a_run_on_several_devices_writes_the_same_bytes(photos, tmp_path):
    Path(photos, "005.png").write_bytes(b"no image")
    how = {"methods": ["gradcam", "guided_gradcam", "ablationcam"], "raw": True, "figures": "layers"}
    ten = os.path.join(photos, "00*.png")
    with net_on(()) as net:
        results = net.visualize_imgs(ten, str(tmp_path / "one"), **grouped(batch_size=2, **how))
    with net_on(TWO) as net:
        counts = [Counted(sess) for sess in net._sessions]
        again = net.visualize_imgs(ten, str(tmp_path / "two"), **grouped(batch_size=2, **how))
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert [result.relative for result in again] == [result.relative for result in results]
    assert np.array_equal(again, results)
    assert [result.relative for result in again.failed] == ["005.png"]
    assert len(contents(tmp_path / "one")) > 5 * len(results) == 50
    batch = sum(count.runs for count in counts) / 5
    assert all(count.runs >= batch for count in counts), "both were really used"


def test_a_device_that_is_free_takes_the_next_batch(photos, out):
    others = threading.Semaphore(0)
    waited = []

    def wait():
        if not waited:
            waited.append(all(others.acquire(timeout=20) for _ in range(3)))

    with net_on(TWO) as net:
        net.binding  # noqa: B018 - found before the run
        net.at = {0: wait, 4: others.release, 8: others.release, 12: others.release}
        results = net.visualize_imgs(photos, out, methods="hirescam", run=RunOptions(batch_size=4))
    assert waited == [True]
    assert [result.relative for result in results] == names(out) == LISTED


def test_settings_do_not_hold_the_devices(photos, out):
    with net_on(()) as net:
        net.visualize_imgs(photos, out, methods="gradcam", run=RunOptions(stop=iter([False, True]).__next__))
    assert len(names(out)) == 8
    with net_on(TWO) as net:
        results = net.visualize_imgs(photos, out, methods="gradcam", run=RunOptions(resume=True))
    assert (len(results), names(out)) == (COUNT, LISTED)


@pytest.mark.parametrize("asked", [1, 2, 5])
def test_stop_finishes_what_is_on_the_way(photos, out, tmp_path, asked):
    threads = threading.active_count()
    told = []
    with net_on(TWO) as net:
        stop = lambda: told.append(1) or len(told) > asked  # noqa: E731
        results = net.visualize_imgs(photos, out, methods="gradcam", run=RunOptions(batch_size=3, stop=stop))
        assert (results.complete, len(results), names(out)) == (False, 3 * asked, LISTED[: 3 * asked])
        assert threading.active_count() == threads
        net.visualize_imgs(photos, out, methods="gradcam", run=RunOptions(batch_size=3, resume=True))
        net.visualize_imgs(photos, str(tmp_path / "whole"), methods="gradcam", run=RunOptions(batch_size=3))
    assert contents(out) == contents(tmp_path / "whole")


def test_what_a_device_raises_comes_out_at_its_place(photos, out, tmp_path):
    def cry():
        raise ValueError("no way with this image")

    threads = threading.active_count()
    with net_on(TWO) as net:
        net.at = {10: cry}
        with pytest.raises(ValueError, match="no way with this image"):
            net.visualize_imgs(photos, out, methods="gradcam", run=RunOptions(batch_size=3))
        assert names(out) == LISTED[: len(names(out))]
        assert len(names(out)) <= 9, "the third batch is whole, the fourth has failed"
        assert threading.active_count() == threads
        net.at = None
        net.visualize_imgs(photos, out, methods="gradcam", run=RunOptions(batch_size=3, resume=True))
        net.visualize_imgs(photos, str(tmp_path / "whole"), methods="gradcam", run=RunOptions(batch_size=3))
    assert contents(out) == contents(tmp_path / "whole")


def test_memory_that_is_short_on_a_device_is_said_once(photos, out):
    def short():
        raise ShortMemory

    with net_on(TWO) as net:
        net.at = {7: short}
        results = net.visualize_imgs(photos, out, methods="gradcam", run=RunOptions(batch_size=4))
    assert results.warnings == (
        "out of memory at a batch size of 4: 2 from then on",
        "out of memory at a batch size of 2: 1 from then on",
    )
    assert [result.relative for result in results.failed] == ["007.png"]
    assert names(out) == LISTED


def slow_for_white():
    """Goes round in circles where the first image is white."""

    def circles(hidden, x):
        turns = tf.where(tf.reduce_mean(x[0]) > 0.99, tf.constant(10**9), tf.constant(1))
        last = tf.while_loop(lambda i: i < turns, lambda i: i + 1, [tf.constant(0)])
        return hidden + 0 * tf.cast(last, tf.float32)

    return graph_def(circles)


def test_the_time_limit_is_that_of_the_device(photos, out):
    Image.new("RGB", (SIDE, SIDE), "white").save(os.path.join(photos, "005.png"))
    with net_on(TWO, slow_for_white) as net:
        for explainer in net.explainers:
            explain_on(explainer, images())
        results = net.visualize_imgs(photos, out, methods="gradcam", run=RunOptions(batch_size=1, timeout=3))
    assert [result.relative for result in results.failed] == ["005.png"]
    assert results.failed[0].error.endswith("the net took longer than the time limit of 3 s")
    assert names(out) == LISTED


def test_steps_are_told_one_at_a_time():
    inside, most = [], []

    def steps(_work):
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.01)
        inside.pop()

    told = one_at_a_time(steps)
    threads = [threading.Thread(target=told, args=(None,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
