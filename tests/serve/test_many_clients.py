"""Many clients, and rude ones: none is lost, each answer is right, and nobody is hurt by another."""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
import time
import zlib

import pytest
from live_client import LINES, form, running

from gradcam_tf1.images.decode import decode
from gradcam_tf1.report.image_record import image_record
from gradcam_tf1.serve.live_server import has_current_waitress

CLIENTS, REQUESTS = 8, 200
SOON = 20


def maps_of(record):
    return [(target["class_id"], target["maps"][0]["grid"]) for target in record["targets"]]


@pytest.fixture(scope="module")
def expected(net, scenes):
    """Scene and class -> the maps that belong to it."""
    found = {}
    for n, (_, data) in enumerate(scenes[:5]):
        explanation = net.explain([decode(io.BytesIO(data), "scene")], [0, 1, 2])
        record = image_record(explanation, ident="", name="")
        for class_id, grid in maps_of(record):
            found[n, class_id] = [(class_id, grid)]
    return found


def wait_until(condition):
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.02)


def test_two_hundred_requests_of_eight_clients_are_all_answered_rightly(live, scenes, expected):
    wrong, lock = [], threading.Lock()
    questions = iter([(n % 5, n % 3) for n in range(REQUESTS)])
    answered = []

    def client():
        while True:
            with lock:
                scene, class_id = next(questions, (None, None))
            if scene is None:
                return
            answer = live.client.explain(scenes[scene], fields=[("class", class_id)])
            good = answer.status == 200 and maps_of(answer.json["images"][0]) == expected[scene, class_id]
            (answered if good else wrong).append((scene, class_id, answer.status))

    before = live.queue["finished"]
    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(answered) == REQUESTS
    assert live.queue["finished"] - before == REQUESTS


def slow_fields(masks=20_000):
    return [("method", "rise"), ("rise.masks", masks)]


def test_a_flood_is_refused_with_a_time_to_come_again(net, scenes, expected):
    with running(net, queue=2) as live, live.client.socket() as slow:
        slow.sendall(live.client.request_bytes(scenes[0], fields=slow_fields(), accept=LINES))
        wait_until(lambda: live.queue["running"])
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(live.client.explain(scenes[1], fields=[("class", 2)])))
            for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) == 10)
        assert {answer.status for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"5"}
        assert answers[0].error == "2 requests are waiting already; try again later"
        assert live.client.get("/health").json["queue"] == {"running": 1, "waiting": 2, "most": 2, "finished": 0}
        slow.close()
        for thread in threads:
            thread.join()
        (first, second) = [answer for answer in answers if answer.status == 200]
        for answer in (first, second):
            assert maps_of(answer.json["images"][0]) == expected[1, 2]


def hang_up(raw):
    """Close a connection at once, with what lies in its buffers."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


@pytest.mark.parametrize("leave", [socket.socket.close, hang_up], ids=["closes", "resets"])
def test_a_client_that_goes_away_cancels_its_running_and_its_waiting_work(live, scenes, leave):
    before = live.queue["finished"]
    with live.client.socket() as first, live.client.socket() as second:
        first.sendall(live.client.request_bytes(scenes[0], fields=slow_fields(), accept=LINES))
        wait_until(lambda: live.queue["running"])
        second.sendall(live.client.request_bytes(scenes[0], fields=slow_fields(), accept=LINES))
        wait_until(lambda: live.queue["waiting"])
        leave(second)
        wait_until(lambda: not live.queue["waiting"])
        assert live.queue["running"]
        leave(first)
        wait_until(lambda: not live.queue["running"])
    assert live.queue["finished"] == before + 1
    assert live.client.explain(scenes[0]).status == 200


@pytest.mark.skipif(not has_current_waitress(), reason="older servers do not look at a connection while they work")
def test_a_plain_request_is_cancelled_too(live, scenes):
    with live.client.socket() as raw:
        raw.sendall(live.client.request_bytes(scenes[0], fields=slow_fields()))
        wait_until(lambda: live.queue["running"])
        raw.close()
        wait_until(lambda: not live.queue["running"])


def test_a_client_that_hangs_up_in_its_body_leaves_nothing(live, scenes):
    before = live.queue["finished"]
    for _ in range(5):
        with live.client.socket() as raw:
            data = live.client.request_bytes(scenes[0])
            raw.sendall(data[: len(data) // 2])
            hang_up(raw)
    assert live.client.explain(scenes[0]).status == 200
    assert live.queue["finished"] == before + 1


def test_slow_clients_keep_nobody_waiting(live, scenes):
    """Thirty connections that send a byte now and then: more than there are threads."""
    held = [socket.create_connection(("127.0.0.1", live.client.port)) for _ in range(30)]
    try:
        data = live.client.request_bytes(scenes[0])
        for n, raw in enumerate(held):
            raw.sendall(data[: 10 + 40 * n])
        for _ in range(3):
            for raw in held:
                raw.sendall(b"x")
            start = time.monotonic()
            assert live.client.explain(scenes[0]).status == 200
            assert time.monotonic() - start < SOON
    finally:
        for raw in held:
            raw.close()


def test_a_client_that_does_not_read_keeps_nobody_waiting(live, scenes):
    with live.client.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        raw.sendall(live.client.request_bytes(*scenes[:8], accept=LINES))
        for _ in range(5):
            assert live.client.explain(scenes[1]).status == 200


def bomb():
    """A PNG of 60,000 x 60,000 gray pixels in a few kilobytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 5_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_by_its_header(live):
    answer = live.client.explain(("bomb.png", bomb()))
    assert answer.status == 422
    assert "60000x60000 pixels, more than the 25,000,000" in answer.json["images"][0]["error"]


MULTIPART = "multipart/form-data; boundary=x"
RUBBISH = [
    (b"", MULTIPART, "no image came|cannot be read"),
    (b"no boundary here", MULTIPART, "the form cannot be read"),
    (b"--x\r\nno colon\r\n\r\n1\r\n--x--\r\n", MULTIPART, "the form cannot be read"),
    (b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc', MULTIPART, "cannot be read"),
    (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\nContent-Length: z\r\n\r\n1\r\n--x--\r\n',
        MULTIPART,
        "cannot be read",
    ),
    (b"--x\r\n\r\n1\r\n--x--\r\n", MULTIPART, "cannot be read"),
    (b"x", "multipart/form-data", "the form cannot be read"),
    (b"x", "multipart/form-data; boundary=" + "b" * 9000, "the form cannot be read"),
    (
        b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n\xff\xfe\r\n--x--\r\n',
        MULTIPART,
        "cannot be read|no parameter",
    ),
    (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n1\r\n--x--\r\n',
        MULTIPART + "; charset=bogus",
        "cannot be read",
    ),
    (form([("a.png", b"1")], field="file")[0], form([("a.png", b"1")])[1], "cannot be read"),
    (b'{"a": 1}', "application/json", "the body is 'application/json'; send images as files of a form"),
    (b"a=b", "application/x-www-form-urlencoded", "the body is 'application/x-www-form-urlencoded'"),
    (b"", "image/png", "no image came with the request"),
]


@pytest.mark.parametrize(
    ("body", "kind", "words"), RUBBISH, ids=[f"{kind[:40]} {body[:20]}" for body, kind, _ in RUBBISH]
)
def test_rubbish_is_answered_with_a_sentence(live, body, kind, words):
    answer = live.client.ask("POST", "/explain", body, {"Content-Type": kind})
    assert answer.status in (400, 415)
    assert any(word in answer.error for word in words.split("|")), answer.error


@pytest.mark.parametrize(
    ("field", "words"), [("file", "the form has a file in the field 'file'; name it 'image'")], ids=["field"]
)
def test_a_file_in_another_field_is_refused(live, field, words):
    body, kind = form([("a.png", b"1")], field=field)
    assert words in live.client.ask("POST", "/explain", body, {"Content-Type": kind}).error


def test_too_many_of_anything_are_refused(live, scenes):
    assert "9 images came with the request; at most 8" in live.client.explain(*[scenes[0]] * 9).error
    many = [(f"rise.{n}", "1") for n in range(101)]
    assert "101 parameters came with the request; at most 100" in live.client.explain(scenes[0], fields=many).error


def test_a_large_json_is_refused(live, scenes):
    body = json.dumps([0] * 3_300_000).encode()
    answer = live.client.ask("POST", "/explain", body, {"Content-Type": "application/json"})
    assert answer.status == 415
    assert live.client.explain(scenes[0]).status == 200


def test_a_body_above_the_limit_is_refused_before_it_is_read(net):
    with running(net, max_bytes=10_000) as live:
        head = f"POST /explain HTTP/1.1\r\nHost: 127.0.0.1:{live.client.port}\r\nContent-Type: image/png\r\n"
        assert b" 413 " in live.client.raw(f"{head}Content-Length: 900000000\r\n\r\n".encode())
        chunked = b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
        assert b" 413 " in live.client.raw(head.encode() + chunked + b"8000\r\n" + b"x" * 0x8000 + b"\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /static/../../../../etc/passwd", 404),
        ("GET /../live_server.py", 404),
        ("GET /..%2f..%2fsetup.py", 404),
        ("GET /%2e%2e/%2e%2e/setup.py", 404),
        ("GET /live.js%00.html", 404),
        ("GET //live.js", 200),
        ("GET /..\\live_server.py", 404),
        ("GET /\xff\xfe", 400),
        ("BREW /", 405),
    ],
)
def test_only_the_files_of_the_page_can_be_had(live, request_line, status):
    line = f"{request_line} HTTP/1.1\r\nHost: 127.0.0.1:{live.client.port}\r\nConnection: close\r\n\r\n"
    said = live.client.raw(line.encode("latin1"))
    assert said.startswith(f"HTTP/1.1 {status} ".encode()), said[:200]
    assert b"root:" not in said


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n" * 2000,
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /explain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=lambda data: repr(data[:60]),
)
def test_broken_requests_are_refused_and_hurt_nobody(live, data):
    said = live.client.raw(data)
    assert not said.startswith(b"HTTP/1.1 200")
    assert not said.startswith(b"HTTP/1.0 200")
    assert live.client.get("/health").status == 200


def test_names_of_clients_are_text_without_control_characters(live, scenes, caplog):
    caplog.set_level("INFO", logger="gradcam_tf1")
    name = "../../etc/\u202e<img src=x onerror=alert(1)>\x1b[31m.png"
    (record,) = live.client.explain((name, scenes[0][1])).json["images"]
    assert record["name"] == "?<img src=x onerror=alert(1)>?[31m.png"
    line = f"GET /%1b[31m%0d%0aforged HTTP/1.1\r\nHost: 127.0.0.1:{live.client.port}\r\nConnection: close\r\n\r\n"
    assert live.client.raw(line.encode()).startswith(b"HTTP/1.1 404")
    wait_until(lambda: any("forged" in record.getMessage() for record in caplog.records))
    lines = [record.getMessage() for record in caplog.records]
    assert all(line.isprintable() for line in lines)
    assert any("\\x1b[31m\\r\\nforged 404" in line for line in lines)


def test_a_fault_of_the_program_is_logged_and_ends_nothing(net, scenes, caplog, monkeypatch):
    from gradcam_tf1.serve import answers

    def broken(*_args, **_more):
        raise ZeroDivisionError("a secret of the inside")

    with running(net) as live:
        monkeypatch.setattr(answers, "image_record", broken)
        answer = live.client.explain(scenes[0])
        assert (answer.status, answer.error) == (500, "a fault of the program; its log says more")
        assert "a secret of the inside" in caplog.text
        (last,) = live.client.lines(scenes[0])[-1:]
        assert (last["state"], last["status"]) == ("failed", 500)
        monkeypatch.undo()
        assert live.client.explain(scenes[0]).status == 200


def test_a_server_that_stops_answers_those_who_wait(net, scenes):
    answers = []
    with running(net) as live:
        threads = [
            threading.Thread(target=lambda: answers.append(live.client.explain(scenes[0], fields=slow_fields())))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: live.queue["waiting"] == 2)
        start = time.monotonic()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < SOON / 2
    assert sorted(answer.status for answer in answers) == [503, 503, 503]
    assert sorted(answer.error for answer in answers) == ["the request was cancelled", *["the server stops"] * 2]
    assert net.explain([decode(io.BytesIO(scenes[0][1]), "scene")]).class_ids.shape == (1, 1)  # the net stays open
