"""`gradcam-tf1 serve` as a process: it says where it is, answers, logs safely and stops at a signal."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from command_line import ENVIRONMENT, PROGRAM, command, harmless_line
from live_client import Client

from gradcam_tf1.nets.demo import demo_model, demo_scenes

START = [*PROGRAM, "serve", demo_model(), "--preset", "inception", "--port", "0"]


@contextmanager
def served(*options, environment=ENVIRONMENT):
    """A process that serves, and its address."""
    process = subprocess.Popen(
        [*START, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"the live page is at (http://127\.0\.0\.1:(\d+)/\S*)", line)
        assert found, line + process.stderr.read()
        yield process, found.group(1), Client(int(found.group(2)))
    finally:
        process.kill()
        process.communicate()


def scene():
    with open(demo_scenes()[0].path, "rb") as file:
        return file.read()


@pytest.mark.programs
def test_it_answers_and_ctrl_c_stops_it_within_seconds():
    with served() as (process, _, client):
        assert client.get("/health").json["model"] == "demo_net.pb"
        assert client.get("/%1b[31m").status == 404
        with client.socket() as raw:  # slow work must not hold it
            raw.sendall(client.request_bytes(("a.png", scene()), fields=[("method", "rise"), ("rise.masks", 20_000)]))
            while not client.get("/health").json["queue"]["running"]:
                time.sleep(0.02)
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        assert time.monotonic() - start < 15
        assert process.returncode == 0
        lines = said.splitlines()
        assert "127.0.0.1 GET /health 200 " in said
        assert "GET /\\x1b[31m 404" in said
        assert lines[-1] == "stopped"
        assert all(map(harmless_line, lines))
        assert "Traceback" not in said


@pytest.mark.programs
def test_a_token_of_the_environment_is_asked_for_and_sigterm_stops_too():
    token = "a-token-of-16-or-more"
    with served(environment={**ENVIRONMENT, "GRADCAM_TF1_TOKEN": token}) as (process, url, client):
        assert url.endswith(f"/login#{token}")
        assert client.get("/health").status == 401
        assert client.get("/health", Authorization=f"Bearer {token}").status == 200
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0
        assert token not in said


@pytest.mark.programs
@pytest.mark.skipif(sys.version_info < (3, 9), reason="other addresses need a proxy there")
def test_on_all_addresses_it_says_how_other_machines_reach_it():
    with served("--host", "0.0.0.0") as (process, _, _):
        lines = iter(process.stderr.readline, "Ctrl-C stops it\n")  # TensorFlow may say something first
        assert any(line.endswith("put the IP address of this one in place of 127.0.0.1\n") for line in lines)


def test_a_port_in_use_is_one_sentence():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        said = command("serve", demo_model(), "--preset", "inception", "--port", port, code=2)
        assert f"Error: port {port} of 127.0.0.1 is in use; choose another with --port" in said


def test_a_net_without_its_preprocessing_is_refused_before_it_listens():
    said = command("serve", demo_model(), "--port", "0", code=2)
    assert "choose one with --preset" in said


def test_a_short_token_is_refused_without_showing_it():
    said = command("serve", demo_model(), "--token", "sesame", code=2)
    assert "a token has at least 16 visible ASCII characters" in said
    assert "sesame" not in said
