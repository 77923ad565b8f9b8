"""Which ops a graph of unknown origin may run: only ops that compute. Other ops are cut before import.

A stateless op computes, unless the list `_OUTSIDE` names it. A stateful op may do anything, so only ops of the list
`_HARMLESS` are run. The lists come from the registries of TensorFlow 1.15.5 and 2.21. An op of a newer TensorFlow or
of a loaded library is run if its definition says that it is stateless.
"""

from __future__ import annotations

import re

from gradcam_tf1.tf_runtime import op_definition

# Stateless by definition, and still they touch files or memory addresses, run code, hold a whole graph in a string or
# end the program. The last block is registered by tensorflow.contrib: those ops start programs or use cloud services.
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

# Stateful, but the state stays in the session's memory: control flow, random numbers, variables, queues, tables.
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
# Ops that TensorFlow inserts itself and that trust their attributes, such as a memory address of a tensor.
_INTERNAL = re.compile(r"_(?!Fused|ReadVariablesOp\Z|VarHandlesOp\Z)")
# Families of harmless stateful ops. Ops that write variables are cut earlier, as training ops.
_FAMILIES = re.compile(
    r"(TensorArray|Stack(Push|Pop|Close)?(V2)?\Z|(FIFO|PaddingFIFO|Priority|RandomShuffle)Queue(V2)?\Z|Queue[A-Z]"
    r"|(Ordered)?Map(Clear|IncompleteSize|Peek|Size|Stage|Unstage|UnstageNoKey)\Z|(Unstage|Stage(Clear|Peek|Size)?)\Z"
    r"|Stateful(RandomBinomial|StandardNormal|TruncatedNormal|Uniform)|Assign(Add|Sub)?VariableOp\Z|ResourceGather(Nd)?\Z"
    r"|Resource(Sparse)?Apply[A-Z]|ResourceScatter[A-Z]|ResourceStridedSliceAssign\Z|ResourceCountUpTo\Z"
    r"|Resource(Conditional)?Accumulator)"
)


def reaches_outside(op: str) -> bool:
    """Whether an op type may touch files or memory addresses or run code; False for types this runtime lacks."""
    if op in _OUTSIDE:
        return True
    definition = op_definition(op)
    if definition is None:
        return False
    if not definition.is_stateful:
        return _INTERNAL.match(op) is not None
    return op not in _HARMLESS and not _FAMILIES.match(op)
