"""The walk from the input to the scores that notes how the cells of each tensor lie on the input.

For each tensor it notes the spatial axes and the steps that made their cells. Tokens, [N, h * w, K], keep the steps of
the map they were made from. Values pooled over all positions, and outputs of a dense layer over them, are mixed: they
have no position.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cell_steps import CellStep
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.tf_runtime import tf


class CellOrigin(NamedTuple):
    """The spatial axes of a tensor, and the steps that made its cells.

    Attributes
    ----------
    axes : tuple of int
        The axis of the tensor for each spatial axis of the input; () for tokens.
    rows : tuple of int
        The step for each spatial axis of the input; () if the cells are mixed or lost.
    lost : str
        Why the cells are lost, "" if they are not.
    """

    axes: Tuple[int, ...]
    rows: Tuple[int, ...]
    lost: str = ""

    @property
    def placed(self) -> bool:
        """Whether the tensor has cells with a known position."""
        return bool(self.rows)


NOWHERE = CellOrigin((), ())
Data = Sequence[Tuple[int, CellOrigin]]  # number of the op's input, and its origin
# takes the walk, the op, the origin of its data and the number of the output; returns the origin of the output
Rule = Callable[["CellWalk", "tf.Operation", CellOrigin, int], CellOrigin]


class CellWalk:
    """The cells along a path.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    start : str
        The input.
    axes : tuple of int
        Its spatial axes.

    Attributes
    ----------
    origins : dict of str to CellOrigin
        By tensor name, as far as the walk has come.
    steps : list of CellStep
        All steps so far.
    numbers : dict
        Entries of small integer tensors; see `cell_numbers`.
    """

    def __init__(self, index: GraphIndex, start: str, axes: Tuple[int, ...]) -> None:
        self.index = index
        self.steps: List[CellStep] = []
        self._numbers_of: Dict[CellStep, int] = {}
        self._squared: Tuple[str, Optional[np.ndarray]] = ("", None)  # a kernel, and the squares of its weights
        self._dims: Dict[str, Tuple[Optional[int], ...]] = {}
        self.numbers: Dict[str, Optional[np.ndarray]] = {}
        self.origins: Dict[str, CellOrigin] = {
            start: CellOrigin(axes, tuple(self.step("input", (n,)) for n in range(len(axes))))
        }

    def step(self, kind: str, numbers: Tuple[Any, ...] = (), inputs: Tuple[int, ...] = (), leans: bool = False) -> int:
        """Add a step, unless the same one exists, and return its number; arguments as in `CellStep`."""
        leans = leans or any(self.steps[number].leans for number in inputs)
        step = CellStep(kind, numbers, inputs, leans)
        if step not in self._numbers_of:
            self._numbers_of[step] = len(self.steps)
            self.steps.append(step)
        return self._numbers_of[step]

    def dims(self, name: str) -> Tuple[Optional[int], ...]:
        """Return the tensor's sides, () if its rank is unknown."""
        if name not in self._dims:  # read by the op that makes the tensor and by each that uses it
            self._dims[name] = self.index.dims(name) or ()
        return self._dims[name]

    def constant(self, op: tf.Operation, number: int) -> Optional[np.ndarray]:
        """Return the value of an op's input, by its number, if the graph fixes it; else None."""
        inputs = self.index.inputs[op.name]
        value = (
            self.index.constant(inputs[number]) if number < len(inputs) and inputs[number] not in self.origins else None
        )
        return None if value is None else np.asarray(value)

    def leans(self, kernel: str, axis: int) -> bool:
        """Return whether a kernel differs from its mirror image along the axis, as trained kernels do."""
        if self._squared[0] != kernel:
            value = self.index.constant(kernel)
            self._squared = (kernel, None if value is None else np.square(np.asarray(value, np.float32)))
        weights = self._squared[1]
        if weights is None:
            return True
        profile = weights.sum(axis=tuple(n for n in range(weights.ndim) if n != axis), dtype=np.float64)
        return not np.allclose(profile, profile[::-1], rtol=1e-3)


def lost(op: tf.Operation, why: str = "does not show where its cells lie") -> CellOrigin:
    """Return the origin after an op that cannot be followed; the reason names the op."""
    return CellOrigin((), (), f"{named(op)} {why}")


def named(op: tf.Operation) -> str:
    """Return name and type of an op, for messages."""
    return f"'{op.name}' ({op.type})"


def on_axis(
    cells: CellWalk, origin: CellOrigin, axis: int, kind: str, numbers: Tuple[Any, ...], leans: bool = False
) -> CellOrigin:
    """Add a step along one axis of a tensor.

    Parameters
    ----------
    cells : CellWalk
        The walk.
    origin : CellOrigin
        The origin of the op's data.
    axis : int
        The axis of the tensor; an axis without cells leaves the origin unchanged.
    kind, numbers, leans
        As in `CellStep`.

    Returns
    -------
    CellOrigin
        The origin after the step.
    """
    if axis not in origin.axes:
        return origin
    position = origin.axes.index(axis)
    row = cells.step(kind, numbers, (origin.rows[position],), leans)
    return origin._replace(rows=(*origin.rows[:position], row, *origin.rows[position + 1 :]))


def attribute(op: tf.Operation, name: str) -> Any:
    """Return an attribute of an op, None if the op does not have it."""
    return op.get_attr(name) if name in op.node_def.attr else None
