"""How many steps the searches of one binding may take together, whatever a stranger's graph looks like."""

from __future__ import annotations

from gradcam_tf1.errors import BindingError

_AT_LEAST, _PER_OP = 4_000_000, 100  # a step takes about a microsecond
_WALK = 5  # steps that a look at an op with all its circumstances counts for


class SearchBudget:
    """The steps that are left.

    Parameters
    ----------
    ops : int
        Number of ops in the graph.
    """

    def __init__(self, ops: int) -> None:
        self._ops, self._limit = ops, max(_AT_LEAST, _PER_OP * ops)
        self._left = self._limit

    @property
    def exhausted(self) -> bool:
        """Whether the searches have taken more steps than are allowed."""
        return self._left < 0

    def spend(self, steps: int) -> None:
        """Count the steps of a search. Raises BindingError if all searches together take too many."""
        self._left -= steps
        if self.exhausted:
            raise BindingError(
                f"the graph of {self._ops:,} ops is too tangled: the search for its input, scores and layer takes more "
                f"than {self._limit:,} steps; export only the part that the scores need"
            )

    def walk(self) -> None:
        """Count one step of a walk from op to op, which may go in circles in a damaged loop."""
        self.spend(_WALK)
