"""The live page as a server: one net, one queue, and waitress in front of them."""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import threading
import time
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, Optional

import waitress
from waitress import wasyncore

from gradcam_tf1.errors import OptionError
from gradcam_tf1.serve.answers import Answerer
from gradcam_tf1.serve.explain_queue import ExplainQueue
from gradcam_tf1.serve.front_door import FrontDoor
from gradcam_tf1.serve.guard import Guard
from gradcam_tf1.serve.model_facts import check_images_net, model_facts
from gradcam_tf1.serve.serve_options import WILDCARDS, ServeOptions
from gradcam_tf1.serve.web_app import WebApp

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph

_DEFAULT = ServeOptions()
_SPARE_THREADS = 6  # for pages and health, while all others wait for explanations
_CONNECTIONS = 200
_ROOM = 20  # connections that can still come in
_IDLE = 60  # seconds after which a connection that sends nothing is closed
_HEAD_BYTES = 32_768
_STOP_SECONDS = 3.0
_SAFE_WAITRESS = (3, 0, 1)
_SHORT = 0.05
_LOOK = 0.25  # seconds between two looks at whether the server stops


class LiveServer:
    """Serves the live page of a net until it is stopped. The address is bound when the server is made.

    Parameters
    ----------
    net : GradCamGraph
        Takes images. It stays open when the server stops.
    options : ServeOptions
        Where the server listens, whom it answers, and how much it takes.

    Raises
    ------
    OptionError
        If the net takes something other than images, the address cannot be bound, or it may not be served.
    """

    def __init__(self, net: GradCamGraph, options: ServeOptions = _DEFAULT) -> None:
        if not isinstance(options, ServeOptions):
            raise OptionError(f"options is {options!r}; give options=ServeOptions(...)")
        check_images_net(net)
        self.options = options
        current = has_current_waitress()
        if not current and not options.is_loopback and options.behind_proxy is None:
            raise OptionError(
                f"waitress below 3.0.1, the last one for this Python, has known faults, so that {options.host!r} is "
                "served behind a proxy only: give behind_proxy (--behind-proxy) with its address, serve 127.0.0.1, or "
                "use Python 3.9 or later"
            )
        self._stopped = threading.Event()
        self._socket = listening_socket(options.host, options.port)
        with ExitStack() as failing:
            failing.callback(self._socket.close)
            self.port: int = self._socket.getsockname()[1]
            self._guard = Guard(options, self.port)
            facts = model_facts(net, options)
            failing.pop_all()
        self._queue = ExplainQueue(options.queue)
        answerer = Answerer(net, options.max_pixels, options.timeout)
        app = FrontDoor(WebApp(answerer, self._queue, facts, self._guard), self._guard)
        self._map: Dict[int, Any] = {}
        self._server = waitress.create_server(
            app,
            map=self._map,
            sockets=[self._socket],
            threads=options.queue + 1 + _SPARE_THREADS,
            connection_limit=_CONNECTIONS,
            channel_timeout=_IDLE,
            max_request_body_size=options.max_bytes,
            max_request_header_size=_HEAD_BYTES,
            channel_request_lookahead=int(current),  # lets a client that goes away be seen; unsafe before 3.0.1
            ident=None,
            log_socket_errors=False,
            **_proxy_settings(options),
        )

    @property
    def url(self) -> str:
        """The address of the page; with a token it leads to the login, after # where it is not sent to any server."""
        host = self.options.host
        name = "127.0.0.1" if host in WILDCARDS else f"[{host}]" if ":" in host else host
        address = f"http://{name}:{self.port}/"
        return address if self._guard.token is None else f"{address}login#{self._guard.token}"

    @property
    def token(self) -> Optional[str]:
        """What clients have to give; None if nothing."""
        return self._guard.token

    def run(self) -> None:
        """Serve until `stop` is called, by another thread or a signal handler; then release the address."""
        try:
            while not self._stopped.is_set():
                self._turn(_LOOK)
        finally:
            self._close()

    def stop(self) -> None:
        """End `run`, soon."""
        self._stopped.set()

    def _turn(self, seconds: float) -> None:
        """Wait so long at most for something to read or write, and do it."""
        self._make_room()
        wasyncore.loop(timeout=seconds, use_poll=hasattr(select, "poll"), map=self._map, count=1)

    def _make_room(self) -> None:
        """Close the oldest connections without a whole request when places run out: a flood must not fill them all."""
        if len(self._map) <= _CONNECTIONS - _ROOM:
            return
        channels = self._server.active_channels.values()
        idle = [each for each in channels if not (each.requests or each.total_outbufs_len or each.will_close)]
        for channel in sorted(idle, key=lambda each: each.creation_time)[:_ROOM]:
            channel.will_close = True

    def _close(self) -> None:
        """Cancel what waits and runs, let the answers out, and close all connections."""
        self._server.accepting = False
        self._queue.close(0)
        self._server.task_dispatcher.shutdown(timeout=_STOP_SECONDS / 2)
        end = time.monotonic() + _STOP_SECONDS / 2
        while time.monotonic() < end and any(each.total_outbufs_len for each in self._server.active_channels.values()):
            self._turn(_SHORT)
        wasyncore.close_all(self._map)
        self._socket.close()
        self._queue.close(_STOP_SECONDS)


def _proxy_settings(options: ServeOptions) -> Dict[str, Any]:
    """Trust the proxy to say how it was called, and nothing else: the address of the client stays the proxy's own."""
    if options.behind_proxy is None:
        return {"clear_untrusted_proxy_headers": True}
    return {
        "trusted_proxy": options.behind_proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-proto"},
        "clear_untrusted_proxy_headers": True,
    }


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address. Raises OptionError if that is not possible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OptionError(f"there is no address {host!r} here ({error.strerror or error})") from error
    bound = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere two programs could share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        cure = "choose another with --port, or --port 0 for any free one"
        if error.errno == errno.EADDRINUSE:
            raise OptionError(f"port {port} of {host} is in use; {cure}") from error
        raise OptionError(
            f"port {port} of {host} cannot be served ({error.strerror}); {cure}, or another --host"
        ) from error
    return bound


def has_current_waitress() -> bool:
    """Whether waitress is 3.0.1 or later, without the faults CVE-2024-49768 and CVE-2024-49769."""
    try:
        version: str = import_module("importlib.metadata").version("waitress")
    except ImportError:  # Python 3.7, whose last waitress is 2.1.2
        return False
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3]) >= _SAFE_WAITRESS
