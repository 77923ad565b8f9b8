"""Control-flow contexts: what TensorFlow records about loops and conditionals and a GraphDef does not store.

`tf.gradients` reads the context of each op. A context is the inside of one loop, or of one branch of a conditional. It
lists the tensors made there and the op by which each outside tensor enters.
Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/control_flow.proto
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Optional, Union

from gradcam_tf1.tf_runtime import context_message

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import CondContextDef, ControlFlowContextDef, WhileContextDef

Outputs = Callable[[str], List[str]]  # op -> its tensors


class ControlContext(ABC):
    """The inside of one loop or of one branch.

    Attributes
    ----------
    parent : ControlContext or None
        The context around this one.
    nested : list of ControlContext
        The contexts directly inside this one.
    ops : dict
        The names of the ops inside, in the order of the graph; the values are None.
    outside : dict
        Name of an outside tensor -> name of the tensor that carries its value inside.
    """

    def __init__(self, parent: Optional[ControlContext]) -> None:
        self.parent = parent
        self.nested: List[ControlContext] = []
        self.ops: Dict[str, None] = {}
        self.outside: Dict[str, str] = {}

    def ancestors(self) -> Iterator[ControlContext]:
        """Yield this context and those around it, innermost first."""
        context: Optional[ControlContext] = self
        while context is not None:
            yield context
            context = context.parent

    @property
    def depth(self) -> int:
        """The nesting depth; 1 for a context without a parent."""
        return sum(1 for _ in self.ancestors())

    @abstractmethod
    def is_whole(self) -> bool:
        """Whether all parts that TensorFlow needs were found."""

    @abstractmethod
    def message(self, outputs: Outputs) -> ControlFlowContextDef:
        """Return the ControlFlowContextDef, nested contexts included."""

    def _fill(self, message: Union[WhileContextDef, CondContextDef], outputs: Outputs) -> None:
        made = [tensor for op in self.ops for tensor in outputs(op)]
        message.values_def.values.extend(dict.fromkeys([*made, *self.outside]))
        message.values_def.external_values.update(self.outside)
        message.nested_contexts.extend(each.message(outputs) for each in self.nested)


class WhileLoop(ControlContext):
    """A while loop.

    Attributes
    ----------
    frame : str
        The name of its frame.
    parallel_iterations : int
        How many iterations may run at the same time.
    conds, merges : list of str
        Tensors of its LoopCond ops and of its Merge ops. TensorFlow calls the first of each a pivot.
    enters, exits : list of str
        Tensors of the Enter and Exit ops of its variables.
    body : str
        A tensor that is computed only in an iteration, the pivot of the body; "" if none was found.
    """

    def __init__(self, parent: Optional[ControlContext], frame: str, parallel_iterations: int) -> None:
        super().__init__(parent)
        self.frame, self.parallel_iterations = frame, parallel_iterations
        self.conds: List[str] = []
        self.merges: List[str] = []
        self.enters: List[str] = []
        self.exits: List[str] = []
        self.body = ""

    def is_whole(self) -> bool:
        """Whether the loop has one condition, a loop variable and an op in its body."""
        return len(self.conds) == 1 and bool(self.merges and self.body)

    def message(self, outputs: Outputs) -> ControlFlowContextDef:
        """See `ControlContext.message`."""
        definition = context_message()()
        message = definition.while_ctxt
        message.context_name = self.frame  # the Enter ops of the gradient must name the same frame
        message.parallel_iterations = self.parallel_iterations
        # The author may have switched the gradient off to save memory; the file does not say, and explanations need it.
        message.back_prop = True
        message.pivot_name = self.conds[0]
        message.pivot_for_pred_name = self.merges[0]
        message.pivot_for_body_name = self.body
        message.loop_enter_names.extend(self.enters)
        message.loop_exit_names.extend(self.exits)
        self._fill(message, outputs)
        return definition


class CondBranch(ControlContext):
    """One branch of a conditional.

    Attributes
    ----------
    pred : str
        The tensor of the condition.
    branch : int
        0 if the branch is taken when the condition is false, else 1.
    pivot : str
        A tensor that is computed only if the branch is taken; "" if none was found.
    backward : bool
        Whether a Merge at its end lists branch 1 first; TensorFlow's gradient expects branch 0 first.
    """

    def __init__(self, parent: Optional[ControlContext], pred: str, branch: int) -> None:
        super().__init__(parent)
        self.pred, self.branch, self.pivot = pred, branch, ""
        self.outside[pred] = pred
        self.backward = False

    def is_whole(self) -> bool:
        """Whether the branch contains an op, and its Merges list branch 0 first."""
        return bool(self.pivot) and not self.backward

    def message(self, outputs: Outputs) -> ControlFlowContextDef:
        """See `ControlContext.message`."""
        definition = context_message()()
        message = definition.cond_ctxt
        message.context_name = f"{self.pred.split(':')[0]}/gradcam_tf1_branch_{self.branch}"
        message.pred_name, message.pivot_name, message.branch = self.pred, self.pivot, self.branch
        self._fill(message, outputs)
        message.values_def.external_values[self.pred] = self.pred
        return definition


def is_loop(context: Optional[ControlContext]) -> bool:
    """Whether a context is a loop or lies in one."""
    return context is not None and any(isinstance(each, WhileLoop) for each in context.ancestors())


def all_within(contexts: List[ControlContext]) -> Iterator[ControlContext]:
    """Yield these contexts and all inside them, each before its nested ones."""
    waiting = list(contexts)
    while waiting:
        context = waiting.pop()
        yield context
        waiting.extend(context.nested)
