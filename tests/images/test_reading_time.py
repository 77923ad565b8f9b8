"""An image that takes too long to read has failed; nobody waits for it, and the run ends."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images import decode as decoding
from gradcam_tf1.images import memory_turns
from gradcam_tf1.images.memory_turns import LARGE, is_waiting, turn
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.run.reading import Reader, RunImage
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.run.worker_threads import in_time

REASON = r"'{}' took more than 0.2 s to read, the time limit of this run"


@pytest.fixture
def never():
    """Waits until the test is over."""
    over = threading.Event()
    yield over.wait
    over.set()


class File:
    def __init__(self, source, read):
        self.source, self._read = source, read

    def read(self, _max_pixels, _wanted):
        return self._read()


def test_an_answer_in_time_is_the_answer():
    assert in_time(lambda: 5, 10, "a") == in_time(lambda: 5, None, "a") == 5
    for seconds in (10, None):
        with pytest.raises(ImageFileError, match="no image"):
            in_time(lambda: File("a", None).source and _raise(ImageFileError("no image")), seconds, "a")
        with pytest.raises(KeyboardInterrupt):
            in_time(lambda: _raise(KeyboardInterrupt()), seconds, "a")


def _raise(error):
    raise error


def test_one_that_hangs_has_failed(never):
    reader = Reader(lambda values: values, timeout=0.2)
    assert REASON.format("a.png") == reader(RunImage(0, File("a.png", never), None, "0")).error
    image = np.zeros((2, 2, 3), np.uint8)
    assert reader(RunImage(0, File("b.png", lambda: image), None, "0")).image is image


def test_one_that_hangs_does_not_keep_its_turn(never):
    def hang():
        with turn(LARGE + 1):
            never()

    with pytest.raises(ImageFileError, match=REASON.format("a")):
        in_time(hang, 0.2, "a")
    with turn(LARGE + 1):
        pass


def test_waiting_for_a_turn_is_no_reading():
    def work():
        with turn(LARGE + 1):
            return threading.get_ident()

    with ThreadPoolExecutor(1) as pool:
        with turn(LARGE + 1):
            answer = pool.submit(in_time, work, 0.05, "a")
            time.sleep(0.3)
            assert not answer.done()
            assert len(memory_turns._waiting) == 1
        assert not is_waiting(answer.result())


def test_a_run_with_one_that_hangs(tmp_path, monkeypatch, never):
    for name in "abc":
        Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / f"{name}.png")

    def hang(file, name, *_how):
        return never() if name.endswith("b.png") else decoding.read_common(file, name, *_how)

    monkeypatch.setattr(decoding, "IMAGE_FORMATS", (decoding.Format(lambda _head, _name: True, hang),))
    with GradCamGraph(demo_model(), preset="inception") as net:
        results = net.visualize_imgs(str(tmp_path), str(tmp_path / "out"), methods="gradcam", run=RunOptions(timeout=5))
    assert [result.ok for result in results] == [True, False, True]
    assert "b.png' took more than 5 s to read" in results[1].error


END = """
import json, sys, threading
from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.run.worker_threads import in_time
try:
    in_time(threading.Event().wait, 0.2, "a")
except ImageFileError as error:
    print(json.dumps(str(error)))
"""


def test_a_program_ends_although_one_hangs():
    done = subprocess.run([sys.executable, "-c", END], stdout=subprocess.PIPE, timeout=60, check=True)
    assert json.loads(done.stdout.decode()) == REASON.format("a")
