"""The strategies of a run, as `find_strategies` keeps them beside its manifest. No TensorFlow here."""

from __future__ import annotations

from typing import Any, Dict, Optional

from gradcam_tf1.report.sound_record import are_sound_strategies
from gradcam_tf1.run.own_record import check_names, own_record

STRATEGIES_NAME = "strategies.json"


def read_strategies(out_folder: str, digest: str) -> Optional[Dict[str, Any]]:
    """Return the stored strategies; None if there are none, they are damaged, or of other images than these.

    Parameters
    ----------
    out_folder : str
        The output folder of a run.
    digest : str
        The hash of the images of the run.
    """
    stored = own_record(out_folder, STRATEGIES_NAME)
    return stored if stored and are_sound_strategies(stored) and stored["digest"] == digest else None


def check_free(out_folder: str, table: str) -> None:
    """Raise OptionError if another program has a file strategies.json, or the table without one of ours beside it."""
    check_names(out_folder, (STRATEGIES_NAME, table), STRATEGIES_NAME)
