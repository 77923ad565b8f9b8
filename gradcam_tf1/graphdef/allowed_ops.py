"""Which ops a stranger's graph may run: those that only compute. The rest is cut away before the graph is imported.

An op without state computes, unless it is listed here as one that reaches for the outside or ends the program; an op
with state may do anything, so only those listed as harmless are run. Read off the registries of 1.15.5 and 2.21; an op
of a newer TensorFlow or of a loaded library is run if it says of itself that it has no state.
"""

from __future__ import annotations

import re

from gradcam_tf1.tf_runtime import op_definition

# Without state in their definitions, and yet: files, addresses, code, a whole graph hidden in a string, or the end of
# the program. The last are of tensorflow.contrib, there once it was imported: programs that they start, and the cloud.
_OUTSIDE = frozenset(
    re.findall(
        r"\w+",
        """
    Abort CacheDataset Copy CopyHost DatasetFromGraph DebugIdentity DebugNanCount DebugNumericSummary DecodeProtoV2
    EncodeProto GenerateVocabRemapping ImmutableConst InitializeTableFromTextFile MatchingFiles MlirPassthroughOp
    PyFuncStateless ReadFile
    ReaderNumRecordsProduced ReaderNumWorkUnitsCompleted ReaderRead ReaderReadUpTo ReaderReset ReaderRestoreState
    ReaderSerializeState RegisterDataset RegisterDatasetV2 RemoteFusedGraphExecute SnapshotChunkDataset SnapshotDataset
    SnapshotDatasetReader SnapshotDatasetV2 SnapshotNestedDatasetReader StatelessPyFunc XlaCustomCall XlaCustomCallV2
    XlaLaunchV2 Skipgram SleepDataset ExperimentalSleepDataset

    DecodeAudio DecodeAudioV2 DecodeVideo EncodeAudio EncodeAudioV2 GcsConfigureBlockCache GcsConfigureCredentials
    GenerateBigQueryReaderPartitions
    """,
    )
)

# With state that stays in the session's memory: control flow, chance, variables, queues, tables, arrays.
_HARMLESS = frozenset(
    re.findall(
        r"\w+",
        """
    AddManySparseToTensorsMap AddSparseToTensorsMap Assert Barrier Case CheckNumerics CheckNumericsV2
    ConditionalAccumulator CudnnRNN CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3 CudnnRNNV2 CudnnRNNV3
    DatasetToSingleElement DeepCopy DestroyResourceOp DeviceIndex DisableCopyOnRead DtypeWithDefaultOp
    Empty GraphDefVersion
    GuaranteeConst If IsTensorFloat32Enabled ListDataset Print RangeDataset ReduceDataset SampleDistortedBoundingBox
    SampleDistortedBoundingBoxV2 SparseConditionalAccumulator SparseTensorSliceDataset StatefulPartitionedCall
    TakeManySparseFromTensorsMap TensorDataset TensorListResize TensorSliceDataset Timestamp VariableShape While

    AllCandidateSampler LearnedUnigramCandidateSampler LogUniformCandidateSampler Multinomial NonDeterministicInts
    ParameterizedTruncatedNormal RandomCrop RandomDataset RandomDatasetV2 RandomGamma RandomPoisson RandomPoissonV2
    RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip RngSkip StatelessRandomGetAlg
    ThreadUnsafeUnigramCandidateSampler TruncatedNormal UniformCandidateSampler AnonymousRandomSeedGenerator
    AnonymousSeedGenerator DeleteRandomSeedGenerator DeleteSeedGenerator DummySeedGenerator GlobalShuffleDataset
    ShuffleAndRepeatDatasetV2 ShuffleDatasetV2 ShuffleDatasetV3

    ReadVariableOp TemporaryVariable VarHandleOp VarIsInitializedOp Variable VariableV2 _ReadVariablesOp _VarHandlesOp

    AnonymousIterator AnonymousIteratorV2 AnonymousIteratorV3 DeleteIterator Iterator IteratorFromStringHandle
    IteratorFromStringHandleV2 IteratorGetDevice IteratorGetNext IteratorGetNextAsOptional IteratorGetNextSync
    IteratorToStringHandle IteratorV2 MakeIterator OneShotIterator

    AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable AnonymousMutableHashTableOfTensors
    HashTable HashTableV2 InitializeTableFromDataset InitializeTableV2 LookupTableFindV2 LookupTableImportV2
    LookupTableInsertV2 LookupTableRemoveV2 LookupTableSizeV2 MutableDenseHashTable MutableDenseHashTableV2
    MutableHashTable MutableHashTableOfTensors MutableHashTableOfTensorsV2 MutableHashTableV2 MutexLock MutexV2
    ConsumeMutexLock
    """,
    )
)
# Ops that TensorFlow puts in by itself and that trust what it tells them, a tensor's place in memory for one.
_INTERNAL = re.compile(r"_(?!Fused|ReadVariablesOp\Z|VarHandlesOp\Z)")
# Whole families of the same kind; what writes variables is cut as training already.
_FAMILIES = re.compile(
    r"(TensorArray|Stack(Push|Pop|Close)?(V2)?\Z|(FIFO|PaddingFIFO|Priority|RandomShuffle)Queue(V2)?\Z|Queue[A-Z]"
    r"|(Ordered)?Map(Clear|IncompleteSize|Peek|Size|Stage|Unstage|UnstageNoKey)\Z|(Unstage|Stage(Clear|Peek|Size)?)\Z"
    r"|Stateful(RandomBinomial|StandardNormal|TruncatedNormal|Uniform)|Assign(Add|Sub)?VariableOp\Z|ResourceGather(Nd)?\Z"
    r"|Resource(Sparse)?Apply[A-Z]|ResourceScatter[A-Z]|ResourceStridedSliceAssign\Z|ResourceCountUpTo\Z"
    r"|Resource(Conditional)?Accumulator)"
)


def reaches_outside(op: str) -> bool:
    """Whether an op of this type may touch files, addresses or foreign code; False for types this runtime lacks."""
    if op in _OUTSIDE:
        return True
    definition = op_definition(op)
    if definition is None:
        return False
    if not definition.is_stateful:
        return _INTERNAL.match(op) is not None
    return op not in _HARMLESS and not _FAMILIES.match(op)
