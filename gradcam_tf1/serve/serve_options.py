"""The options of the live page: where it listens, whom it answers, and how much it takes."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Optional, Tuple

from gradcam_tf1.errors import OptionError

LEAST_TOKEN = 16  # characters; fewer can be guessed
WILDCARDS = ("0.0.0.0", "::")
_HOST = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


@dataclass(frozen=True)
class ServeOptions:
    """Options of a LiveServer.

    Attributes
    ----------
    host : str
        Address or name to listen on. Any other than loopback needs a token.
    port : int
        Port to listen on; 0 for any free one.
    token : str or None
        What clients have to give, at least 16 characters; None for one that is made where it is needed.
    allowed_hosts : tuple of str
        Further names by which browsers may call the page, "name" or "name:port".
    behind_proxy : str or None
        IP address of the reverse proxy in front of the page: all other clients are refused, and a token is needed.
    queue : int
        Requests that may wait; more are refused with status 503.
    max_bytes : int
        Largest body of a request.
    max_pixels : int
        Refuse larger images.
    timeout : float
        Seconds that the net may run for one request.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: Optional[str] = None
    allowed_hosts: Tuple[str, ...] = ()
    behind_proxy: Optional[str] = None
    queue: int = 16
    max_bytes: int = 20_000_000
    max_pixels: int = 25_000_000
    timeout: float = 600.0

    def __post_init__(self) -> None:
        if not isinstance(self.host, str) or not self.host:
            raise OptionError(f"host is an address or a name to listen on, such as 127.0.0.1, not {self.host!r}")
        _check_number("port", self.port, 0, 65_535)
        _check_number("queue", self.queue, 1, 64)
        _check_number("max_bytes", self.max_bytes, 1_000, 1_000_000_000)
        _check_number("max_pixels", self.max_pixels, 1, 1_000_000_000)
        if isinstance(self.timeout, bool) or not isinstance(self.timeout, (int, float)) or not self.timeout > 0:
            raise OptionError(f"timeout is a number of seconds above 0, not {self.timeout!r}")
        _check_token(self.token)
        object.__setattr__(self, "allowed_hosts", _host_names(self.allowed_hosts))
        if self.behind_proxy is not None and not _is_address(self.behind_proxy):
            raise OptionError(f"behind_proxy is the IP address of the proxy, not {self.behind_proxy!r}")

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can connect."""
        name = "127.0.0.1" if self.host == "localhost" else self.host
        return _is_address(name) and ipaddress.ip_address(name).is_loopback

    @property
    def needs_token(self) -> bool:
        """Whether clients have to give a token: others than this machine may reach the page, or one was chosen."""
        return not self.is_loopback or self.behind_proxy is not None or self.token is not None


def _check_number(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise OptionError(f"{name} is a whole number from {low} to {high}, not {value!r}")


def _check_token(token: Any) -> None:
    """Refuse a token that can be guessed or that no header can hold; the message does not show it."""
    if token is None:
        return
    if not isinstance(token, str) or len(token) < LEAST_TOKEN or not re.fullmatch(r"[!-~]+", token):
        raise OptionError(f"a token has at least {LEAST_TOKEN} visible ASCII characters, without spaces")


def _host_names(names: Any) -> Tuple[str, ...]:
    given = (names,) if isinstance(names, str) else tuple(names)
    for name in given:
        if not isinstance(name, str) or not _HOST.fullmatch(name):
            raise OptionError(f"an allowed host is 'name' or 'name:port', as browsers show it, not {name!r}")
    return tuple(name.lower() for name in given)


def _is_address(text: Any) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return isinstance(text, str)
