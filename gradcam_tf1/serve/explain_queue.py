"""The queue in front of the net: one thread explains, requests wait their turn, and each can be cancelled."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, Optional

from gradcam_tf1.errors import CancelledError, QueueFullError

State = Dict[str, Any]
Work = Callable[["QueuedJob"], Any]


class QueuedJob:
    """One request that waits, runs or is done.

    Parameters
    ----------
    work : callable
        Does the work; gets this job, calls its `tell` and returns the result.
    """

    def __init__(self, work: Work) -> None:
        self._work: Optional[Work] = work
        self._finished = threading.Event()
        self._cancelled = False
        self.progress: State = {}
        self.result: Any = None
        self.error: Optional[BaseException] = None

    def tell(self, **progress: Any) -> None:
        """Say how far the work has come. Raises CancelledError if nobody waits for it any more."""
        if self._cancelled:
            raise CancelledError("the request was cancelled")
        self.progress = progress

    def cancel(self) -> None:
        """Let the work end at its next call of `tell`."""
        self._cancelled = True

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; return whether the job is done."""
        return self._finished.wait(seconds)

    def run(self) -> None:
        """Do the work in this thread; an error is kept for the one who waits."""
        work, self._work = self._work, None  # the images are freed when the work is done
        try:
            if work is not None:
                self.tell()
                self.result = work(self)
        except Exception as error:  # noqa: BLE001 - raised again where the request is answered
            self.error = error
        finally:
            self._finished.set()

    def refuse(self, reason: str) -> None:
        """End a job that did not run."""
        self._work, self.error = None, CancelledError(reason)
        self._finished.set()


class ExplainQueue:
    """Runs jobs one after the other in a thread of its own.

    Parameters
    ----------
    most : int
        Jobs that may wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._waiting: Deque[QueuedJob] = deque()
        self._running: Optional[QueuedJob] = None
        self._closed = False
        self.finished = 0
        self._thread = threading.Thread(target=self._run, name="explain", daemon=True)
        self._thread.start()

    def add(self, work: Work) -> QueuedJob:
        """Let work wait for its turn. Raises QueueFullError, and CancelledError if the queue is closed."""
        job = QueuedJob(work)
        with self._changed:
            if self._closed:
                raise CancelledError("the server stops")
            if len(self._waiting) >= self._most:
                raise QueueFullError(f"{self._most} requests are waiting already; try again later")
            self._waiting.append(job)
            self._changed.notify_all()
        return job

    def cancel(self, job: QueuedJob) -> None:
        """Take a job out of the queue, or end it at its next step; one that is done stays as it is."""
        with self._changed:
            job.cancel()
            if job in self._waiting:
                self._waiting.remove(job)
                job.refuse("the request was cancelled")

    def state(self) -> Dict[str, int]:
        """Return the numbers of jobs that run, wait, may wait, and are done."""
        with self._changed:
            running = int(self._running is not None)
            return {"running": running, "waiting": len(self._waiting), "most": self._most, "finished": self.finished}

    def place(self, job: QueuedJob) -> int:
        """Return the number of jobs that come before this one; 0 if it runs or is done."""
        with self._changed:
            before = self._waiting.index(job) if job in self._waiting else -1
            return before + 1 if self._running is not None else max(before, 0)

    def close(self, seconds: float) -> bool:
        """Cancel all jobs, and wait so long at most for the one that runs; return whether it has ended."""
        with self._changed:
            self._closed = True
            while self._waiting:
                self._waiting.popleft().refuse("the server stops")
            if self._running is not None:
                self._running.cancel()
            self._changed.notify_all()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                self._running = self._waiting.popleft()
            self._running.run()
            with self._changed:
                self._running = None
                self.finished += 1
