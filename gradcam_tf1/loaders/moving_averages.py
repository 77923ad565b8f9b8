"""Moving averages of the weights, which tf.train.ExponentialMovingAverage keeps in variables of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Container, Dict, Optional, Sequence

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.types import LoadedModel

SUFFIX = "/ExponentialMovingAverage"


class Averages:
    """Of one model, the variables that have a moving average. asked: it takes their place."""

    def __init__(self, asked: bool = False) -> None:
        self.asked = asked
        self._found: Dict[str, None] = {}

    def key(self, names: Sequence[str], there: Container[str], restored: str = "") -> Optional[str]:
        """The name of the average that takes the place of a variable's own value; None: its own is read.

        names: of the variable. there: names of all values. restored: the one that the graph's own saver reads.
        """
        if restored.endswith(SUFFIX):  # it reads the average of its own accord
            if self.asked and not names[0].endswith(SUFFIX):
                self._found[names[0]] = None
            return None
        for name in [restored, *names] if restored else names:
            if name + SUFFIX in there:
                self._found[name] = None
                return name + SUFFIX if self.asked else None
        return None

    def told(self, model: LoadedModel) -> LoadedModel:
        """The model with a note on its averages. Raises: ModelFileError where they are asked for and there are none."""
        if self.asked and not self._found:
            raise ModelFileError(
                f"{model.source} ({model.kind}) has no moving averages: none of its variables has one named "
                f"'...{SUFFIX}'; load it without --moving-averages (in Python, without moving_averages=True)"
            )
        if not self._found:
            return model
        count = "one variable" if len(self._found) == 1 else f"{len(self._found)} variables"
        note = (
            f"moving averages, as was asked, are the values of {count}"
            if self.asked
            else f"moving averages of {count} are there, which evaluation often takes; this is the net without them: "
            "load it with --moving-averages (in Python moving_averages=True) for the other"
        )
        return replace(model, notes=(*model.notes, note), moving_averages=self.asked)
