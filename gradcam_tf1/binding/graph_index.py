"""One pass over a graph, and linear-time walks on what it found. Tensors and ops go by name."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.op_kinds import BATCH_NORMS, BIASES, PIPELINE_ENDS, VALUE_FREE, WEIGHTED, is_training_op
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf

Op = Any  # tf.Operation
_FEW, _STEPS = 8, 1_000_000
# Their outputs carry on some of their inputs only; see `flows`.
_PARTIAL = {"Switch", "RefSwitch", "IdentityN", "Merge"} | BATCH_NORMS
Dims = Optional[Tuple[Optional[int], ...]]


class GraphIndex:
    """Who makes and who uses each tensor, and which ones carry image values.

    ops: all ops, producers before users. tensors: by tensor name. dead: tensors that no run computes because a
    switch whose predicate is known (is_training = False) goes the other way; set by `binding.switches`. axes: where
    images and classes lie in the tensors that carry images; set by `binding.axes`.
    """

    def __init__(self, graph: tf.Graph) -> None:
        self.graph = graph
        self.ops: List[Op] = [op for op in graph.get_operations() if not op.name.startswith(OUR_SCOPE)]
        self.op: Dict[str, Op] = {}
        self.tensors: Dict[str, Any] = {}
        self.maker: Dict[str, Op] = {}
        self.outputs: Dict[str, Tuple[str, ...]] = {}
        self.inputs: Dict[str, Tuple[str, ...]] = {}
        self.users: Dict[str, List[Tuple[Op, int]]] = {}
        self.position: Dict[str, int] = {}
        self.dead: Set[str] = set()
        self.axes: Dict[str, Any] = {}
        self._looped: Optional[Set[str]] = None
        self._merging: Optional[bool] = None
        self._opaque: Set[str] = set()
        self._sources: Dict[str, Op] = {}
        self.convolutions_after: Dict[str, List[str]] = {}  # the outputs of those that a tensor reaches, once asked
        # of ops whose every output carries every input: tensor -> inputs, id of the op -> outputs; () for training
        self._before: Dict[str, Tuple[str, ...]] = {}
        self._onward: Dict[int, Tuple[str, ...]] = {}
        for place, op in enumerate(self.ops):
            self._add(place, op)

    def _add(self, place: int, op: Op) -> None:
        self.op[op.name] = op
        self.position[op.name] = place
        if op.type in VALUE_FREE or PIPELINE_ENDS.search(op.type):  # a queue's batch size is no image
            self._opaque.add(op.name)
        names = []
        for tensor in op.outputs:
            name = tensor.name
            names.append(name)
            self.tensors[name] = tensor
            self.maker[name] = op
            self.users.setdefault(name, [])
        self.outputs[op.name] = tuple(names)
        self.inputs[op.name] = tuple(tensor.name for tensor in op.inputs)
        for index, name in enumerate(self.inputs[op.name]):
            self.users.setdefault(name, []).append((op, index))
        plain = op.name not in self._opaque and op.type not in _PARTIAL
        if plain:
            self._before.update(dict.fromkeys(names, self.inputs[op.name]))
        if is_training_op(op.name, op.type):
            self._onward[id(op)] = ()
        elif plain:
            self._onward[id(op)] = self.outputs[op.name]

    @property
    def affordable(self) -> int:
        """How many candidates can be followed through the whole graph: the fewer, the larger it is."""
        return max(_FEW, _STEPS // max(1, len(self.ops)))

    @property
    def has_merges(self) -> bool:
        """Whether branches come together anywhere."""
        if self._merging is None:
            self._merging = any(op.type == "Merge" for op in self.ops)
        return self._merging

    @property
    def looped(self) -> Set[str]:
        """Tensors made inside while loops: they have one value per round, so they can be neither fed nor fetched."""
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
        """Static shape, None per unknown side; None for unknown rank."""
        shape = self.tensors[name].shape
        return self._stacked(name) if shape.rank is None else tuple(shape.as_list())

    def rank(self, name: str) -> Optional[int]:
        """Static number of axes, None where unknown."""
        dims = self.dims(name)
        return None if dims is None else len(dims)

    def _stacked(self, name: str) -> Dims:
        """The shape that what a loop has stacked up says of its elements; TensorFlow forgets it on import."""
        attributes: Any = self.maker[name].node_def.attr
        if self.maker[name].type != "TensorArrayGatherV3" or attributes["element_shape"].shape.unknown_rank:
            return None
        sides = [side.size for side in attributes["element_shape"].shape.dim]
        return (None, *(None if side < 0 else side for side in sides))

    def is_float(self, name: str) -> bool:
        """Whether the tensor holds floats."""
        return self.tensors[name].dtype.is_floating

    def source(self, name: str) -> Op:
        """The op that makes the values, through Identity, loop and branch entries."""
        way = []
        while name not in self._sources:
            way.append(name)
            op = self.maker[name]
            if op.type not in ("Identity", "Enter", "Switch", "RefEnter", "RefSwitch", "Snapshot"):
                self._sources[name] = op
                break
            name = self.inputs[op.name][0]
        self._sources.update(dict.fromkeys(way, self._sources[name]))
        return self._sources[name]

    def constant(self, name: str) -> Any:
        """The value as a numpy array where the graph fixes it, else None."""
        op = self.source(name)
        return tf.get_static_value(op.outputs[0]) if op.outputs else None

    # edges that carry image values

    def flows(self, op: Op, index: int) -> Sequence[str]:
        """The outputs of `op` that carry on the values of its input number `index`."""
        if op.name in self._opaque:
            return ()
        outputs = self.outputs[op.name]
        if op.type in ("Switch", "RefSwitch"):
            return outputs if index == 0 else ()
        if op.type == "IdentityN":
            return outputs[index : index + 1]
        if op.type in BATCH_NORMS or op.type == "Merge":
            return outputs[:1]
        return outputs

    def carried(self, op: Op, output: str) -> Sequence[str]:
        """The inputs of `op` whose values `output` carries on; the inverse of `flows`."""
        if op.type == "IdentityN" and op.name not in self._opaque:
            place = int(output.rpartition(":")[2])
            return self.inputs[op.name][place : place + 1]
        return [name for index, name in enumerate(self.inputs[op.name]) if output in self.flows(op, index)]

    def downstream(self, starts: Iterable[str]) -> Set[str]:
        """All live tensors that carry values of `starts`, themselves included; training ops left out."""
        seen = {name for name in starts if name not in self.dead}
        stack = list(seen)
        done: Set[int] = set()  # ops that carry on everything, gone through once
        while stack:
            for op, index in self.users[stack.pop()]:
                if id(op) in done:
                    continue
                onward = self._onward.get(id(op))
                if onward is None:
                    onward = tuple(self.flows(op, index))
                else:
                    done.add(id(op))
                fresh = [out for out in onward if out not in seen and out not in self.dead]
                seen.update(fresh)
                stack.extend(fresh)
        return seen

    def upstream(self, ends: Iterable[str]) -> Set[str]:
        """All live tensors whose values reach one of `ends`, themselves included."""
        seen = {name for name in ends if name not in self.dead}
        stack = list(seen)
        done: Set[int] = set()  # ops with all their inputs, gone through once
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
        return seen

    def path(self, start: str, end: str) -> Set[str]:
        """The tensors on any way from `start` to `end`, both included; empty where no way leads."""
        tensors = self.downstream([start]) & self.upstream([end])
        return tensors if start in tensors and end in tensors else set()

    def makers(self, tensors: Iterable[str]) -> List[Op]:
        """The ops that make `tensors`, each once, producers first."""
        names = {name.rpartition(":")[0] for name in tensors}
        return [self.op[name] for name in sorted(names, key=self.position.__getitem__)]

    def needed(self, ends: Iterable[str], given: Iterable[str] = ()) -> Set[str]:
        """Names of all ops that a run must execute for `ends` when `given` is fed, control inputs included."""
        given = set(given)
        ops = {self.maker[name].name for name in ends if name not in given}
        stack = list(ops)
        while stack:
            name = stack.pop()
            before = {self.maker[i].name for i in self.inputs[name] if i not in given}
            before.update(op.name for op in self.op[name].control_inputs)
            stack.extend(before - ops)
            ops |= before
        return ops


def only_recorded(walk: GraphIndex) -> Set[str]:
    """Tensors that are used, but by nothing that is not a record; the vectors a layer puts out are left out.

    Somebody may watch the scores themselves in a histogram, and use them no further.
    """
    found: Set[str] = set()
    for op in reversed(walk.ops):
        for out in walk.outputs[op.name]:
            users = walk.users[out]
            if users and all(_records(walk, user, found) for user, _ in users) and not _is_vector_of_layer(walk, op):
                found.add(out)
    return found


def _records(walk: GraphIndex, op: Op, found: Set[str]) -> bool:
    outputs = walk.outputs[op.name]
    return is_training_op(op.name, op.type) or (bool(outputs) and all(out in found for out in outputs))


def _is_vector_of_layer(walk: GraphIndex, op: Op) -> bool:
    weighted = op.type in WEIGHTED or (
        op.type in BIASES and any(walk.maker[name].type in WEIGHTED for name in walk.inputs[op.name])
    )
    return weighted and walk.rank(walk.outputs[op.name][0]) == 2
