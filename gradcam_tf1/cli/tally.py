"""What a run says when it is over, counted while it goes on."""

from __future__ import annotations

from typing import Callable, Container

from gradcam_tf1.cli.terminal import say, shown, warn
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.results import Results

MAX_TOLD = 100


class Tally:
    """Counts images and empty maps, keeps the first reasons of failed ones; each result goes on to `progress`."""

    def __init__(self, progress: Callable[[Result, int | None], None]) -> None:
        self.explained = self.failed = self.empty = 0
        self._reasons: list[str] = []
        self._progress = progress

    def __call__(self, result: Result, total: int | None) -> None:
        """Count one image."""
        if result.ok:
            self.explained += 1
        else:
            self.failed += 1
            if len(self._reasons) < MAX_TOLD:
                self._reasons.append(result.error)
        self.empty += sum(record.status == "empty" for record in result.maps)
        self._progress(result, total)

    def report(self, results: Results, told: Container[str], quiet: bool) -> None:
        """Say what came out, without warnings that were told already; quiet: what failed only."""
        for warning in () if quiet else results.warnings:
            if warning not in told:
                warn(warning)
        for name, reason in results.left_out.items() if quiet else ():
            say(f"{name} was left out: {shown(reason)}", err=True)
        for reason in self._reasons:
            say(f"failed: {shown(reason)}", err=True)
        if self.failed > len(self._reasons):
            say(f"failed: and {self.failed - len(self._reasons)} more, see {results.manifest}", err=True)
        if quiet:
            return
        notes = [f"{self.explained} images explained", f"{self.failed} failed"]
        notes += [f"{self.empty} empty maps (manifest.jsonl says why)"] if self.empty else []
        say(f"{', '.join(notes)}; results in {results.out_folder}")
