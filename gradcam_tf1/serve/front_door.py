"""What every request passes: the guard, the headers of every answer, one log line, and a last net for faults."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.serve.guard import SECURITY_HEADERS, Guard, Refusal

_log = logging.getLogger("gradcam_tf1.serve")
_LONGEST_PATH = 200
_REASONS = {401: "Unauthorized", 403: "Forbidden", 421: "Misdirected Request", 500: "Internal Server Error"}
_TO_LOGIN = (401, "GET", "/")

Headers = List[Tuple[str, str]]


class FrontDoor:
    """A WSGI application around another.

    Parameters
    ----------
    app : callable
        The application.
    guard : Guard
        Says who may ask.
    """

    def __init__(self, app: Callable[..., Any], guard: Guard) -> None:
        self._app, self._guard = app, guard

    def __call__(self, environ: Dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        visit = _Visit(environ, start_response)
        try:
            self._guard.check(environ)
            return visit.logged(self._app(environ, visit.start))
        except Refusal as refusal:
            return visit.refused(refusal)
        except Exception:  # noqa: BLE001 - of the program; one request must not end the server
            _log.exception("a fault of the program while it answered %s", visit.request)
            return visit.failed(500, "a fault of the program; its log says more")


class _Visit:
    """One request and its answer."""

    def __init__(self, environ: Dict[str, Any], start_response: Callable[..., Any]) -> None:
        self._start_response = start_response
        self._began = time.monotonic()
        self._status = 0
        self._method, self._path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        client = environ.get("REMOTE_ADDR", "?")
        self.request = printable(f"{client} {self._method} {self._path[:_LONGEST_PATH]}")

    def start(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        """Begin the answer with the headers that all answers have."""
        self._status = int(status.split(" ", 1)[0])
        return self._start_response(status, [*headers, *SECURITY_HEADERS], exc_info)

    def refused(self, refusal: Refusal) -> Iterable[bytes]:
        """Answer a request that may not be answered; a browser without its token is led to the login."""
        if (refusal.status, self._method, self._path) == _TO_LOGIN:
            self.start("303 See Other", [("Location", "/login"), ("Content-Length", "0")])
            return self.logged([b""])
        return self.failed(refusal.status, str(refusal))

    def failed(self, status: int, reason: str) -> Iterable[bytes]:
        """Answer with an error."""
        body = (strict_json({"error": reason}) + "\n").encode("ascii")
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if status == 401:
            headers.append(("WWW-Authenticate", "Bearer"))
        self.start(f"{status} {_REASONS[status]}", headers)
        return self.logged([body])

    def logged(self, parts: Iterable[bytes]) -> Iterable[bytes]:
        """Return the answer; its line is written when it is sent or the client is gone."""
        return _Logged(parts, self)

    def finish(self) -> None:
        """Write the line."""
        _log.info("%s %s %.2f s", self.request, self._status, time.monotonic() - self._began)


class _Logged:
    """The body of an answer, which the server closes at its end."""

    def __init__(self, parts: Iterable[bytes], visit: _Visit) -> None:
        self._parts, self._visit = parts, visit

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        """Close the body itself."""
        try:
            close = getattr(self._parts, "close", None)
            if close is not None:
                close()
        finally:
            self._visit.finish()


def printable(text: str) -> str:
    """Return text of a client with everything that is no plain character escaped."""
    return text.encode("unicode_escape").decode("ascii")
