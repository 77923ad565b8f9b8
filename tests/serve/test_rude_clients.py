"""Clients that send rubbish: each gets a sentence, none a file or a line of the log, and nobody is hurt."""

from __future__ import annotations

import json
import struct
import time
import zlib

import pytest
from live_client import form, running


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


@pytest.mark.parametrize(("body", "kind", "words"), RUBBISH, ids=map(str, range(len(RUBBISH))))
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
    end = time.monotonic() + 20
    while not any("forged" in record.getMessage() for record in caplog.records):
        assert time.monotonic() < end, "in vain"
        time.sleep(0.02)
    lines = [record.getMessage() for record in caplog.records]
    assert all(line.isprintable() for line in lines)
    assert any("\\x1b[31m\\r\\nforged 404" in line for line in lines)
