"""Options of the session reach TensorFlow's own configuration."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gradcam_tf1.cli import main
from gradcam_tf1.cli.session import make_session
from gradcam_tf1.nets.demo import demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

DEFAULTS = {"device": None, "intra_op": None, "inter_op": None, "gpu_memory_fraction": None, "allow_growth": True}


def config(**options):
    given = {**DEFAULTS, **options, "alpha": 0.5}
    made = make_session(given)
    assert given == {"alpha": 0.5}
    return made()["config"]


def test_every_option_has_its_field():
    plain = config()
    assert (plain.intra_op_parallelism_threads, plain.inter_op_parallelism_threads) == (0, 0)
    assert plain.gpu_options.allow_growth
    assert plain.allow_soft_placement
    one = config(intra_op=1, inter_op=2, gpu_memory_fraction=0.25, allow_growth=False, device="cpu")
    assert (one.intra_op_parallelism_threads, one.inter_op_parallelism_threads) == (1, 2)
    assert one.gpu_options.per_process_gpu_memory_fraction == 0.25
    assert not one.gpu_options.allow_growth
    assert dict(one.device_count) == {"GPU": 0}


def run(tmp_path, *options):
    scene = demo_scenes()[0].path
    command = [
        "run",
        demo_model(),
        scene,
        "--preset",
        "inception",
        "--method",
        "gradcam",
        "--out",
        str(tmp_path / "out"),
    ]
    return CliRunner().invoke(main, [*command, *options])


def test_a_run_with_all_of_them(tmp_path):
    done = run(tmp_path, "--device", "CPU", "--intra-op", "1", "--inter-op", "1", "--gpu-memory-fraction", "0.5")
    assert done.exit_code == 0, done.output


def test_a_device_that_is_not_there(tmp_path):
    assert "'tpu' is not a device; possible: all, cpu, gpu, gpu:0" in run(tmp_path, "--device", "tpu").output
    count = len(tf.config.experimental.list_physical_devices("GPU"))
    missing = run(tmp_path, "--device", f"gpu:{count}")
    assert missing.exit_code == 2
    assert f"sees {count} GPUs on this machine; try cpu" in missing.output


@pytest.mark.parametrize("option", ["--intra-op", "--inter-op", "--gpu-memory-fraction"])
def test_nothing_is_not_a_number_of_threads(tmp_path, option):
    assert run(tmp_path, option, "0").exit_code == 2
