"""Every op of the runtime is classified as allowed or not; a new op in a newer TensorFlow fails here."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import lru_cache

import pytest

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.graphdef.allowed_ops import reaches_outside


@lru_cache(maxsize=None)
def registry():
    """Return the definitions of all compiled-in ops, from a separate process: other tests may load more ops."""
    if not runtime.IS_TF2:
        code = (
            "import sys, tensorflow\n"
            "from tensorflow.core.framework import op_def_pb2\n"
            "from tensorflow.python.framework import op_def_registry\n"
            "ops = op_def_pb2.OpList(op=op_def_registry.get_registered_ops().values())\n"
            "sys.stdout.buffer.write(ops.SerializeToString())"
        )
        found = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
        from tensorflow.core.framework import op_def_pb2

        return {op.name: op for op in op_def_pb2.OpList.FromString(found).op}
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
    """A new stateful op of a newer TensorFlow is not run before it is reviewed."""
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


# The texts that ops take which are run, by name. Each was looked up; none is a file, an address or code. The last of
# each are those of TensorFlow's own tests and of ops for TPUs, which have no kernels here.
ATTRIBUTES = re.findall(
    r"\w+",
    """
    activation_mode allowed_devices bad_indices_policy batching_queue cardinality_options combiner
    compression_type config config_proto container containers context_dense_keys context_sparse_keys data_format
    dct_method debug_name dense_keys description deterministic device_names dimension_numbers display_name
    dst_format encoding equation executor_type feature_list_dense_keys feature_list_dense_missing_assumed_empty
    feature_list_sparse_keys field_delim fill fill_mode frame_name fused_ops id input_encoding input_order
    interpolation kernel_type labels left_pad message metadata na_value noise optimization_configs padding
    pattern placeholder precision_config ragged_keys rewrite right_pad row_partition_types separator
    serialized_options set_operation shared_name shared_names source sparse_keys src_format stack_name
    stateful_whitelist template tensor_array_name tuple_mask var_name xmp_metadata

    a b device_type host_compute_core input_layout layout manual_sharding mesh output_layout padding_map
    sharding step_marker_location string_list_val string_val table_name topology tpu_compile_options_proto
    """,
)
INPUTS = re.findall(
    r"\w+",
    """
    basename bytes contents context_dense_keys context_ragged_keys context_sparse_keys data debug_name delimiter
    dense_keys feature_list_dense_keys feature_list_dense_missing_assumed_empty feature_list_ragged_keys
    feature_list_sparse_keys handle input input_bytes inputs json_examples keys method names optimizations
    optimizations_default optimizations_disabled optimizations_enabled pattern ragged_keys records rewrite
    rewrite_name sep serialized serialized_sparse serialized_summary_metadata sparse_keys split_types
    string_handle string_tensor table_handle tag tags transformations

    b c
    """,
)


def test_texts_that_an_op_takes_were_read():
    """A file name can be any text: ImmutableConst uses it as memory_region_name."""
    strange = []
    for name, op in registry().items():
        if reaches_outside(name):
            continue
        texts = [a.name for a in op.attr if a.type in ("string", "list(string)") and not a.allowed_values.list.s]
        strange += [f"{name}({text})" for text in texts if text not in ATTRIBUTES]
        strange += [f"{name}({a.name})" for a in op.input_arg if a.type == 7 and a.name not in INPUTS]
    assert not strange
