"""What is asked of a cluster is checked before the first task, and what a task sees. No cluster runs here."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import command
from small_nets import SmallNet

from gradcam_tf1 import ExplainOptions, RunOptions, load
from gradcam_tf1.errors import ModelFileError, OptionError, TargetError
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.tf_runtime import tf

pytest.importorskip("pyspark")


class FakeFrame:
    """What explain_images touches of a DataFrame."""

    def __init__(self, *columns, **conf):
        self.columns = list(columns or ("path", "content"))
        self.sent = []
        conf = {name.replace("_", "."): value for name, value in conf.items()}
        self.sparkSession = SimpleNamespace(
            sparkContext=SimpleNamespace(getConf=lambda: conf, listFiles=self.sent, addFile=self.sent.append)
        )

    def select(self, *names):
        self.selected = names
        return self

    def mapInPandas(self, function, schema):
        return function, schema


@pytest.fixture(scope="module")
def model():
    return load(SmallNet("gap").graph().as_graph_def())


def explain(frame, model, **options):
    from gradcam_tf1.spark import explain_images

    return explain_images(frame, model, **{"preset": "raw", **options})


def test_a_request_that_fits_is_sent_once(model):
    frame = FakeFrame("path", "modificationTime", "length", "content")
    _, schema = explain(frame, model)
    explain(frame, model, methods="hirescam")
    assert len(frame.sent) == 1
    assert frame.selected == ("path", "content", "length")
    assert schema["path"].metadata["gradcam_tf1"].startswith("{")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"targets": 4}, TargetError, "4"),
        ({"targets": [[0], [1]]}, OptionError, "all images have the same targets"),
        ({"targets": lambda listing: [0]}, OptionError, "all images have the same targets"),
        ({"methods": "nothing"}, OptionError, "nothing"),
        ({"run": RunOptions(figures="layers")}, OptionError, "run.figures belongs to a run into a folder; possible: b"),
        ({"run": RunOptions(resume=True)}, OptionError, "run.resume belongs to a run into a folder"),
        ({"run": "fast"}, OptionError, r"give run=RunOptions"),
        ({"options": ExplainOptions(inputs={"age": [1]})}, OptionError, "takes no further inputs"),
        ({"devices": "/gpu:0"}, OptionError, "Spark chooses the devices"),
        ({"preset": None}, OptionError, "does not show how its pixel values are prepared"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(model, options, error, message):
    with pytest.raises(error, match=message):
        explain(FakeFrame(), model, **options)


def test_images_are_a_frame_of_paths_and_contents(model):
    with pytest.raises(OptionError, match=r"with the columns path and content, not \['path'\]; read_images makes one"):
        explain(FakeFrame("path"), model)
    with pytest.raises(OptionError, match="not list; read_images makes one"):
        explain(["a.png"], model)


def test_a_worker_cannot_change_its_gpu(model):
    amounts = {"spark_executor_resource_gpu_amount": "4", "spark_task_resource_gpu_amount": "1"}
    with pytest.raises(OptionError, match="an executor has 4 GPUs and a task 1"):
        explain(FakeFrame(**amounts), model)
    explain(FakeFrame(**{**amounts, "spark_executor_resource_gpu_amount": "1"}), model)
    explain(FakeFrame(spark_executor_resource_gpu_amount="1", spark_task_resource_gpu_amount="0.5"), model)


def test_a_task_sees_the_gpus_that_spark_gave_it(monkeypatch):
    from gradcam_tf1.spark import worker_net

    opened, environment = [], {}
    given = SimpleNamespace(cpus=lambda: 3, resources=lambda: {"gpu": SimpleNamespace(addresses=["2", "5"])})
    monkeypatch.setattr(worker_net, "TaskContext", SimpleNamespace(get=lambda: given))
    monkeypatch.setattr(worker_net, "os", SimpleNamespace(environ=environment, getpid=lambda: 1))
    net = worker_net.WorkerNet()
    for key in ("a", "a", "b"):
        net.get(key, lambda session: opened.append(session) or SimpleNamespace(close=lambda: opened.append("closed")))
    assert environment == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "2,5"}
    assert [each if each == "closed" else each["devices"] for each in opened] == [
        ["/gpu:0", "/gpu:1"],
        "closed",
        ["/gpu:0", "/gpu:1"],
    ]
    config = opened[0]["config"]
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (3, 3)
    given.resources = lambda: {"gpu": SimpleNamespace(addresses=["3"])}
    with pytest.raises(OptionError, match="this Python worker has GPUs 2, 5, and a task with 3 came to it"):
        net.get("b", None)


def test_a_task_without_gpus_computes_on_the_cpu():
    from gradcam_tf1.spark.worker_net import see_gpus, task_config

    environment = {}
    see_gpus((), environment)
    assert environment["CUDA_VISIBLE_DEVICES"] == "-1"
    given = task_config(2, False, tf.ConfigProto(intra_op_parallelism_threads=7))
    assert (given.device_count["GPU"], given.intra_op_parallelism_threads) == (0, 7)
    assert given.inter_op_parallelism_threads == 2


def test_another_model_than_the_one_that_was_sent_is_refused(model, monkeypatch, tmp_path):
    from gradcam_tf1.spark import sent_model

    monkeypatch.setattr(sent_model, "SparkFiles", SimpleNamespace(get=lambda name: str(tmp_path / name)))
    frame = FakeFrame()
    sent = sent_model.send_model(frame.sparkSession.sparkContext, model)
    content = Path(frame.sent[0]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == sent.sha256
    (tmp_path / sent.name).write_bytes(content)
    assert sent.load().graph_def == model.graph_def
    assert np.array_equal(sent.load().outputs, model.outputs)
    (tmp_path / sent.name).write_bytes(content[:-1])
    with pytest.raises(ModelFileError, match="is not the model that the driver sent"):
        sent.load()


def test_the_command_hands_its_options_on(monkeypatch, tmp_path):
    from gradcam_tf1.spark import cluster_session, image_files_frame, written_rows

    frame = FakeFrame()
    monkeypatch.setattr(cluster_session, "cluster_session", lambda master, conf: nullcontext(master))
    monkeypatch.setattr(image_files_frame, "read_images", lambda session, images: frame)
    monkeypatch.setattr(written_rows, "write_rows", lambda explained, out: written_rows.RowCounts(3, 1, 4))
    asked = ("spark", demo_model(), "photos", tmp_path / "out", "--preset", "inception", "--top-k", 2, "--box")
    assert "3 images, 1 failed, 4 maps; rows in " in command(*asked, code=1)
    assert len(frame.sent) == 1


def test_the_command_lists_no_option_that_a_cluster_refuses():
    asked = ("spark", demo_model(), "photos", "out", "--preset", "inception")
    help_text = command("spark", "-h")
    for option in ("--naming", "--image-format", "--figure", "--raw", "--feed-file", "--class-file", "--mask"):
        assert f"{option} " not in help_text
        assert f"{option} " in command("run", "-h")
        assert "No such option" in command(*asked, option, "x", code=2).replace("no such", "No such")


def test_names_on_this_machine_are_no_patterns(tmp_path, monkeypatch):
    from gradcam_tf1.spark.image_files_frame import _paths, read_images

    monkeypatch.chdir(tmp_path)
    for name in ("photos", "photos [1]", "a:b", "c"):
        (tmp_path / name).mkdir()
    given = ["photos", "photos [1]", "a:b", Path("c"), "far[12]/*.png", "hdfs:///x"]
    assert _paths(given) == ["photos", "photos \\[1\\]", str(tmp_path / "a:b"), "c", "far[12]/*.png", "hdfs:///x"]
    for wrong in (7, [], [7], "", None):
        with pytest.raises(OptionError, match="given as a path or a list of paths"):
            read_images(None, wrong)


def test_what_a_cluster_lacks_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    asked = ("spark", demo_model(), "photos", "out", "--preset", "inception")
    assert "and there is none on the PATH; install it or set JAVA_HOME" in command(*asked, code=2)
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert "JAVA_HOME is '/nowhere', where there is none" in command(*asked, code=2)
    assert "write a property of Spark, as in spark.executor.cores=4" in command(*asked, "--conf", "cores=4", code=2)


def test_the_reason_of_a_failed_job_is_its_innermost_one():
    from gradcam_tf1.spark.written_rows import _reason

    trace = """An error occurred while calling o87.parquet.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times
Traceback (most recent call last):
  File "worker.py", line 1, in main
gradcam_tf1.errors.RunError: the net needs a batch of 4
\tat org.apache.spark.api.python.BasePythonRunner.handle(PythonRunner.scala:572)
"""
    assert _reason(trace) == "the net needs a batch of 4"
    assert _reason("no trace") == "no trace"
