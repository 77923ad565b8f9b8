"""No op of a graph of unknown origin touches a file, runs code or ends the program, at any depth."""

from __future__ import annotations

import contextlib
import re

import pytest
import tensorflow
from hostile_nets import function_graph, hostile_graph, outcome

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import op_definition, tf


def writer(target):
    """Code that writes a file when it is run."""

    def write():
        with open(target, "w") as file:
            return file.write("x")

    return write


def table(secret, target):
    handle = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    return tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=handle, filename=secret, key_index=-2, value_index=-1, vocab_size=-1, delimiter="\n"
    )


def reader(secret, target):
    queue = tf.FIFOQueue(1, [tf.string])
    with tf.control_dependencies([queue.enqueue([secret])]):
        return tf.strings.length(tf.WholeFileReader().read(queue)[1])


def dataset(make):
    return lambda secret, target: tf.strings.length(tf.data.make_one_shot_iterator(make(secret, target)).get_next())


def summary(secret, target):
    writer = tf.raw_ops.SummaryWriter()
    made = tf.raw_ops.CreateSummaryFileWriter(
        writer=writer, logdir=target, max_queue=1, flush_millis=1, filename_suffix=".x"
    )
    with tf.control_dependencies([made]):
        return tf.raw_ops.FlushSummaryWriter(writer=writer)


def summary_database(secret, target):
    return tf.raw_ops.CreateSummaryDbWriter(
        writer=tf.raw_ops.SummaryWriter(), db_uri=target, experiment_name="a", run_name="b", user_name="c"
    )


def double():
    return tensorflow.function(lambda x: x * 2).get_concrete_function(tf.TensorSpec([], tf.float32))


def branch(secret, target):
    return tf.cond(tf.constant(True), lambda: tf.strings.length(tf.read_file(secret)), lambda: tf.constant(1))


def loop(secret, target):
    def body(number):
        with tf.control_dependencies([tf.write_file(target, "x")]):
            return number + 1

    return tf.while_loop(lambda number: number < 2, body, [tf.constant(0)])


HOSTILE = {
    "ReadFile": lambda secret, target: tf.strings.length(tf.read_file(secret)),
    "WriteFile": lambda secret, target: tf.write_file(target, "x"),
    "MatchingFiles": lambda secret, target: tf.size(tf.matching_files(secret + "*")),
    "PyFunc": lambda secret, target: tf.py_func(writer(target), [], tf.int64),
    "PyFuncStateless": lambda secret, target: tf.py_func(writer(target), [], tf.int64, stateful=False),
    "EagerPyFunc": lambda secret, target: tf.py_function(writer(target), [], tf.int64),
    "Save": lambda secret, target: tf.raw_ops.Save(filename=target, tensor_names=["x"], data=[1.0]),
    "SaveV2": lambda secret, target: tf.raw_ops.SaveV2(
        prefix=target, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
    ),
    "RestoreV2": lambda secret, target: tf.raw_ops.RestoreV2(
        prefix=secret, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0],
    "MergeV2Checkpoints": lambda secret, target: tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[secret], destination_prefix=target
    ),
    "WholeFileReader": reader,
    "TextLineDataset": dataset(lambda secret, target: tf.data.TextLineDataset(secret)),
    "TFRecordDataset": dataset(lambda secret, target: tf.data.TFRecordDataset(secret)),
    "FixedLengthRecordDataset": dataset(lambda secret, target: tf.data.FixedLengthRecordDataset(secret, 4)),
    "CacheDataset": dataset(lambda secret, target: tf.data.Dataset.from_tensors("x").cache(target)),
    "ReadFile in a data-set function": dataset(
        lambda secret, target: tf.data.Dataset.from_tensors(secret).map(tf.read_file)
    ),
    "WriteFile in a data-set function": dataset(
        lambda secret, target: tf.data.Dataset.from_tensors("x").map(
            lambda text: tf.py_func(lambda t: (open(target, "w").close(), t)[1], [text], tf.string)
        )
    ),
    "ReadFile in a branch": branch,
    "WriteFile in a loop": loop,
    "InitializeTableFromTextFileV2": table,
    "ImmutableConst": lambda secret, target: tf.raw_ops.ImmutableConst(
        dtype=tf.uint8, shape=[4], memory_region_name=secret
    ),
    "Abort": lambda secret, target: tf.raw_ops.Abort(error_msg="the end", exit_without_error=False),
    "CreateSummaryDbWriter": summary_database,
    "TextLineReaderV2": lambda secret, target: tf.raw_ops.ReaderNumRecordsProducedV2(
        reader_handle=tf.raw_ops.TextLineReaderV2()
    ),
    "SqlDataset": dataset(lambda secret, target: tf.data.experimental.SqlDataset("sqlite", secret, "x", (tf.string,))),
    "SaveSlices": lambda secret, target: tf.raw_ops.SaveSlices(
        filename=target, tensor_names=["x"], shapes_and_slices=["1 -"], data=[[1.0]]
    ),
    "RemoteCall": lambda secret, target: tf.raw_ops.RemoteCall(
        target="/job:other/task:0/cpu:0", args=[1.0], Tout=[tf.float32], f=double()
    ),
    "PrintV2": lambda secret, target: tf.raw_ops.PrintV2(input="x", output_stream="file://" + target),
    "SummaryWriter": summary,
    "DecodeProtoV2": lambda secret, target: tf.size(
        tf.raw_ops.DecodeProtoV2(
            bytes=["x"], message_type="a.b", field_names=[], output_types=[], descriptor_source=secret
        ).sizes
    ),
    "GenerateVocabRemapping": lambda secret, target: (
        tf.raw_ops.GenerateVocabRemapping(
            new_vocab_file=secret, old_vocab_file=secret, new_vocab_offset=0, num_new_vocab=1
        ).num_present
    ),
    "LoadAndRemapMatrix": lambda secret, target: tf.reduce_sum(
        tf.raw_ops.LoadAndRemapMatrix(
            ckpt_path=secret,
            old_tensor_name="x",
            row_remapping=tf.constant([0], tf.int64),
            col_remapping=tf.constant([0], tf.int64),
            initializing_values=[],
            num_rows=1,
            num_cols=1,
        )
    ),
    "RecordInput": lambda secret, target: tf.size(tf.raw_ops.RecordInput(file_pattern=secret)),
    "FixedUnigramCandidateSampler": lambda secret, target: (
        tf.raw_ops.FixedUnigramCandidateSampler(
            true_classes=tf.constant([[0]], tf.int64),
            num_true=1,
            num_sampled=1,
            unique=False,
            range_max=1,
            vocab_file=secret,
        ).sampled_candidates
    ),
}


@pytest.mark.parametrize("as_data", [False, True])
@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_no_file_is_touched(kind, as_data, tmp_path, capfd):
    secret, target = tmp_path / "secret", tmp_path / "target"
    secret.write_bytes(b"a\n" * 40)
    graph_def = hostile_graph(HOSTILE[kind], secret, target, as_data)
    first = outcome(graph_def)
    secret.write_bytes(b"another secret\n" * 30)
    assert outcome(graph_def) == first
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    if isinstance(first, str):
        assert re.search("need values for|placeholder|fed", first)
    assert "a secret" not in capfd.readouterr().err


def test_code_in_the_gradient_of_a_function_is_not_run(tmp_path):
    """The forward pass is harmless; the function that the file names as the gradient would write."""
    graph_def = function_graph()
    assert isinstance(outcome(graph_def), bytes)
    gradient = graph_def.library.function.add()
    gradient.signature.name = "g"
    gradient.signature.input_arg.add(name="x", type=1)
    gradient.signature.input_arg.add(name="dy", type=1)
    gradient.signature.output_arg.add(name="dx", type=1)
    gradient.node_def.add(name="n", op="Identity", input=["dy"]).attr["T"].type = 1
    text = gradient.node_def.add(name="file", op="Const")
    text.attr["dtype"].type = 7
    text.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(str(tmp_path / "target")))
    gradient.node_def.add(name="w", op="WriteFile", input=["file:output:0", "file:output:0"])
    gradient.ret["dx"] = "n:output:0"
    graph_def.library.gradient.add(function_name="f", gradient_func="g")
    model = load(graph_def)
    assert "PartitionedCall" not in {node.op for node in model.graph_def.node}
    assert not model.graph_def.library.function
    outcome(graph_def)
    assert not list(tmp_path.iterdir())


# ops of TensorFlow 2, or that have no function in Python

URLS = {"debug_urls": lambda target: ["file://" + target]}
SPECS = {"debug_ops_spec": lambda target: [f"DebugIdentity;file://{target};0"]}
BY_NAME = {
    "DebugIdentity": URLS,
    "DebugIdentityV2": URLS,
    "DebugIdentityV3": URLS,
    "DebugNumericSummary": URLS,
    "Copy": SPECS,
    "CopyHost": SPECS,
    "_HostSend": {},
    "_MklRelu": {},
    "_ParallelConcatUpdate": {},
}


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_ops_by_name(name, tmp_path):
    """x -> the op -> the net."""
    if op_definition(name) is None:
        pytest.skip("this TensorFlow does not have it, and unknown ops are left out")
    graph_def = hostile_graph(lambda *_: tf.no_op(), "", "", False)
    user = next(node for node in graph_def.node if node.op == "Conv2D")
    wanted = [user.input[0]] * len(op_definition(name).input_arg)
    node = graph_def.node.add(name="hostile", op=name, input=wanted)
    for attribute, make in BY_NAME[name].items():
        node.attr[attribute].list.s.extend(text.encode() for text in make(str(tmp_path / "target")))
    node.attr["T"].type = 1
    user.input[0] = "hostile"
    with contextlib.suppress(ModelFileError):
        assert name not in {node.op for node in load(graph_def).graph_def.node}
    outcome(graph_def)
    assert not list(tmp_path.iterdir())
