"""Several devices: each has a whole net of its own, and nothing of it is anywhere else."""

from __future__ import annotations

import re

import numpy as np
import pytest
from device_nets import TWO, Counted, cpus, explain_on, graph_def, images

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.graphdef.large_constants import MIN_BYTES
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.targets import Similar, Top
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

FORWARD = {"VarHandleOp", "ReadVariableOp", "Conv2D", "MatMul"}
BACKWARD = {"Conv2DBackpropInput", "ReluGrad"}
METHODS = ("gradcam", "shapleycam", "positive_negative", "eigengradcam", "gradient", "guided_gradcam", "deconvnet")
METHODS += ("fullgrad", "ablationcam", "smoothgrad", "scorecam", "integrated_gradients")


class Traced:
    """What a session runs, and where: device -> names of ops. One at a time."""

    def __init__(self, sess):
        self.ops = {}
        self._run, sess.run = sess.run, self
        sess.run_again = self

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


def traced_explainers(net):
    """Device, the trace of its session, the net as it answers there."""
    return list(zip(TWO, map(Traced, net._sessions), net.explainers))


def test_everything_that_a_device_answers_is_computed_there():
    with GradCamGraph(graph_def(), preset="raw", devices=TWO, config=cpus(inter_op_parallelism_threads=2)) as net:
        for device, traced, explainer in traced_explainers(net):
            graph = explainer.engine.graph
            explain_on(explainer, images(), [0, 2], methods="gradient")
            plain = set(traced.ops[device])
            explain_on(explainer, images(), [0, 2], methods="guided_backprop")
            guided = traced.ops[device] - plain
            for names, kinds in ((plain, FORWARD | BACKWARD), (guided, BACKWARD - {"ReluGrad"} | {"Relu", "Greater"})):
                assert kinds <= {graph.get_operation_by_name(n).type for n in names if not BOOKKEEPING.match(n)}
            explain_on(explainer, images(), [0, Top(2)], methods=METHODS)
            explain_on(explainer, images(), Similar(images(1)[0]), options=ExplainOptions(eigen_smooth=True))
            explain_on(explainer, images(), score="probability", options=ExplainOptions(noise=Noise(samples=2)))
            assert len([name for name in traced.ops[device] if not BOOKKEEPING.match(name)]) > 300
            elsewhere = {name for place in set(traced.ops) - {device} for name in traced.ops[place]}
            assert [name for name in elsewhere if not BOOKKEEPING.match(name)] == []
            assert {op.device for op in graph.get_operations()} == {f"/device:CPU:{device[-1]}"}


def test_each_device_has_the_weights_once():
    with GradCamGraph(graph_def(), preset="raw", devices=TWO, config=cpus()) as net:
        for device, traced, explainer in traced_explainers(net):
            explain_on(explainer, images(), 1, methods=["gradcam", "guided_backprop"])
            ops = explainer.engine.graph.get_operations()
            (variable,) = [op for op in ops if op.type == "VarHandleOp"]
            assert variable.name in traced.ops[device]
            sizes = [len(op.node_def.attr["value"].tensor.tensor_content) for op in ops if op.type == "Const"]
            assert max(sizes) < MIN_BYTES
    first, second = (sess.graph.as_graph_def() for sess in net._sessions)
    assert len(first.node) == len(second.node)


def test_devices_answer_alike_and_the_first_is_the_net_itself():
    with GradCamGraph(graph_def(), preset="raw", config=cpus()) as net:
        expected = net.explain(images(), [0, 2], methods=["hirescam", "guided_backprop"])
    with GradCamGraph(graph_def(), preset="raw", devices=TWO, config=cpus()) as net:
        counts = [Counted(sess) for sess in net._sessions]
        for explainer in net.explainers:
            answer = explain_on(explainer, images(), [0, 2], methods=["hirescam", "guided_backprop"])
            assert all(np.array_equal(answer.maps[key], expected.maps[key]) for key in expected.maps)
        before = [count.runs for count in counts]
        net.explain(images())
        assert [count.runs for count in counts] == [before[0] + 1, before[1]]


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
        sess.run("prob:0", {"input:0": images()})
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
        ({"devices": ("/cpu:1", "gpu")}, OptionError, "'gpu' is not the name of a device; write one like /gpu:0", 0),
        ({"devices": "/job:worker"}, OptionError, "'/job:worker' is not the name of a device", 0),
        ({"devices": ("/cpu:1", "that one")}, OptionError, "'that one' is not the name of a device", 0),
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
        assert len(net.explainers) == 1


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
        BindingError, match="'mine:0' was added by fetch_key_tensors, to the graph of the first device"
    ):
        net.explain(images())
