"""The addresses of the live page: the page and its files, the net, its health, and explanations."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Type

import bottle

from gradcam_tf1._version import __version__
from gradcam_tf1.errors import (
    CancelledError,
    ClosedError,
    GradCamError,
    MediaTypeError,
    QueueFullError,
    RunError,
    TimeLimitError,
)
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.serve.answers import Answerer
from gradcam_tf1.serve.explain_queue import ExplainQueue, QueuedJob
from gradcam_tf1.serve.guard import Guard
from gradcam_tf1.serve.page_files import page_files
from gradcam_tf1.serve.question import read_question
from gradcam_tf1.serve.uploads import read_uploads

_log = logging.getLogger("gradcam_tf1.serve")
LINES = "application/x-ndjson"
JSON = "application/json"
RETRY_AFTER = 5  # seconds
STEP = 0.25  # seconds between two looks at a job
_LONGEST_TOKEN = 1000

# the first that fits; other errors are faults of the program
_STATUS: Tuple[Tuple[Type[GradCamError], int], ...] = (
    (MediaTypeError, 415),
    (QueueFullError, 503),
    (CancelledError, 503),
    (ClosedError, 503),
    (TimeLimitError, 504),
    (RunError, 500),
    (GradCamError, 400),
)


class WebApp:
    """The routes. Call it as a WSGI application, behind a `Guard`.

    Parameters
    ----------
    answerer : Answerer
        Explains images.
    queue : ExplainQueue
        Lets requests wait.
    facts : dict
        What GET /model answers.
    guard : Guard
        Knows the token.
    """

    def __init__(self, answerer: Answerer, queue: ExplainQueue, facts: Dict[str, Any], guard: Guard) -> None:
        self._answerer, self._queue, self._facts, self._guard = answerer, queue, facts, guard
        self._files = page_files()
        self._started = time.monotonic()
        self._app = bottle.Bottle()
        self._app.config["catchall"] = False  # the front door logs faults
        self._app.default_error_handler = _error_body
        for method, path, answer in (
            ("GET", "/", lambda: self._file("live.html")),
            ("GET", "/login", lambda: self._file("login.html")),
            ("GET", "/health", lambda: _json(200, self._health())),
            ("GET", "/model", lambda: _json(200, self._facts)),
            ("GET", "/<name>", self._file),
            ("POST", "/login", self._login),
            ("POST", "/explain", self._explain),
        ):
            self._app.route(path, method, answer)

    def __call__(self, environ: Dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer one request."""
        return self._app(environ, start_response)

    def _file(self, name: str) -> bottle.HTTPResponse:
        found = self._files.get(name)
        if found is None:
            return _json(404, {"error": f"there is no page {name[:100]!r} here"})
        return bottle.HTTPResponse(found.data, 200, **{"Content-Type": found.media_type})

    def _health(self) -> Dict[str, Any]:
        return {
            **{"status": "ok", "gradcam_tf1": __version__, "model": self._facts["model"]},
            **{"queue": self._queue.state(), "uptime": round(time.monotonic() - self._started, 1)},
        }

    def _login(self) -> bottle.HTTPResponse:
        """Take a token from a form, and let the browser keep a cookie in its place."""
        body = bottle.request.body.read(_LONGEST_TOKEN + 1)
        given = bottle.request.forms.get("token", "").strip() if len(body) <= _LONGEST_TOKEN else ""
        if not self._guard.is_token(given):
            return _json(401, {"error": "this is not the token; it is printed where the server was started"})
        answer = bottle.HTTPResponse("", 303, Location="/")
        secure = bottle.request.environ["wsgi.url_scheme"] == "https"
        flags = {"path": "/", "httponly": True, "samesite": "strict", "secure": secure}
        answer.set_cookie(self._guard.cookie, self._guard.session, **flags)
        return answer

    def _explain(self) -> Any:
        streamed = LINES in bottle.request.get_header("Accept", "")
        try:
            uploads, pairs = read_uploads(bottle.request)
            question = read_question(pairs, self._answerer.net.binding)
            job = self._queue.add(lambda job: self._answerer(uploads, question, job))
        except GradCamError as error:
            return _failure(error)
        if not streamed:
            return self._whole(job, bottle.request.environ.get("waitress.client_disconnected", lambda: False))
        # nginx collects answers otherwise, and the progress arrives at the end
        bottle.response.set_header("X-Accel-Buffering", "no")
        bottle.response.content_type = LINES
        return self._lines(job)

    def _whole(self, job: QueuedJob, is_gone: Callable[[], bool]) -> bottle.HTTPResponse:
        while not job.wait(STEP):
            if is_gone():
                self._queue.cancel(job)
        return _failure(job.error) if job.error is not None else _json(status_of(job.result), job.result)

    def _lines(self, job: QueuedJob) -> Iterator[bytes]:
        """Yield the state of a job until it is done. A write to a client that is gone closes this generator."""
        try:
            while not job.wait(STEP):
                ahead = self._queue.place(job)
                yield _line({"state": "waiting", "ahead": ahead} if ahead else {"state": "running", **job.progress})
            if job.error is None:
                yield _line({"state": "done", "status": status_of(job.result), "answer": job.result})
            else:
                status, reason = described(job.error)
                yield _line({"state": "failed", "status": status, "error": reason})
        finally:
            self._queue.cancel(job)


def status_of(answer: Dict[str, Any]) -> int:
    """Return the status of an answer: 422 if no image could be explained."""
    return 200 if any(record["status"] == "ok" for record in answer["images"]) else 422


def described(error: BaseException) -> Tuple[int, str]:
    """Return the status that says whose fault an error is, and its sentence; a fault of the program is logged."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status, str(error)
    _log.error("a fault of the program while it explained an image", exc_info=error)
    return 500, "a fault of the program; its log says more"


def _failure(error: BaseException) -> bottle.HTTPResponse:
    status, reason = described(error)
    answer = _json(status, {"error": reason})
    if status == 503:
        answer.set_header("Retry-After", str(RETRY_AFTER))
    return answer


def _json(status: int, value: Any) -> bottle.HTTPResponse:
    return bottle.HTTPResponse(strict_json(value) + "\n", status, **{"Content-Type": JSON})


def _error_body(error: bottle.HTTPError) -> str:
    """Return the body of an error that bottle finds itself: no such address, or no such method there."""
    bottle.response.content_type = JSON
    return strict_json({"error": str(error.body or error.status_line)}) + "\n"


def _line(value: Optional[Dict[str, Any]]) -> bytes:
    return (strict_json(value) + "\n").encode("ascii")
