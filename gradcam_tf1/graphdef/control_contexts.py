"""What TensorFlow knows of loops and conditionals while a graph is built, and a GraphDef does not say in so many words.

`tf.gradients` asks each op for its context. A context is the inside of one loop, or of one branch of a conditional; it
knows the tensors made there and by which op each tensor from outside came in.
Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/control_flow.proto
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Callable, Dict, Iterator, List, Optional

from gradcam_tf1.tf_runtime import context_message

Outputs = Callable[[str], List[str]]  # op -> its tensors


class ControlContext(ABC):
    """One loop or branch. ops: those inside. outside: tensor from outside -> the same inside."""

    def __init__(self, parent: Optional[ControlContext]) -> None:
        self.parent = parent
        self.nested: List[ControlContext] = []
        self.ops: Dict[str, None] = {}  # in the order of the graph
        self.outside: Dict[str, str] = {}

    def ancestors(self) -> Iterator[ControlContext]:
        """Itself and what it lies in, innermost first."""
        context: Optional[ControlContext] = self
        while context is not None:
            yield context
            context = context.parent

    @property
    def depth(self) -> int:
        """1 for one that lies in no other."""
        return sum(1 for _ in self.ancestors())

    @abstractmethod
    def is_whole(self) -> bool:
        """Whether all parts were found that TensorFlow wants to know."""

    @abstractmethod
    def message(self, outputs: Outputs) -> Any:
        """The ControlFlowContextDef, nested ones included."""

    def _fill(self, message: Any, outputs: Outputs) -> None:
        made = [tensor for op in self.ops for tensor in outputs(op)]
        message.values_def.values.extend(dict.fromkeys([*made, *self.outside]))
        message.values_def.external_values.update(self.outside)
        message.nested_contexts.extend(each.message(outputs) for each in self.nested)


class WhileLoop(ControlContext):
    """A while loop. conds, merges, body: what TensorFlow calls pivots. enters, exits: of its variables."""

    def __init__(self, parent: Optional[ControlContext], frame: str, parallel_iterations: int) -> None:
        super().__init__(parent)
        self.frame, self.parallel_iterations = frame, parallel_iterations
        self.conds: List[str] = []
        self.merges: List[str] = []
        self.enters: List[str] = []
        self.exits: List[str] = []
        self.body = ""

    def is_whole(self) -> bool:
        """Whether it has one condition, and a variable and an op that go round."""
        return len(self.conds) == 1 and bool(self.merges and self.body)

    def message(self, outputs: Outputs) -> Any:
        """See `ControlContext.message`."""
        whole = context_message()()
        message = whole.while_ctxt
        message.context_name = self.frame  # the gradient's own Enter ops must say the same frame
        message.parallel_iterations = self.parallel_iterations
        # The author of a loop can switch its gradient off, to save memory: the file does not say so, and an
        # explanation wants the gradient that there is.
        message.back_prop = True
        message.pivot_name = self.conds[0]
        message.pivot_for_pred_name = self.merges[0]
        message.pivot_for_body_name = self.body
        message.loop_enter_names.extend(self.enters)
        message.loop_exit_names.extend(self.exits)
        self._fill(message, outputs)
        return whole


class CondBranch(ControlContext):
    """One branch, 0 or 1, of a conditional. pivot: a tensor that is there only if the branch is taken.

    backward: a Merge at its end takes branch 1 first, where TensorFlow's gradient takes the first for branch 0.
    """

    def __init__(self, parent: Optional[ControlContext], pred: str, branch: int) -> None:
        super().__init__(parent)
        self.pred, self.branch, self.pivot = pred, branch, ""
        self.outside[pred] = pred
        self.backward = False

    def is_whole(self) -> bool:
        """Whether an op stands in it, and its ends are in order."""
        return bool(self.pivot) and not self.backward

    def message(self, outputs: Outputs) -> Any:
        """See `ControlContext.message`."""
        whole = context_message()()
        message = whole.cond_ctxt
        message.context_name = f"{self.pred.split(':')[0]}/gradcam_tf1_branch_{self.branch}"
        message.pred_name, message.pivot_name, message.branch = self.pred, self.pivot, self.branch
        self._fill(message, outputs)
        message.values_def.external_values[self.pred] = self.pred
        return whole


def is_loop(context: Optional[ControlContext]) -> bool:
    """Whether this is, or lies in, a loop."""
    return context is not None and any(isinstance(each, WhileLoop) for each in context.ancestors())


def all_within(contexts: List[ControlContext]) -> Iterator[ControlContext]:
    """These and all that lie in them, outer ones first."""
    waiting = list(contexts)
    while waiting:
        context = waiting.pop()
        yield context
        waiting.extend(context.nested)
