"""Options of the session reach TensorFlow's own configuration."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gradcam_tf1.cli import main
from gradcam_tf1.cli.session_options import make_session
from gradcam_tf1.cli.shared_options import open_net
from gradcam_tf1.errors import OptionError
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


def test_all_is_every_gpu_that_tensorflow_sees():
    count = len(tf.config.experimental.list_physical_devices("GPU"))
    session = make_session({**DEFAULTS, "device": "all", "inter_op": 3})
    if not count:
        with pytest.raises(OptionError, match="--device all: TensorFlow .* sees 0 GPUs on this machine; try cpu"):
            session()
        return
    made = session()
    assert made["devices"] == tuple(f"/gpu:{number}" for number in range(count))
    assert made["config"].gpu_options.visible_device_list == ""
    assert made["config"].inter_op_parallelism_threads == 3


def test_all_without_a_gpu_is_refused_before_the_run(tmp_path):
    if tf.config.experimental.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    missing = run(tmp_path, "--device", "ALL")
    assert missing.exit_code == 2
    assert "--device all: TensorFlow" in missing.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("device", [None, "cpu"])
def test_without_all_tensorflow_places_the_ops(device):
    assert make_session({**DEFAULTS, "device": device})()["devices"] == ()


def test_the_devices_reach_the_net():
    computing = {"config": tf.ConfigProto(device_count={"CPU": 2}), "devices": ("/cpu:0", "/cpu:1")}
    model = {
        "weights": None,
        "fully_convolutional": False,
        "layers": [],
        "input_name": None,
        "logits": None,
        "probabilities": None,
    }
    with open_net(demo_model(), session=lambda: computing, **model) as net:
        assert len(net.explainers) == 2
        assert net.graph.get_operation_by_name("input").device == "/device:CPU:0"


@pytest.mark.parametrize("option", ["--intra-op", "--inter-op", "--gpu-memory-fraction"])
def test_nothing_is_not_a_number_of_threads(tmp_path, option):
    assert run(tmp_path, option, "0").exit_code == 2
