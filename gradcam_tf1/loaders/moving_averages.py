"""Use the moving averages of weights that tf.train.ExponentialMovingAverage keeps in separate variables."""

from __future__ import annotations

from dataclasses import replace
from typing import Container, Dict, Optional, Sequence

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.types import LoadedModel

SUFFIX = "/ExponentialMovingAverage"


class Averages:
    """The variables of one model that have a moving average.

    Parameters
    ----------
    requested : bool
        Whether the averages replace the values of these variables.
    """

    def __init__(self, requested: bool = False) -> None:
        self.requested = requested
        self._averaged: Dict[str, None] = {}  # names of these variables, in order

    def key(self, names: Sequence[str], stored: Container[str], restored: str = "") -> Optional[str]:
        """Find the average of one variable.

        Parameters
        ----------
        names : sequence of str
            The names of the variable.
        stored : container of str
            The names of all stored values.
        restored : str
            The name that the graph's own saver reads; "" if it reads none.

        Returns
        -------
        str or None
            The name of the average to read; None if the variable's own value is to be read.
        """
        if restored.endswith(SUFFIX):  # the saver reads the average anyway
            if self.requested and not names[0].endswith(SUFFIX):
                self._averaged[names[0]] = None
            return None
        for name in [restored, *names] if restored else names:
            if name + SUFFIX in stored:
                self._averaged[name] = None
                return name + SUFFIX if self.requested else None
        return None

    def with_note(self, model: LoadedModel) -> LoadedModel:
        """Add a note on the averages to a loaded model.

        Parameters
        ----------
        model : LoadedModel
            The model, whose variables were looked up with `key`.

        Returns
        -------
        LoadedModel
            The model with the note; the model itself if it has no averages.

        Raises
        ------
        ModelFileError
            If averages are requested and there are none.
        """
        if self.requested and not self._averaged:
            raise ModelFileError(
                f"{model.source} ({model.kind}) has no moving averages: no variable is named '...{SUFFIX}'; "
                "load it without --moving-averages (in Python, without moving_averages=True)"
            )
        if not self._averaged:
            return model
        count = "1 variable" if len(self._averaged) == 1 else f"{len(self._averaged)} variables"
        note = (
            f"the requested moving averages are used for {count}"
            if self.requested
            else f"moving averages of {count} are stored, which evaluation often uses, and are not used here; to use "
            "them, load the model with --moving-averages (in Python, moving_averages=True)"
        )
        return replace(model, notes=(*model.notes, note), moving_averages=self.requested)
