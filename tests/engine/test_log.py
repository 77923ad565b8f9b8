"""What is logged, under one name, and that the package never configures logging."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys

import pytest

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.engine.session_runner import SessionRunner
from gradcam_tf1.errors import OutOfMemoryError
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes


def said(caplog, level):
    ours = [each for each in caplog.records if each.name.split(".")[0] == "gradcam_tf1"]
    return [each.getMessage() for each in ours if each.levelno == level]


@pytest.fixture
def everything(caplog):
    caplog.set_level(logging.DEBUG, logger="gradcam_tf1")
    return caplog


def test_opening_binding_and_batches_are_timed(everything):
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, batch_size=2) as net:
        net.explain([scene.path for scene in demo_scenes()[:3]])
    messages = said(everything, logging.DEBUG)
    assert re.fullmatch(r"read frozen graph '.*demo_net.pb' in \d+\.\d{3} s", messages[0])
    assert re.fullmatch(r"opened '.*demo_net.pb' on 1 devices in \d+\.\d{3} s", messages[1])
    assert messages[2].startswith("bound input 'input:0', logits 'logits/BiasAdd:0', layer 'conv5/Relu:0' in ")
    ran = [message.split(" for ")[0] for message in messages if message.startswith("ran ")]
    assert ran[-2:] == ["ran 2 images", "ran 1 images"]
    assert said(everything, logging.WARNING) == []


def test_doubts_about_a_net_are_warnings_of_the_log(everything):
    labels = ["background", *DEMO_CLASSES]
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=labels) as net:
        assert [*net.binding.warnings, net.labels.note] == said(everything, logging.WARNING)
        count = len(said(everything, logging.WARNING))
        net.explain(demo_scenes()[0].path)
    assert count == 1
    assert len(said(everything, logging.WARNING)) == 1  # once, not with every call


def test_a_run_is_logged_with_its_failures(net, everything, tmp_path):
    shutil.copy(demo_scenes()[0].path, str(tmp_path))
    (tmp_path / "bad\n.png").write_text("no image")
    out = str(tmp_path / "out")
    results = net.visualize_imgs(str(tmp_path), out, methods="gradcam")
    (failed,) = said(everything, logging.WARNING)
    assert failed == f"'bad\\n.png' failed: {results[0].error}"
    (finished,) = said(everything, logging.INFO)
    assert re.fullmatch(rf"2 images, 1 failed, in \d+\.\d s; results in {re.escape(repr(out))}", finished)


def test_smaller_batches_are_logged(net, everything, tmp_path, monkeypatch):
    whole = SessionRunner.run

    def run(self, fetches, batch, *further, **options):
        if len(batch) > 1:
            raise OutOfMemoryError("too many images")
        return whole(self, fetches, batch, *further, **options)

    monkeypatch.setattr(SessionRunner, "run", run)
    results = net.visualize_imgs(os.path.dirname(demo_scenes()[0].path), str(tmp_path / "out"), methods="gradcam")
    logged = said(everything, logging.WARNING)
    assert logged
    assert set(logged) <= set(results.warnings)


def test_a_program_without_a_log_sees_warnings_and_the_package_configures_nothing():
    code = (
        "import logging, gradcam_tf1\n"
        "ours = logging.getLogger('gradcam_tf1')\n"
        "print(ours.handlers, ours.level, logging.getLogger().handlers)\n"
        "logging.getLogger('gradcam_tf1.engine').warning('a doubt')\n"
        "logging.getLogger('gradcam_tf1.engine').info('a run')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[] 0 []\n"
    assert ended.stderr == "a doubt\n"


@pytest.mark.programs
def test_the_command_line_tells_of_a_failed_image_once(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.png").write_bytes(b"no image")
    shutil.copy(demo_scenes()[0].path, str(tmp_path / "photos"))
    command = [sys.executable, "-m", "gradcam_tf1", "run", demo_model(), str(tmp_path / "photos")]
    options = ["--preset", "inception", "--out", str(tmp_path / "out")]
    ended = subprocess.run([*command, *options], stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("broken.png") == 1, ended.stderr
