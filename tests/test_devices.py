"""Several devices: each has a whole net of its own, and a run on all of them writes what a run on one writes.

A session configuration with several CPUs stands for several GPUs.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.explaining import one_at_a_time
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.manifest import read_manifest
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.runner import session_config
from gradcam_tf1.targets import Similar, Top
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors
from gradcam_tf1.weights import MIN_BYTES

SIDE = 8
TWO = ("/cpu:1", "/cpu:2")  # what is nowhere in particular would be on /cpu:0
FORWARD = {"VarHandleOp", "ReadVariableOp", "Conv2D", "MatMul"}
BACKWARD = {"Conv2DBackpropInput", "ReluGrad"}
METHODS = ("gradcam", "shapleycam", "positive_negative", "eigengradcam", "gradient", "guided_gradcam", "deconvnet")
METHODS += ("fullgrad", "ablationcam", "smoothgrad", "scorecam", "integrated_gradients")


def cpus(**options):
    return tf.ConfigProto(device_count={"CPU": 3}, **options)


def graph_def(change=lambda pooled, _x: pooled):
    """Pixels to -1..1 by arithmetic, convolution, ReLU, large dense layer, `change`, dense layer, softmax."""
    state = np.random.RandomState(0)
    width = MIN_BYTES // (SIDE * SIDE * 4 * 4)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
        scaled = x * (2.0 / tf.sqrt(tf.constant(255.0**2))) - tf.identity(1.0)
        kernel = state.randn(3, 3, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(scaled, kernel, [1, 1, 1, 1], "SAME", name="conv"), name="features")
        large = tf.constant((state.randn(SIDE * SIDE * 4, width) / 16).astype(np.float32), name="kernel")
        hidden = tf.nn.relu(tf.matmul(tf.reshape(features, [-1, SIDE * SIDE * 4]), large, name="dense"))
        last = state.randn(width, 3).astype(np.float32) / 30
        tf.nn.softmax(tf.matmul(change(hidden, x), last, name="logits"), name="prob")
    return graph.as_graph_def()


class Counted:
    """Counts what a session runs."""

    def __init__(self, sess):
        self.runs = 0
        self._run, sess.run = sess.run, self

    def __call__(self, *args, **options):
        self.runs += 1
        return self._run(*args, **options)


class Traced:
    """What a session runs, and where: device -> names of ops. One at a time."""

    def __init__(self, sess):
        self.ops = {}
        self._run, sess.run = sess.run, self

    def __call__(self, fetches, feed, options=None):
        metadata = tf.RunMetadata()
        options = options or tf.RunOptions()
        options.trace_level = tf.RunOptions.FULL_TRACE
        found = self._run(fetches, feed, options=options, run_metadata=metadata)
        for device in metadata.step_stats.dev_stats:
            if re.search(r"device:\w+:\d+$", device.device):
                names = self.ops.setdefault("/" + device.device.split("device:")[1].lower(), set())
                names.update(node.node_name for node in device.node_stats)
        return found


# of TensorFlow, for what is fed and fetched
BOOKKEEPING = re.compile(r"_SOURCE|_arg_|_retval_|.*(_Send|_Recv|/_\d+)$")


def traced_views(net):
    """Device, the trace of its session, the net as it answers there."""
    views = net.on_each_device()
    assert views[0] is net
    return list(zip(TWO, map(Traced, net._sessions), views))


def pictures(count=2):
    return np.random.RandomState(1).randint(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)


def test_everything_that_a_device_answers_is_computed_there():
    with GradCamGraph(graph_def(), preset="raw", devices=TWO, config=cpus(inter_op_parallelism_threads=2)) as net:
        for device, traced, view in traced_views(net):
            graph = view._open().engine.graph
            view.explain(pictures(), [0, 2], methods="gradient")
            plain = set(traced.ops[device])
            view.explain(pictures(), [0, 2], methods="guided_backprop")
            guided = traced.ops[device] - plain
            for names, kinds in ((plain, FORWARD | BACKWARD), (guided, BACKWARD | {"Relu"})):
                assert kinds <= {graph.get_operation_by_name(n).type for n in names if not BOOKKEEPING.match(n)}
            view.explain(pictures(), [0, Top(2)], methods=METHODS)
            view.explain(pictures(), Similar(pictures(1)[0]), eigen_smooth=True)
            view.explain(pictures(), score="probability", noise=Noise(samples=2))
            assert len([name for name in traced.ops[device] if not BOOKKEEPING.match(name)]) > 300
            elsewhere = {name for place in set(traced.ops) - {device} for name in traced.ops[place]}
            assert [name for name in elsewhere if not BOOKKEEPING.match(name)] == []
            assert {op.device for op in graph.get_operations()} == {f"/device:CPU:{device[-1]}"}


def test_each_device_has_the_weights_once():
    with GradCamGraph(graph_def(), preset="raw", devices=TWO, config=cpus()) as net:
        for device, traced, view in traced_views(net):
            view.explain(pictures(), 1, methods=["gradcam", "guided_backprop"])
            ops = view._open().engine.graph.get_operations()
            (variable,) = [op for op in ops if op.type == "VarHandleOp"]
            assert variable.name in traced.ops[device]
            sizes = [len(op.node_def.attr["value"].tensor.tensor_content) for op in ops if op.type == "Const"]
            assert max(sizes) < MIN_BYTES
    first, second = (sess.graph.as_graph_def() for sess in net._sessions)
    assert len(first.node) == len(second.node)


def test_devices_answer_alike_and_the_first_is_the_net_itself():
    with GradCamGraph(graph_def(), preset="raw", config=cpus()) as net:
        expected = net.explain(pictures(), [0, 2], methods=["hirescam", "guided_backprop"])
    with GradCamGraph(graph_def(), preset="raw", devices=TWO, config=cpus()) as net:
        counts = [Counted(sess) for sess in net._sessions]
        for view in net.on_each_device():
            answer = view.explain(pictures(), [0, 2], methods=["hirescam", "guided_backprop"])
            assert all(np.array_equal(answer.maps[key], expected.maps[key]) for key in expected.maps)
        before = [count.runs for count in counts]
        net.explain(pictures())
        assert [count.runs for count in counts] == [before[0] + 1, before[1]]


# a run


class Net(GradCamGraph):
    """Its preprocessing does what `at` says for a picture, by the red of its first pixel."""

    at = None

    def preprocess(self, images):
        for red in set(images[:, 0, 0, 0].astype(int)) & set(self.at or ()):
            self.at[red]()
        return images / 127.5 - 1


COUNT = 24


@pytest.fixture
def photos(tmp_path):
    """The red of the first pixel is the number of the picture."""
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


def contents(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in Path(out).rglob("*") if p.is_file()}


def names(out):
    return [line["relative"] for line in read_manifest(os.path.join(out, "manifest.jsonl"))]


LISTED = [f"{i:03}.png" for i in range(COUNT)]


def test_a_run_on_several_devices_writes_the_same_bytes(photos, tmp_path):
    Path(photos, "005.png").write_bytes(b"no picture")
    how = {"methods": ["gradcam", "guided_gradcam", "ablationcam"], "raw": True, "figures": "layers"}
    ten = os.path.join(photos, "00*.png")
    with net_on(()) as net:
        results = net.visualize_imgs(ten, str(tmp_path / "one"), batch_size=2, **how)
    with net_on(TWO) as net:
        counts = [Counted(sess) for sess in net._sessions]
        again = net.visualize_imgs(ten, str(tmp_path / "two"), batch_size=2, **how)
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
        results = net.visualize_imgs(photos, out, methods="hirescam", batch_size=4)
    assert waited == [True]
    assert [result.relative for result in results] == names(out) == LISTED


def test_settings_do_not_hold_the_devices(photos, out):
    with net_on(()) as net:
        net.visualize_imgs(photos, out, methods="gradcam", stop=iter([False, True]).__next__)
    assert len(names(out)) == 8
    with net_on(TWO) as net:
        results = net.visualize_imgs(photos, out, methods="gradcam", resume=True)
    assert (len(results), names(out)) == (COUNT, LISTED)


@pytest.mark.parametrize("asked", [1, 2, 5])
def test_stop_finishes_what_is_on_the_way(photos, out, tmp_path, asked):
    threads = threading.active_count()
    told = []
    with net_on(TWO) as net:
        stop = lambda: told.append(1) or len(told) > asked  # noqa: E731
        results = net.visualize_imgs(photos, out, methods="gradcam", batch_size=3, stop=stop)
        assert (results.complete, len(results), names(out)) == (False, 3 * asked, LISTED[: 3 * asked])
        assert threading.active_count() == threads
        net.visualize_imgs(photos, out, methods="gradcam", batch_size=3, resume=True)
        net.visualize_imgs(photos, str(tmp_path / "whole"), methods="gradcam", batch_size=3)
    assert contents(out) == contents(tmp_path / "whole")


def test_what_a_device_raises_comes_out_at_its_place(photos, out, tmp_path):
    def cry():
        raise ValueError("no way with this picture")

    threads = threading.active_count()
    with net_on(TWO) as net:
        net.at = {10: cry}
        with pytest.raises(ValueError, match="no way with this picture"):
            net.visualize_imgs(photos, out, methods="gradcam", batch_size=3)
        assert names(out) == LISTED[: len(names(out))]
        assert len(names(out)) <= 9, "the third batch is whole, the fourth has failed"
        assert threading.active_count() == threads
        net.at = None
        net.visualize_imgs(photos, out, methods="gradcam", batch_size=3, resume=True)
        net.visualize_imgs(photos, str(tmp_path / "whole"), methods="gradcam", batch_size=3)
    assert contents(out) == contents(tmp_path / "whole")


def test_memory_that_is_short_on_a_device_is_said_once(photos, out):
    def short():
        raise MemoryError

    with net_on(TWO) as net:
        net.at = {7: short}
        results = net.visualize_imgs(photos, out, methods="gradcam", batch_size=4)
    assert results.warnings == (
        "the memory is not enough for 4 pictures at a time: 2 from then on",
        "the memory is not enough for 2 pictures at a time: 1 from then on",
    )
    assert [result.relative for result in results.failed] == ["007.png"]
    assert names(out) == LISTED


def slow_for_white():
    """Goes round in circles where the first picture is white."""

    def circles(hidden, x):
        turns = tf.where(tf.reduce_mean(x[0]) > 0.99, tf.constant(10**9), tf.constant(1))
        last = tf.while_loop(lambda i: i < turns, lambda i: i + 1, [tf.constant(0)])
        return hidden + 0 * tf.cast(last, tf.float32)

    return graph_def(circles)


def test_the_time_limit_is_that_of_the_device(photos, out):
    Image.new("RGB", (SIDE, SIDE), "white").save(os.path.join(photos, "005.png"))
    with net_on(TWO, slow_for_white) as net:
        for view in net.on_each_device():
            view.explain(pictures())
        results = net.visualize_imgs(photos, out, methods="gradcam", batch_size=1, timeout=3)
    assert [result.relative for result in results.failed] == ["005.png"]
    assert results.failed[0].error.endswith("the net took longer than the 3 s that are allowed")
    assert names(out) == LISTED


# opening


@pytest.fixture
def opened(monkeypatch):
    """All sessions of a test, also those that nobody gets to see."""
    found = []

    class Listed(tf.Session):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            found.append(self)

    monkeypatch.setattr("tensorflow.compat.v1.Session", Listed)
    return found


def is_closed(sess):
    try:
        sess.run("prob:0", {"input:0": pictures()})
    except RuntimeError as error:
        return "closed" in str(error)
    return False


@pytest.mark.parametrize(
    ("options", "error", "message", "count"),
    [
        (
            {"devices": ("/cpu:1", "/gpu:77")},
            OptionError,
            r"there is no device /gpu:77; TensorFlow .* sees /cpu:0, /cpu:1",
            2,
        ),
        ({"devices": ("/cpu:1", "/cpu:3")}, OptionError, r"there is no device /cpu:3; TensorFlow .* sees /cpu:0", 2),
        ({"devices": ("/cpu:1", "gpu")}, OptionError, "'gpu' is no name of a device; write one like /gpu:0", 0),
        ({"devices": "/job:worker"}, OptionError, "'/job:worker' is no name of a device", 0),
        ({"devices": ("/cpu:1", "that one")}, OptionError, "'that one' is no name of a device", 0),
        ({"devices": TWO, "output": 77}, BindingError, "no output 77", 2),
    ],
)
def test_a_constructor_that_fails_leaves_no_session_open(opened, options, error, message, count):
    with pytest.raises(error, match=message):
        GradCamGraph(graph_def(), config=cpus(), **options)
    assert [is_closed(sess) for sess in opened] == [True] * count


def test_close_closes_all_sessions(opened):
    with GradCamGraph(graph_def(), devices=TWO, config=cpus()):
        assert [is_closed(sess) for sess in opened] == [False] * 2
    assert [is_closed(sess) for sess in opened] == [True] * 2


def test_one_device_by_its_name_alone():
    with GradCamGraph(graph_def(), preset="raw", devices="cpu:2", config=cpus()) as net:
        assert net.graph.get_operation_by_name("conv").device == "/device:CPU:2"
        assert net.on_each_device() == [net]


def test_ops_that_a_device_has_no_kernel_for_may_go_elsewhere():
    assert session_config(tf.ConfigProto(), placed=True).allow_soft_placement
    assert not session_config(tf.ConfigProto()).allow_soft_placement


def test_each_device_has_threads_of_its_own_so_that_a_stuck_one_keeps_no_other_waiting():
    given = tf.ConfigProto(inter_op_parallelism_threads=3)
    assert not session_config(given).session_inter_op_thread_pool
    assert [pool.num_threads for pool in session_config(given, placed=True).session_inter_op_thread_pool] == [3]
    given.session_inter_op_thread_pool.add(num_threads=5)
    assert [pool.num_threads for pool in session_config(given, placed=True).session_inter_op_thread_pool] == [5]


class Builder(GradCamGraph):
    """A hook that adds an op to the graph."""

    def fetch_key_tensors(self):
        mine = tf.identity(self.graph.get_tensor_by_name("logits:0"), name="mine")
        assert mine.device == self.graph.get_operation_by_name("logits").device
        return KeyTensors(logits="mine:0")


def test_a_hook_that_builds_ops_has_one_device():
    with Builder(graph_def(), preset="raw", devices="/cpu:2", config=cpus()) as net:
        assert net.binding.logits == "mine:0"
    with Builder(graph_def(), preset="raw", devices=TWO, config=cpus()) as net, pytest.raises(
        BindingError, match="'mine:0' was made by fetch_key_tensors, in the graph of the first device"
    ):
        net.explain(pictures())


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
