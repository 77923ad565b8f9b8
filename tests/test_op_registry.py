"""Every op of the runtime, judged: which a stranger's graph may run. A new one in a newer TensorFlow fails here."""

from __future__ import annotations

import re

import pytest

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.graphdef.harmless import reaches_outside


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
