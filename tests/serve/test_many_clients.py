"""Many clients, slow ones and some that go away: none is lost, each answer is right, nobody is hurt by another."""

from __future__ import annotations

import io
import socket
import struct
import threading
import time

import pytest
from live_client import LINES, running

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


def test_more_connections_than_there_are_places_keep_nobody_out(live, scenes, expected):
    """They say half of a request and wait: the oldest ones are closed."""
    held = []
    try:
        for _ in range(300):
            held.append(socket.create_connection(("127.0.0.1", live.client.port), timeout=SOON))
            held[-1].sendall(b"GET /health HTTP/1.1\r\nHost: ")
        answer = live.client.explain(scenes[1], fields=[("class", 2)])
        assert maps_of(answer.json["images"][0]) == expected[1, 2]
        held[-1].sendall(f"127.0.0.1:{live.client.port}\r\n\r\n".encode())
        assert held[-1].recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for raw in held:
            raw.close()


def test_a_client_that_does_not_read_keeps_nobody_waiting(live, scenes):
    with live.client.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        raw.sendall(live.client.request_bytes(*scenes[:8], accept=LINES))
        for _ in range(5):
            assert live.client.explain(scenes[1]).status == 200


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
