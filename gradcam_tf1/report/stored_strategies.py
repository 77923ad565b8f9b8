"""The strategies of a run, as `find_strategies` keeps them beside its manifest. No TensorFlow here."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional

from gradcam_tf1.atomic_files import read_own
from gradcam_tf1.errors import OptionError
from gradcam_tf1.report.sound_record import are_sound_strategies

STRATEGIES_NAME = "strategies.json"
_MOST_BYTES = 256 << 20


def read_strategies(out_folder: str, digest: str) -> Optional[Dict[str, Any]]:
    """Return the stored strategies; None if there are none, they are damaged, or of other images than these.

    Parameters
    ----------
    out_folder : str
        The output folder of a run.
    digest : str
        The hash of the images of the run.
    """
    stored = _stored(out_folder)
    return stored if stored is not None and are_sound_strategies(stored) and stored["digest"] == digest else None


def check_free(out_folder: str, table: str) -> None:
    """Raise OptionError if another program has a file strategies.json, or the table without one of ours beside it."""
    for name in (STRATEGIES_NAME, table):
        path = os.path.join(out_folder, name)
        if os.path.lexists(path) and "gradcam_tf1" not in (_stored(out_folder) or {}):
            raise OptionError(f"{path!r} was not written by this toolkit, and would be overwritten; move it away")


def _stored(out_folder: str) -> Optional[Dict[str, Any]]:
    try:
        stored = json.loads(read_own(os.path.join(out_folder, STRATEGIES_NAME), _MOST_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return stored if isinstance(stored, dict) else None
