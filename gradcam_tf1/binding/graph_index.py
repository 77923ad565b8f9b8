"""An index of a graph's tensors and ops by name, built in one pass, and linear-time searches on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Collection, Dict, FrozenSet, Iterable, List, Optional, Sequence, Set, Tuple

import numpy as np

from gradcam_tf1.binding.indexed_op import IndexedOp
from gradcam_tf1.binding.op_kinds import BATCH_NORMS, PIPELINE_ENDS, VALUE_FREE, is_training_op
from gradcam_tf1.binding.search_budget import SearchBudget
from gradcam_tf1.tf_runtime import OUR_SCOPE, static_value, tf

_FEW, _STEPS = 8, 1_000_000
_SMALL = 4096  # numbers of a constant
# Outputs of these ops carry only some of the inputs; see `GraphIndex.flows`.
_PARTIAL = {"Switch", "RefSwitch", "IdentityN", "Merge"} | BATCH_NORMS
Dims = Optional[Tuple[Optional[int], ...]]


@dataclass(frozen=True)
class Axes:
    """The axes of a tensor that hold images and channels.

    Attributes
    ----------
    images : int or None
        Axis of the images; None if there is none.
    rows : bool
        Whether axis 0 has several rows per image: grouped by image if `images` is 0, grouped by time step if `images`
        is 1 (a sequence with time first).
    uneven : bool
        Whether the number of rows may differ between images.
    channels : frozenset of int or None
        Axes of the channels; empty if they are mixed with positions, None if unknown.
    split : bool
        Whether the channels of a layer were split into anchors and classes.
    merged : int or None
        The axis of the channels before a Reshape that merged it with the images into rows, [N C, K], as tf.tensordot
        does to weigh K members; else None.
    """

    images: Optional[int] = 0
    rows: bool = False
    uneven: bool = False
    channels: Optional[FrozenSet[int]] = None
    split: bool = False
    merged: Optional[int] = None


class GraphIndex(SearchBudget):
    """The maker and the users of each tensor of a graph, and the tensors that carry values of images.

    Parameters
    ----------
    graph : tf.Graph
        The graph, which is only read.

    Attributes
    ----------
    ops : list of tf.Operation
        All ops, producers before users.
    op : dict of str to tf.Operation
        By name.
    position : dict of str to int
        Position of an op, by name, in `ops`.
    inputs, outputs : dict of str to tuple of str
        Tensors of an op, by its name.
    tensors : dict of str to tf.Tensor
        By name.
    maker : dict of str to tf.Operation
        The op that makes a tensor, by the tensor's name.
    users : dict of str to list
        The ops that use a tensor, by its name, each with the number of the input.
    dead : set of str
        Tensors that no run computes, because a switch with a known predicate (is_training = False) takes the other
        branch; set by the caller, from `switches.dead_tensors`.
    axes : dict of str to Axes
        Axes of images and channels of the tensors that carry images; set by the caller, from
        `batch_axes.follow_axes`.
    convolutions_after : dict of str to list of str
        Outputs of the convolutions that a tensor reaches; filled on demand.
    """

    def __init__(self, graph: tf.Graph) -> None:
        self.graph = graph
        ops = map(IndexedOp, graph.get_operations())
        self.ops: List[tf.Operation] = [op for op in ops if not op.name.startswith(OUR_SCOPE)]
        self.op: Dict[str, tf.Operation] = {}
        self.tensors: Dict[str, tf.Tensor] = {}
        self.maker: Dict[str, tf.Operation] = {}
        self.outputs: Dict[str, Tuple[str, ...]] = {}
        self.inputs: Dict[str, Tuple[str, ...]] = {}
        self.users: Dict[str, List[Tuple[tf.Operation, int]]] = {}
        self.position: Dict[str, int] = {}
        self.dead: Set[str] = set()
        self.axes: Dict[str, Axes] = {}
        self._looped: Optional[Set[str]] = None
        self._merging: Optional[bool] = None
        self._opaque: Set[str] = set()
        self._sources: Dict[str, tf.Operation] = {}
        self._dims: Dict[str, Dims] = {}
        self._floating: Dict[tf.DType, bool] = {}
        self._constants: Dict[str, Optional[np.ndarray]] = {}
        super().__init__(len(self.ops))
        self.convolutions_after: Dict[str, List[str]] = {}
        # for ops of which every output carries every input: tensor -> inputs, id of the op -> outputs; () for training
        self._before: Dict[str, Tuple[str, ...]] = {}
        self._onward: Dict[int, Tuple[str, ...]] = {}
        for position, op in enumerate(self.ops):
            self._add(position, op)

    def _add(self, position: int, op: tf.Operation) -> None:
        self.op[op.name] = op
        self.position[op.name] = position
        if op.type in VALUE_FREE or PIPELINE_ENDS.search(op.type):  # a queue's batch size carries no image
            self._opaque.add(op.name)
        names = []
        for number, tensor in enumerate(op.outputs):
            name = f"{op.name}:{number}"
            names.append(name)
            self.tensors[name] = tensor
            self.maker[name] = op
            self.users.setdefault(name, [])
        self.outputs[op.name] = tuple(names)
        self.inputs[op.name] = tuple(tensor.name for tensor in op.inputs)
        for slot, name in enumerate(self.inputs[op.name]):
            self.users.setdefault(name, []).append((op, slot))
        plain = op.name not in self._opaque and op.type not in _PARTIAL
        if plain:
            self._before.update(dict.fromkeys(names, self.inputs[op.name]))
        if is_training_op(op.name, op.type):
            self._onward[id(op)] = ()
        elif plain:
            self._onward[id(op)] = self.outputs[op.name]

    @property
    def affordable(self) -> int:
        """How many candidates to follow through the whole graph; the larger the graph, the fewer."""
        return max(_FEW, _STEPS // max(1, len(self.ops)))

    @property
    def has_merges(self) -> bool:
        """Whether branches merge anywhere."""
        if self._merging is None:
            self._merging = any(op.type == "Merge" for op in self.ops)
        return self._merging

    @property
    def looped(self) -> Set[str]:
        """Tensors inside while loops, which have one value per round and can be neither fed nor fetched."""
        if self._looped is None:
            starts = [out for op in self.ops if op.type in ("Enter", "RefEnter") for out in self.outputs[op.name]]
            self._looped, stack = set(starts), starts
            while stack:
                for op, _ in self.users[stack.pop()]:
                    fresh = [o for o in self.outputs[op.name] if o not in self._looped and op.type != "Exit"]
                    self._looped.update(fresh)
                    stack.extend(fresh)
        return self._looped

    # single tensors

    def dims(self, name: str) -> Dims:
        """Return the static shape, with None for each unknown side; None if the rank is unknown."""
        if name not in self._dims:
            shape = self.tensors[name].shape
            self._dims[name] = self._stacked(name) if shape.rank is None else tuple(shape.as_list())
        return self._dims[name]

    def rank(self, name: str) -> Optional[int]:
        """Return the static number of axes, None if unknown."""
        dims = self.dims(name)
        return None if dims is None else len(dims)

    def _stacked(self, name: str) -> Dims:
        """Return the shape of a loop's stacked result by its element shape, which TensorFlow drops on import."""
        attributes = self.maker[name].node_def.attr
        if self.maker[name].type != "TensorArrayGatherV3" or attributes["element_shape"].shape.unknown_rank:
            return None
        sides = [side.size for side in attributes["element_shape"].shape.dim]
        return (None, *(None if side < 0 else side for side in sides))

    def is_float(self, name: str) -> bool:
        """Return whether the tensor holds floats."""
        dtype = self.tensors[name].dtype
        if dtype not in self._floating:
            self._floating[dtype] = bool(dtype.is_floating)
        return self._floating[dtype]

    def source(self, name: str) -> tf.Operation:
        """Return the op that makes the values of a tensor, before Identity and entries of loops and branches."""
        passed = []
        while name not in self._sources:
            passed.append(name)
            op = self.maker[name]
            if op.type not in ("Identity", "Enter", "Switch", "RefEnter", "RefSwitch", "Snapshot"):
                self._sources[name] = op
                break
            name = self.inputs[op.name][0]
        self._sources.update(dict.fromkeys(passed, self._sources[name]))
        return self._sources[name]

    def constant(self, name: str) -> Optional[np.ndarray]:
        """Return the value of a tensor if the graph fixes it, else None."""
        op = self.source(name)
        if op.name in self._constants:
            return self._constants[op.name]
        value: Optional[np.ndarray] = static_value(op.outputs[0]) if op.outputs else None
        if value is None or value.size <= _SMALL:  # weights are read anew: they would all be kept
            self._constants[op.name] = value
        return value

    # edges that carry values of images

    def flows(self, op: tf.Operation, slot: int) -> Sequence[str]:
        """Return the outputs of an op that carry the values of its input number `slot`."""
        if op.name in self._opaque:
            return ()
        outputs = self.outputs[op.name]
        if op.type in ("Switch", "RefSwitch"):
            return outputs if slot == 0 else ()
        if op.type == "IdentityN":
            return outputs[slot : slot + 1]
        if op.type in BATCH_NORMS or op.type == "Merge":
            return outputs[:1]
        return outputs

    def carried(self, op: tf.Operation, output: str) -> Sequence[str]:
        """Return the inputs of an op whose values `output` carries; the inverse of `flows`."""
        known = self._before.get(output)
        if known is not None:
            return known
        if op.type == "IdentityN" and op.name not in self._opaque:
            number = int(output.rpartition(":")[2])
            return self.inputs[op.name][number : number + 1]
        return [name for slot, name in enumerate(self.inputs[op.name]) if output in self.flows(op, slot)]

    def downstream(self, starts: Iterable[str]) -> Set[str]:
        """Return all live tensors that carry values of `starts`, including `starts`; training ops are skipped."""
        seen = {name for name in starts if name not in self.dead}
        stack = list(seen)
        done: Set[int] = set()  # ops that carry everything; one visit is enough
        while stack:
            for op, slot in self.users[stack.pop()]:
                if id(op) in done:
                    continue
                onward = self._onward.get(id(op))
                if onward is None:
                    onward = tuple(self.flows(op, slot))
                else:
                    done.add(id(op))
                fresh = [out for out in onward if out not in seen and out not in self.dead]
                seen.update(fresh)
                stack.extend(fresh)
        self.spend(len(seen))
        return seen

    def upstream(self, ends: Iterable[str]) -> Set[str]:
        """Return all live tensors whose values reach one of `ends`, including `ends`."""
        seen = {name for name in ends if name not in self.dead}
        stack = list(seen)
        done: Set[int] = set()  # ops that carry everything; one visit is enough
        while stack:
            name = stack.pop()
            before: Optional[Sequence[str]] = self._before.get(name)
            if before is None:
                before = self.carried(self.maker[name], name)
            elif id(before) in done:
                continue
            else:
                done.add(id(before))
            fresh = [i for i in before if i not in seen and i not in self.dead]
            seen.update(fresh)
            stack.extend(fresh)
        self.spend(len(seen))
        return seen

    def leads(self, starts: Collection[str], end: str) -> bool:
        """Return whether values of one of `starts` reach `end`; what comes before all of them is not searched."""
        if end in self.dead or not starts:
            return False
        # an op of a loop may take values of an op behind it
        first = -1 if self.looped else min(self.position[self.maker[start].name] for start in starts)
        seen, stack = {end}, [end]
        while stack:
            name = stack.pop()
            if name in starts:
                break
            if self.position[self.maker[name].name] > first:
                fresh = [i for i in self.carried(self.maker[name], name) if i not in seen and i not in self.dead]
                seen.update(fresh)
                stack += fresh
        self.spend(len(seen))
        return not seen.isdisjoint(starts)

    def path(self, start: str, end: str) -> Set[str]:
        """Return the tensors on all paths from `start` to `end`, both included; empty if there is no path."""
        tensors = self.downstream([start]) & self.upstream([end])
        return tensors if start in tensors and end in tensors else set()

    def makers(self, tensors: Iterable[str]) -> List[tf.Operation]:
        """Return the ops that make `tensors`, each once, producers first."""
        names = {name.rpartition(":")[0] for name in tensors}
        return [self.op[name] for name in sorted(names, key=self.position.__getitem__)]

    def needed(self, ends: Iterable[str], given: Iterable[str] = ()) -> Set[str]:
        """Return the names of all ops that a run executes for `ends` if `given` is fed, with control inputs."""
        fed = set(given)
        ops = {self.maker[name].name for name in ends if name not in fed}
        stack = list(ops)
        while stack:
            name = stack.pop()
            before = {self.maker[i].name for i in self.inputs[name] if i not in fed}
            before.update(op.name for op in self.op[name].control_inputs)
            stack.extend(before - ops)
            ops |= before
        self.spend(len(ops))
        return ops
