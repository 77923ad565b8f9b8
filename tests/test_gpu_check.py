"""`make gpu-check` with a second CPU in place of the GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gradcam_tf1.tf_runtime import tf

_SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "gpu_check.py"


@pytest.fixture(scope="module")
def gpu_check():
    spec = importlib.util.spec_from_file_location("gpu_check", _SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_cpus_agree_and_a_wrong_device_is_named(gpu_check, monkeypatch, capsys):
    monkeypatch.delenv("GRADCAM_TF1_MODELS", raising=False)  # the real nets take minutes
    words = ["--device", "/cpu:1", "--method", "gradcam", "--method", "guided_gradcam"]
    assert gpu_check.main(words) == 0
    said = capsys.readouterr().out
    assert "the maps are the same on both" in said
    assert "2 methods on /cpu:0, 2 on /cpu:1" in said

    def wrong(model, preset, device, methods, images):
        found = right(model, preset, device, methods, images)
        return found if device == "/cpu:0" else {"gradcam": found["gradcam"][::-1]}

    right = gpu_check.maps
    monkeypatch.setattr(gpu_check, "maps", wrong)
    assert gpu_check.main(words) == 1
    said = capsys.readouterr().out
    assert "DIFFERENT" in said
    assert "gradcam; " in said
    assert "guided_gradcam" in said.splitlines()[-1]  # only one of the two computes it


def test_a_net_on_which_no_method_works_is_not_the_same_on_both(gpu_check, tmp_path, capsys):
    with tf.Graph().as_default() as graph:  # CAM needs global average pooling before the scores
        x = tf.placeholder(tf.float32, [None, 16, 16, 3], "x")
        maps = tf.nn.relu(tf.nn.conv2d(x, tf.ones([3, 3, 3, 4]), [1, 1, 1, 1], "SAME"))
        tf.matmul(tf.reshape(maps, [-1, 16 * 16 * 4]), tf.ones([16 * 16 * 4, 5]), name="scores")
    path = tmp_path / "no_cam.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    words = ["--device", "/cpu:1", "--model", str(path), "--method", "cam"]
    assert gpu_check.main(words) == 1
    said = capsys.readouterr().out
    assert "0 methods on /cpu:0, 0 on /cpu:1" in said
    assert said.splitlines()[-1] == f"different: {path}: no method works on either device"
    assert gpu_check.main([*words, "--method", "gradcam"]) == 0  # one method that works was compared


def test_rounding_agrees_and_what_is_more_does_not(gpu_check):
    cpu = np.random.RandomState(0).rand(20, 20).astype(np.float32)
    assert gpu_check.agrees(*gpu_check.difference(cpu, cpu * (1 + 1e-4)))
    for other in (cpu * 1.1, cpu.T, np.zeros_like(cpu), np.full_like(cpu, np.nan), cpu + 0.02):
        assert not gpu_check.agrees(*gpu_check.difference(cpu, other))
    zero = np.zeros_like(cpu)
    assert gpu_check.agrees(*gpu_check.difference(zero, zero))
    assert not gpu_check.agrees(*gpu_check.difference(zero, cpu))


@pytest.mark.skipif(bool(tf.config.experimental.list_physical_devices("GPU")), reason="there is a GPU")
def test_without_a_gpu_it_is_skipped(gpu_check, capsys):
    assert gpu_check.main([]) == 0
    assert "skipped: TensorFlow sees no GPU" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="/gpu:3 is not there: TensorFlow sees 0 GPUs"):
        gpu_check.main(["--device", "/gpu:3"])
