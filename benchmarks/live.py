"""Rows of the live page: what a request costs above the explanation itself, and memory over many requests."""

from __future__ import annotations

import http.client
import io
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, Callable, Iterator, List

from material import demo_net, mobilenet, photographs
from processes import alone, needs_proc
from timing import MEGABYTES, Case, Difference

from gradcam_tf1 import GradCamGraph, LiveServer, ServeOptions
from gradcam_tf1.images.decode import decode
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.serve.answers import explained

SOON, LATE = "400", "4000"  # requests
CLIENTS = 8


@contextmanager
def serving(net: GradCamGraph) -> Iterator[int]:
    """The port of a live page of this net."""
    server = LiveServer(net, ServeOptions(port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.port
    finally:
        server.stop()
        thread.join()


def post(port: int, image: bytes) -> bytes:
    """What POST /explain answers. Raises: RuntimeError for another status than 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", "/explain", image, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {body[:200]!r}")
        return body
    finally:
        connection.close()


def _against_explain(net: GradCamGraph, image: bytes) -> Iterator[Case]:
    def explain() -> Any:
        pixels = decode(io.BytesIO(image), "photo")
        return net.explain([pixels]), pixels

    def record() -> Any:
        return explained(*explain(), "0", "photo")

    with serving(net) as port:
        alternatives = {
            "decode and explain": explain,
            "and make the record": record,
            "POST /explain": lambda: post(port, image),
        }
        yield Case(alternatives, [Difference("POST /explain", "decode and explain", 10)])


@contextmanager
def live_demo() -> Iterator[Case]:
    """The demo net, one of its scenes: a request of the live page, against decoding and explaining in the process."""
    with demo_net() as net:
        yield from _against_explain(net, Path(demo_scenes()[8].path).read_bytes())


@contextmanager
def live_mobilenet() -> Iterator[Case]:
    """MobileNet v1 and a photograph: a request of the live page, against decoding and explaining in the process."""
    with ExitStack() as stack:
        net = stack.enter_context(mobilenet())
        folder = stack.enter_context(TemporaryDirectory())
        yield from _against_explain(net, Path(photographs(1, Path(folder))[0]).read_bytes())


def many_requests(look: Callable[[str], None], *marks: str) -> None:
    """Let eight clients ask; call `look` when so many requests are answered."""
    images = [Path(scene.path).read_bytes() for scene in demo_scenes()]
    waiting: SimpleQueue[int] = SimpleQueue()
    faults: List[BaseException] = []
    with demo_net() as net, serving(net) as port:

        def client() -> None:
            try:
                while True:
                    post(port, images[waiting.get(block=False) % len(images)])
            except Empty:
                return
            except Exception as error:  # noqa: BLE001 - raised where the clients are joined
                faults.append(error)

        done = 0
        for mark in marks:
            for number in range(done, int(mark)):
                waiting.put(number)
            done = int(mark)
            clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
            for each in clients:
                each.start()
            for each in clients:
                each.join()
            if faults:
                raise faults[0]
            look(mark)


@contextmanager
def live_memory() -> Iterator[Case]:
    """The live page of the demo net, eight clients, in a process of its own: the most memory that it ever took."""
    needs_proc()
    found = alone("live_requests", SOON, LATE)
    soon, late = f"after {SOON} requests", f"after {LATE} requests"
    alternatives = {soon: lambda: found[SOON], late: lambda: found[LATE]}
    yield Case(alternatives, [Difference(late, soon, 20)], MEGABYTES, rounds=1)
