"""Readers, the session and writers at once: in order, bounded, and no error is lost."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from image_folders import write_noise
from output_files import contents
from PIL import Image

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.batch_explainer import ExplainedImage
from gradcam_tf1.run.reading import RunImage
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.run.stages import Stages
from gradcam_tf1.run.worker_threads import check_threads, in_order


@pytest.fixture
def photos(tmp_path):
    """Thirty images of three sizes, every tenth of them damaged."""
    folder = write_noise(tmp_path / "photos", {f"{i:02}.png": (20 + 10 * (i % 3), 40) for i in range(30)})
    for path in folder.glob("?5.png"):
        path.write_bytes(path.read_bytes()[:100])
    return folder


def late(delay):
    time.sleep(delay)
    return delay


def nothing(_item):
    return 0


def test_answers_come_in_the_order_of_the_items():
    delays = [0.03, 0.0, 0.02, 0.0, 0.01, 0.0]
    with ThreadPoolExecutor(3) as pool:
        assert list(in_order(late, delays, pool, 4, nothing, 1)) == delays


def test_no_more_is_taken_than_may_be_on_the_way():
    taken = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    with ThreadPoolExecutor(2) as pool:
        for answer in in_order(lambda i: i, items(), pool, 5, nothing, 1):
            assert len(taken) <= answer + 5
        taken.clear()
        for answer in in_order(lambda i: i, items(), pool, 40, lambda _i: 10, 30):  # three of them weigh 30
            assert len(taken) <= answer + 3
    assert len(taken) == 50


def test_an_exception_comes_out_at_its_place():
    def work(i):
        if i == 3:
            raise ValueError("no threes")
        return i

    with ThreadPoolExecutor(2) as pool:
        answers = in_order(work, range(10), pool, 6, nothing, 1)
        assert [next(answers) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="no threes"):
            next(answers)


def stages(read=None, write=None, explain=None, size=2, threads=2):
    return Stages(
        read or (lambda image: image),
        explain or (lambda batch: [ExplainedImage(image) for image in batch]),
        write or (lambda answer: Result(answer.item.index)),
        size,
        threads,
    )


def images(count):
    return (RunImage(i, None, None, "") for i in range(count))


def test_the_stages_are_at_work_at_the_same_time():
    """While the session is at the second batch, the first one is being written and the third one read."""
    meet = threading.Barrier(3, timeout=10)

    def read(image):
        if image.index == 4:
            meet.wait()
        return image

    def explain(batch):
        if batch[0].index == 2:
            meet.wait()
        return [ExplainedImage(image) for image in batch]

    def write(answer):
        if answer.item.index == 0:
            meet.wait()
        return Result(answer.item.index)

    assert [int(result) for result in stages(read, write, explain).run(images(10))] == list(range(10))


@pytest.mark.parametrize("stage", ["read", "write", "explain"])
def test_an_exception_in_any_stage_ends_the_run_after_what_was_finished(stage):
    def fail(one):
        index = one[0].index if stage == "explain" else getattr(one, "item", one).index
        if index == 6:
            raise ZeroDivisionError("seven")
        return {
            "read": one,
            "write": Result(index),
            "explain": [ExplainedImage(p) for p in one] if stage == "explain" else 0,
        }[stage]

    results = []
    before = threading.active_count()
    run = (results.append(int(result)) for result in stages(**{stage: fail}).run(images(20)))
    with pytest.raises(ZeroDivisionError, match="seven"):
        list(run)
    assert results == list(range(len(results)))
    assert len(results) == 6 if stage == "write" else len(results) <= 6
    assert threading.active_count() == before


def test_a_run_that_is_left_leaves_no_thread():
    before = threading.active_count()
    run = stages(size=1).run(images(1000))
    next(run)
    run.close()
    assert threading.active_count() == before


def test_threads_change_nothing_but_the_time(net, photos, tmp_path):
    runs = [
        net.visualize_imgs(str(photos), str(tmp_path / f"{n}"), style=Style(raw=True), run=RunOptions(threads=n))
        for n in (1, 2, 7)
    ]
    written = contents(tmp_path / "1")
    assert len(written) == 27 * 5 + 2
    for run in runs:
        assert [result.relative for result in run] == [f"{i:02}.png" for i in range(30)]
        assert [result.relative for result in run.failed] == ["05.png", "15.png", "25.png"]
        assert contents(run.out_folder) == written


def test_threads_are_at_least_one(net, photos, tmp_path):
    assert check_threads(5) == 5
    assert 1 <= check_threads(None) <= 8
    with pytest.raises(OptionError, match="at least 1, not 0"):
        net.visualize_imgs(str(photos), str(tmp_path / "out"), run=RunOptions(threads=0))


def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_memory_does_not_grow_with_the_number_of_images(net, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(250):
        Image.new("RGB", (32, 24), (i, 0, 0)).save(str(folder / f"{i:03}.png"))
    ops, megabytes = [], {}

    def note(result, _total):
        if result.index in (50, 249):
            megabytes[result.index] = resident()
            ops.append(len(net.graph.get_operations()))

    net.visualize_imgs(str(folder), str(tmp_path / "out"), methods="gradcam", run=RunOptions(progress=note))
    assert megabytes[249] < megabytes[50] + 10
    assert ops[0] == ops[1]
