"""Who may ask: the Host and Origin of a request, its token, and the headers that every answer has."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from typing import Any, Dict, Iterable, List, Optional, Tuple
from urllib.parse import urlsplit

from gradcam_tf1.serve.serve_options import WILDCARDS, ServeOptions

Headers = List[Tuple[str, str]]

SECURITY_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
    ("Cache-Control", "no-store"),
)
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
# what a browser may fetch, and anybody may ask, before the token is given
_OPEN_PATHS = ("/login", "/login.js", "/live.css", "/theme.css")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Refusal(Exception):
    """A request that is not answered: its status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Guard:
    """Checks requests before they reach the application.

    Parameters
    ----------
    options : ServeOptions
        Where the page listens, and its token.
    port : int
        The port that was bound.
    """

    def __init__(self, options: ServeOptions, port: int) -> None:
        self._options = options
        self.token: Optional[str] = None
        if options.needs_token:
            self.token = options.token or secrets.token_urlsafe(24)
        self.cookie = f"gradcam_tf1_{port}"
        self._hosts = set(options.allowed_hosts) | set(_with_port(_own_names(options.host), port))
        self._any_address = options.host in WILDCARDS

    @property
    def session(self) -> str:
        """The value of the cookie: made from the token, which a browser does not keep."""
        return hmac.new((self.token or "").encode(), b"session", hashlib.sha256).hexdigest()

    def check(self, environ: Dict[str, Any]) -> None:
        """Raise Refusal for a request that may not be answered."""
        self._check_peer(environ)
        self._check_host(environ)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            self._check_origin(environ)
        if self.token is not None and environ["PATH_INFO"] not in _OPEN_PATHS:
            self._check_token(environ)

    def is_token(self, given: str) -> bool:
        """Whether this is the token; takes the same time for every wrong one."""
        return self.token is not None and hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def _check_peer(self, environ: Dict[str, Any]) -> None:
        proxy = self._options.behind_proxy
        if proxy is not None and not _is_same_address(environ.get("REMOTE_ADDR", ""), proxy):
            raise Refusal(403, "this page answers its proxy only")

    def _check_host(self, environ: Dict[str, Any]) -> None:
        """Refuse other names: a page of a stranger may have bound its own name to this address (DNS rebinding)."""
        host = environ.get("HTTP_HOST", "").lower()
        if host in self._hosts or (self._any_address and _is_address(host)):
            return
        raise Refusal(421, f"this page has another name than {host[:100]!r}; allow it with --allow-host")

    def _check_origin(self, environ: Dict[str, Any]) -> None:
        """Refuse what a browser sends for a page of another site; other programs send neither header."""
        site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
        if site is not None and site not in ("same-origin", "none"):
            raise Refusal(403, "requests of other sites are refused")
        if origin is not None and _host_of(origin) != environ.get("HTTP_HOST", "").lower():
            raise Refusal(403, "requests of other sites are refused")

    def _check_token(self, environ: Dict[str, Any]) -> None:
        kind, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(given.strip()):
            return
        cookie = _cookie(environ.get("HTTP_COOKIE", ""), self.cookie)
        if not hmac.compare_digest(cookie.encode("utf-8", "replace"), self.session.encode()):
            raise Refusal(401, "a token is needed: open /login, or send the header Authorization: Bearer TOKEN")


def _own_names(host: str) -> Iterable[str]:
    """Return the names of loopback, and the host as browsers write it."""
    return (*_LOOPBACK_NAMES, f"[{host.lower()}]" if ":" in host else host.lower())


def _with_port(names: Iterable[str], port: int) -> Iterable[str]:
    for name in names:
        yield f"{name}:{port}"
        if port == _DEFAULT_PORTS["http"]:
            yield name


def _is_address(host: str) -> bool:
    """Whether a Host header is an IP address, which no DNS can rebind."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same_address(first: str, second: str) -> bool:
    try:
        one, other = ipaddress.ip_address(first), ipaddress.ip_address(second)
    except ValueError:
        return False
    return getattr(one, "ipv4_mapped", None) == other or one == other


def _host_of(origin: str) -> str:
    """Return the Host header that belongs to an origin; "" for "null" and other things."""
    try:
        parts = urlsplit(origin.lower())
        if parts.scheme not in _DEFAULT_PORTS or parts.username is not None:
            return ""
        return parts.netloc
    except ValueError:
        return ""


def _cookie(header: str, name: str) -> str:
    """Return the value of one cookie. Others of the same host may be malformed, which a strict parser refuses."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return next((value for key, _, value in pairs if key == name), "")
