"""`gradcam-tf1 serve`: the live page of a model."""

from __future__ import annotations

import logging
import signal
import webbrowser
from dataclasses import fields
from typing import Any, Sequence

import click

from gradcam_tf1.cli.preset_options import check_preset, make_preset, preset_options
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import batch_size_option, model_options, open_net
from gradcam_tf1.cli.terminal import say, shown, warn
from gradcam_tf1.run.settings import net_warnings
from gradcam_tf1.serve.serve_options import LEAST_TOKEN, WILDCARDS, ServeOptions

_DEFAULT = ServeOptions()
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@click.command(short_help="Explain images in a browser.")
@model_options
@preset_options
@session_options
@batch_size_option
@click.option("--host", default=_DEFAULT.host, show_default=True, help="Address to listen on; others need a token.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=_DEFAULT.port,
    show_default=True,
    help="Port to listen on; 0 for any free one.",
)
@click.option(
    "--token",
    envvar="GRADCAM_TF1_TOKEN",
    help=f"What clients have to give, at least {LEAST_TOKEN} characters; made if an address needs one. "
    "GRADCAM_TF1_TOKEN keeps it out of the list of processes.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    help="Name by which browsers may call the page. Repeatable.",
)
@click.option(
    "--behind-proxy",
    metavar="ADDRESS",
    help="Address of the reverse proxy in front of the page; other clients are refused.",
)
@click.option(
    "--queue",
    type=click.IntRange(1, 64),
    default=_DEFAULT.queue,
    show_default=True,
    help="Requests that may wait.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1_000, max=1_000_000_000),
    default=_DEFAULT.max_bytes,
    show_default=True,
    help="Largest body of a request.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1, max=1_000_000_000),
    default=_DEFAULT.max_pixels,
    show_default=True,
    help="Refuse images with more pixels.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=_DEFAULT.timeout,
    show_default=True,
    metavar="S",
    help="Seconds that the net may run for one request.",
)
@click.option("--open-browser", is_flag=True, help="Open the page in the browser of this machine.")
@click.option("--quiet", "-q", is_flag=True, help="Print the address and errors only.")
def serve(open_browser: bool, quiet: bool, **options: Any) -> None:
    """Show a page where images are explained by MODEL, until Ctrl-C.

    The page listens on this machine only, unless --host says otherwise. MODEL is the same as for `gradcam-tf1 run`.
    """
    serving = ServeOptions(**{item.name: options.pop(item.name) for item in fields(ServeOptions)})
    preset, session = make_preset(options), make_session(options)
    with open_net(preset=preset, session=session, **options) as net:
        from gradcam_tf1.serve.live_server import LiveServer

        check_preset(net)
        for warning in () if quiet else net_warnings(net):
            warn(warning)
        server = LiveServer(net, serving)
        _log_lines(quiet)
        say(f"the live page is at {server.url}")
        if serving.host in WILDCARDS and serving.behind_proxy is None:
            say("from another machine, put the IP address of this one in place of 127.0.0.1", err=True)
        say("Ctrl-C stops it", err=True)
        if open_browser and not webbrowser.open(server.url):
            warn("no browser was found; open the address above")
        with _Signals(server.stop):
            server.run()
    if not quiet:
        say("stopped", err=True)


class _Lines(logging.Handler):
    """Prints log lines to stderr, with control characters escaped."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line, or a fault with its traceback."""
        say(shown(self.format(record), multiline=True), err=True)


def _log_lines(quiet: bool) -> None:
    """Let the program print its log: one line for each request, and faults."""
    ours, theirs = logging.getLogger("gradcam_tf1"), logging.getLogger("waitress")
    ours.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue is what the page is for
    for logger in (ours, theirs):
        if not any(isinstance(handler, _Lines) for handler in logger.handlers):
            logger.addHandler(_Lines())
        logger.propagate = False


class _Signals:
    """Lets Ctrl-C and SIGTERM stop the server inside the block; a second one ends the program at once."""

    def __init__(self, stop: Any) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}

    def _handle(self, number: int, _frame: Any) -> None:
        self._restore((number,))
        self._stop()

    def _restore(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number in self._before:
                signal.signal(number, self._before.pop(number))

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}

    def __exit__(self, *exc_info: Any) -> None:
        self._restore(list(self._before))
