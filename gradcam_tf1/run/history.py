"""When a run began and ended, how fast it was and on what machine: the key `history` of run.json."""

from __future__ import annotations

import json
import os
import platform
import time
from datetime import datetime, timezone
from typing import Any, Dict, List, Sequence

from gradcam_tf1.images.own_outputs import RUN_NAME
from gradcam_tf1.run.manifest import write_run


class RunHistory:
    """Writes run.json when a run begins, and again when it ends.

    A resumed run has its own entry, from its first new image on. A killed run leaves its entry without an end.

    Parameters
    ----------
    out_folder : str
        The output folder.
    settings : dict
        The other content of run.json.
    resumed : bool
        Whether the entries of earlier parts of the run are kept.
    devices : sequence of str
        Names of the devices of the net.
    """

    def __init__(self, out_folder: str, settings: Dict[str, Any], resumed: bool, devices: Sequence[str]) -> None:
        self._out_folder = out_folder
        self._settings = settings
        self._entries = earlier_entries(out_folder) if resumed else []
        self._images = 0
        self._begin = time.perf_counter()
        self._entry: Dict[str, Any] = {
            **{"began": _now(), "ended": None, "images": None, "images_per_second": None, "complete": False},
            "devices": list(devices),
            **{"system": f"{platform.system()} {platform.machine()}", "cores": os.cpu_count()},
            "python": platform.python_version(),
        }
        self._is_written = not resumed
        if self._is_written:
            self._write()

    def count(self) -> None:
        """Count one newly finished image."""
        self._images += 1
        if not self._is_written:
            self._write()
            self._is_written = True

    def end(self, complete: bool) -> None:
        """Record the end, and whether every image of the listing is finished."""
        seconds = max(time.perf_counter() - self._begin, 1e-6)
        speed = round(self._images / seconds, 3)
        self._entry.update(complete=complete, ended=_now(), images=self._images, images_per_second=speed)
        is_news = not self._entries or self._entries[-1].get("complete") is not complete
        if self._is_written or is_news:
            self._write()

    def _write(self) -> None:
        write_run(self._out_folder, {**self._settings, "history": [*self._entries, self._entry]})


def earlier_entries(out_folder: str) -> List[Dict[str, Any]]:
    """Return the entries in run.json; [] where it has none, as those of earlier versions."""
    with open(os.path.join(out_folder, RUN_NAME), encoding="ascii") as stream:
        entries = json.load(stream).get("history")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
