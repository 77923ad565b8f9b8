"""A running live page, and clients of it: polite ones, and raw sockets for the others."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import uuid
from contextlib import contextmanager, suppress
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from gradcam_tf1 import LiveServer, ServeOptions

LINES = "application/x-ndjson"
Pairs = Sequence[Tuple[str, Any]]


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: Dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body.decode("ascii"))

    @property
    def error(self) -> str:
        return self.json["error"]


def form(files: Sequence[Tuple[str, bytes]], fields: Pairs = (), field: str = "image") -> Tuple[bytes, str]:
    """A form with files (name, bytes), and its content type."""
    mark = uuid.uuid4().hex
    parts = [
        f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode() + data
        for name, data in files
    ]
    parts += [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields]
    body = b"".join(f"--{mark}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{mark}--\r\n".encode()
    return body, f"multipart/form-data; boundary={mark}"


class Client:
    """Asks a server on this machine, each time by a new connection."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: Any = None, headers: Optional[Dict[str, str]] = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def explain(self, *files: Tuple[str, bytes], fields: Pairs = (), **headers: str) -> Answer:
        body, kind = form(files, fields)
        return self.ask("POST", "/explain", body, {"Content-Type": kind, **headers})

    def lines(self, *files: Tuple[str, bytes], fields: Pairs = ()) -> List[Dict[str, Any]]:
        answer = self.explain(*files, fields=fields, Accept=LINES)
        assert answer.status == 200, answer.body
        return [json.loads(line) for line in answer.body.decode("ascii").splitlines()]

    def request_bytes(self, *files: Tuple[str, bytes], fields: Pairs = (), accept: str = "*/*") -> bytes:
        """The same as bytes for a socket."""
        body, kind = form(files, fields)
        lines = [
            "POST /explain HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            f"Accept: {accept}",
            "\r\n",
        ]
        return "\r\n".join(lines).encode() + body

    @contextmanager
    def socket(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as raw:
            yield raw

    def raw(self, data: bytes, patience: float = 0.5) -> bytes:
        """What the server says to these bytes until it closes the connection or waits for more."""
        parts = []
        with self.socket() as raw, suppress(OSError):  # it may close in the middle, as it should
            raw.sendall(data)
            raw.settimeout(patience)
            while not parts or parts[-1]:
                parts.append(raw.recv(65_536))
        return b"".join(parts)


class Running(NamedTuple):
    """A server that runs, its client, and its net."""

    server: LiveServer
    client: Client
    net: Any

    @property
    def queue(self) -> Dict[str, int]:
        return self.client.get("/health").json["queue"]


@contextmanager
def running(net: Any, **options: Any) -> Iterator[Running]:
    """Serve a net in a thread on a free port."""
    server = LiveServer(net, ServeOptions(**{"port": 0, **options}))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Running(server, Client(server.port), net)
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()
