"""Graphs of strangers: none of their ops touches a file or runs code, and absurd ones are refused by name."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import GradCamError, ModelFileError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.graphdef.harmless import reaches_outside
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

PICTURE = np.random.RandomState(0).randint(0, 256, (8, 8, 3)).astype(np.uint8)


# every op of the runtime


def registry():
    """The definitions of all ops that are compiled in."""
    if not runtime.IS_TF2:
        from tensorflow.python.framework import op_def_registry

        return op_def_registry.get_registered_ops()
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    data = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    return {op.name: op for op in op_def_pb2.OpList.FromString(data).op}


OUTSIDE_NAMES = re.compile(
    r"file|path|url|dir$|shard_dir|address|^pattern$|descriptor_source|graph_def|module$|^token$|command|backend_config"
)
# read and found harmless: they only look like it
INNOCENT = {"CTCBeamSearchDecoder", "RegexFullMatch", "RegexReplace", "StaticRegexFullMatch", "StaticRegexReplace"}
# strings in, strings out
INNOCENT |= {"ShardedFilename", "ShardedFilespec"}
OUTSIDE_OPS = re.compile(
    r"File|PyFunc|Reader|Record|Summary(Writer|Db)|WriteSummary|Write\w*Summary|^(Save|Restore|Merge)|Checkpoint|Rpc"
    r"|DataService|LMDB|Sql|CSVData|TextLine|Snapshot|Debug(Identity|N)|^DumpTensor|RemoteCall|PrintV2|^_?(Send|Recv)$|Sleep"
    r"|^Collective|^_?TPU|^Load|GetSession|ConfigureDistributed|FixedUnigram|Xla(Launch|HostCompute|CallModule|CustomCall)"
)
INNOCENT |= {
    "LoopCond",
    "IsTPUEmbeddingInitialized",
    "TPUReplicatedInput",
    "TPUReplicatedOutput",
    "TPUReplicateMetadata",
}
INNOCENT |= {"TPUCompilationResult", "TPUEmbeddingActivations", "TPUPartitionedInput", "TPUPartitionedOutput"}
INNOCENT |= {"TPUPartitionedInputV2", "TPUPartitionedOutputV2", "TPUReplicate", "TPUPartitionedCall", "MergeDedupData"}
INNOCENT |= {"MergeSummary", "Merge", "DecodeCSV", "Snapshot"}
INNOCENT |= {"CollectivePermute", "TensorSliceDataset", "DebugNumericSummaryV2"}


def test_ops_that_look_like_files_are_cut():
    kept = []
    for name, op in registry().items():
        arguments = [argument.name for argument in [*op.input_arg, *op.attr]]
        suspect = OUTSIDE_OPS.search(name) or any(OUTSIDE_NAMES.search(argument) for argument in arguments)
        if suspect and name not in INNOCENT and not reaches_outside(name):
            kept.append(f"{name}({', '.join(arguments)})")
    assert kept == []


def test_every_op_with_state_that_is_run_was_read():
    """A new op with state in a newer TensorFlow is not run until somebody has looked at it."""
    kept = [name for name, op in registry().items() if op.is_stateful and not reaches_outside(name)]
    strange = [name for name in kept if not FAMILIAR.match(name)]
    assert not strange
    assert {"RandomUniform", "While", "TensorArrayV3", "QueueDequeueManyV2", "Assert"} <= set(kept)


FAMILIAR = re.compile(
    r"Random|Stateful|.*Sampler$|Multinomial|TruncatedNormal|Parameterized|NonDeterministic|Rng|Anonymous|Delete|Dummy"
    r"|Shuffle|GlobalShuffle|TensorArray|TensorList|Tensor(Slice)?Dataset|Stack|.*Queue|Stage|Unstage|(Ordered)?Map[A-Z]"
    r"|.*HashTable|LookupTable(Find|Import|Insert|Remove|Size)V2|InitializeTable(V2|FromDataset)|.*Accumulator|Resource"
    r"|Assign|Var|_?ReadVar|_VarHandles|Variable|TemporaryVariable|If$|While$|Case$|Assert$|CheckNumerics|Cudnn|Iterator"
    r"|MakeIterator|OneShotIterator|(Sparse)?Tensor|SparseTensorSlice|(Add|Take)Many|AddSparse|Barrier|Mutex|Consume"
    r"|DatasetToSingle|ReduceDataset|RangeDataset|ListDataset|DeepCopy|Destroy|Device|DisableCopy|Dtype|Empty|GraphDefV"
    r"|Guarantee|IsTensorFloat|Print$|SampleDistorted|StatelessRandomGetAlg|Timestamp|SparseConditional"
)


CONTRIB = ["DecodeAudio", "EncodeAudioV2", "DecodeVideo", "GcsConfigureCredentials", "GenerateBigQueryReaderPartitions"]


@pytest.mark.parametrize("name", [*CONTRIB, "RemoteFusedGraphExecute", "StatelessPyFunc"])
def test_ops_of_loaded_libraries_that_say_they_have_no_state(name):
    assert reaches_outside(name)


@pytest.mark.parametrize("name", ["NoSuchOp", "Conv2D", "Relu"])
def test_ops_that_only_compute_are_run(name):
    assert not reaches_outside(name)


# canaries


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


def hostile_graph(make, secret, target, as_data):
    """A small net that needs the hostile op: for its values, or only to have been run before them."""
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], "images")
        op = make(str(secret), str(target))
        op = op[0] if isinstance(op, (list, tuple)) else op
        with tf.control_dependencies([op]):
            pixels = tf.identity(images)
        if as_data and isinstance(op, tf.Tensor):
            pixels = pixels * tf.reduce_sum(tf.cast(op, tf.float32))
        kernel = tf.constant(np.random.RandomState(1).randn(3, 3, 3, 4).astype(np.float32))
        features = tf.nn.relu(tf.nn.conv2d(pixels, kernel, [1, 1, 1, 1], "SAME"), name="features")
        weights = tf.constant(np.random.RandomState(2).randn(4, 5).astype(np.float32))
        tf.matmul(tf.reduce_mean(features, [1, 2]), weights, name="logits")
    return graph.as_graph_def()


def outcome(graph_def):
    """The map, or the error by name."""
    try:
        with GradCamGraph(graph_def, preset="zero-one") as net:
            return net.explain([PICTURE]).maps["gradcam", net.binding.layer].tobytes()
    except GradCamError as error:
        return str(error)


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


def function_graph():
    """images -> f(images) -> conv -> logits, where f is a function x -> x."""
    graph_def = hostile_graph(lambda *_: tf.no_op(), "", "", False)
    made = graph_def.library.function.add()
    made.signature.name = "f"
    made.signature.input_arg.add(name="x", type=1)
    made.signature.output_arg.add(name="y", type=1)
    made.node_def.add(name="n", op="Identity", input=["x"]).attr["T"].type = 1
    made.ret["y"] = "n:output:0"
    node = next(node for node in graph_def.node if node.op == "Identity")
    node.op = "PartitionedCall"
    node.attr.clear()
    node.attr["Tin"].list.type.append(1)
    node.attr["Tout"].list.type.append(1)
    node.attr["f"].func.name = "f"
    return graph_def


def test_code_in_the_gradient_of_a_function_is_not_run(tmp_path):
    """The forward pass is clean; what would write is the function that the file gives as the gradient."""
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


# absurd graphs, by name


def node(graph_def, name):
    return next(node for node in graph_def.node if node.name == name)


def plain():
    return hostile_graph(lambda *_: tf.no_op(name="nothing"), "", "", False)


def test_a_circle_is_refused():
    graph_def = plain()
    node(graph_def, "features").input[0] = "logits"
    with pytest.raises(ModelFileError, match="the graph is circular, .*'features'.*: such a graph cannot be computed"):
        load(graph_def)
    graph_def = plain()
    node(graph_def, "nothing").input.append("^logits")
    with pytest.raises(ModelFileError, match="circular"):
        load(graph_def)


def test_a_loop_is_no_circle():
    with tf.Graph().as_default() as graph:
        tf.disable_control_flow_v2()
        try:
            tf.while_loop(lambda n: n < 3, lambda n: n + 1, [tf.placeholder(tf.int32, [], "n")], name="loop")
        finally:
            if runtime.IS_TF2:
                tf.enable_control_flow_v2()
    assert "NextIteration" in {node.op for node in load(graph.as_graph_def()).graph_def.node}


def test_functions_that_call_themselves():
    graph_def = function_graph()
    body = graph_def.library.function[0]
    call = next(node for node in graph_def.node if node.op == "PartitionedCall")
    body.node_def[0].CopyFrom(call)
    body.node_def[0].name, body.node_def[0].input[:] = "n", ["x"]
    with pytest.raises(ModelFileError, match="functions call themselves, 'f' <- 'f'"):
        load(graph_def)


def test_damaged_functions():
    graph_def = function_graph()
    body = graph_def.library.function[0]
    body.node_def.add().CopyFrom(body.node_def[0])
    with pytest.raises(ModelFileError, match="in the function 'f' node names occur more than once"):
        load(graph_def)
    body.node_def[1].name, body.node_def[0].input[0], body.node_def[1].input[0] = "m", "m:output:0", "n:output:0"
    with pytest.raises(ModelFileError, match="the function 'f' is circular"):
        load(graph_def)
    graph_def.library.function.add().CopyFrom(body)
    with pytest.raises(ModelFileError, match="the function 'f' is defined more than once"):
        load(graph_def)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([2**40], r"more than the 2 GB that a graph can hold"),
        ([2**62, 2**62], r"more than the 2 GB"),
        ([-1], r"has no definite shape \(\[-1\]\)"),
        ([1] * 300, "has no definite shape"),
        ([3, 3, 3, 5], "wants 540 bytes and holds 432"),
    ],
)
def test_constants_of_absurd_shapes(sizes, message):
    graph_def = plain()
    kernel = next(node for node in graph_def.node if node.op == "Const")
    del kernel.attr["value"].tensor.tensor_shape.dim[:]
    for size in sizes:
        kernel.attr["value"].tensor.tensor_shape.dim.add().size = size
    with pytest.raises(ModelFileError, match=message):
        load(graph_def)


def test_constants_that_are_none():
    graph_def = plain()
    kernel = next(node for node in graph_def.node if node.op == "Const")
    for dtype, message in ((20, "is a handle"), (250, "has no type that this TensorFlow knows")):
        kernel.attr["value"].tensor.Clear()
        kernel.attr["value"].tensor.dtype = dtype
        with pytest.raises(ModelFileError, match=message):
            load(graph_def)
    del kernel.attr["value"]
    with pytest.raises(ModelFileError, match="is a constant without a value"):
        load(graph_def)


def test_inputs_that_do_not_fit_their_op():
    graph_def = plain()
    node(graph_def, "features").input.append("images")
    with pytest.raises(ModelFileError, match=r"node 'features' \(Relu\) has 2 inputs, the op takes 1"):
        load(graph_def)
    graph_def = plain()
    node(graph_def, "features").input.insert(0, "^images")
    with pytest.raises(ModelFileError, match=r"node 'features' \(Relu\) has control inputs before its data"):
        load(graph_def)


def test_ops_that_make_giants_are_refused_before_they_are_run():
    def giant(*_):
        return tf.fill(tf.constant([2**40], tf.int64), 1.0, name="huge")

    with pytest.raises(ModelFileError, match=r"'huge:0' \(Fill\) would have the shape \[1099511627776\]"):
        GradCamGraph(hostile_graph(giant, "", "", False))


def test_a_giant_picture_is_refused():
    graph_def = plain()
    for place in (1, 2):
        node(graph_def, "images").attr["shape"].shape.dim[place].size = 2**20
    with pytest.raises(ModelFileError, match=r"'images:0' \(Placeholder\) would have the shape"):
        GradCamGraph(graph_def)


def test_attributes_that_are_not_as_their_op_has_them():
    graph_def = function_graph()
    handle = graph_def.node.add(name="variable", op="VarHandleOp")
    handle.attr["dtype"].type = 1
    handle.attr["shape"].shape.dim.add().size = 3
    call = next(node for node in graph_def.node if node.op == "PartitionedCall")
    call.input.insert(1, "variable")
    del call.attr["Tin"]
    with pytest.raises(ModelFileError, match=r"(the graph is damaged \(IndexError|not frozen|has 2 inputs)"):
        load(graph_def)
