"""What the options of the live page refuse, and where it listens."""

from __future__ import annotations

import socket
from unittest import mock

import pytest

from gradcam_tf1 import LiveServer, ServeOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.serve import live_server
from gradcam_tf1.serve.live_server import has_current_waitress, listening_socket

TOKEN = "a-token-of-16-or-more"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": ""}, "host is an address or a name to listen on"),
        ({"host": 7}, "host is an address or a name to listen on"),
        ({"port": -1}, "port is a whole number from 0 to 65535, not -1"),
        ({"port": 65_536}, "port is a whole number"),
        ({"port": True}, "port is a whole number"),
        ({"queue": 0}, "queue is a whole number from 1 to 64, not 0"),
        ({"max_bytes": 2.5}, "max_bytes is a whole number from 1000"),
        ({"max_pixels": 0}, "max_pixels is a whole number from 1"),
        ({"timeout": 0}, "timeout is a number of seconds above 0, not 0"),
        ({"timeout": float("nan")}, "timeout is a number of seconds above 0"),
        ({"timeout": "5"}, "timeout is a number of seconds above 0"),
        ({"behind_proxy": "proxy.example"}, "behind_proxy is the IP address of the proxy, not 'proxy.example'"),
        ({"behind_proxy": 1}, "behind_proxy is the IP address of the proxy"),
        ({"behind_proxy": "*"}, "behind_proxy is the IP address of the proxy"),
        ({"allowed_hosts": ("http://cam.example.org",)}, "an allowed host is 'name' or 'name:port'"),
        ({"allowed_hosts": ("*",)}, "an allowed host is 'name' or 'name:port'"),
        ({"allowed_hosts": (7,)}, "an allowed host is 'name' or 'name:port'"),
    ],
    ids=str,
)
def test_what_is_not_possible_is_refused(options, words):
    with pytest.raises(OptionError, match=words):
        ServeOptions(**options)


@pytest.mark.parametrize(
    "token", ["", "short", "fifteen-chars-x", "with space in it all", "a" * 20 + "\n", "é" * 20, 7]
)
def test_a_token_that_can_be_guessed_is_refused_and_not_shown(token):
    with pytest.raises(OptionError, match="a token has at least 16 visible ASCII characters") as refused:
        ServeOptions(token=token)
    assert len(str(token)) < 2 or str(token) not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "loopback", "needs_token"),
    [
        ({}, True, False),
        ({"host": "localhost"}, True, False),
        ({"host": "::1"}, True, False),
        ({"host": "127.8.9.1"}, True, False),
        ({"host": "0.0.0.0"}, False, True),
        ({"host": "::"}, False, True),
        ({"host": "192.0.2.1"}, False, True),
        ({"host": "somewhere"}, False, True),
        ({"token": TOKEN}, True, True),
        ({"behind_proxy": "127.0.0.1"}, True, True),
    ],
    ids=str,
)
def test_a_token_is_needed_where_others_can_reach_the_page(options, loopback, needs_token):
    made = ServeOptions(**options)
    assert (made.is_loopback, made.needs_token) == (loopback, needs_token)


def test_a_port_in_use_is_one_sentence():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OptionError, match=f"port {port} of 127.0.0.1 is in use; choose another with --port"):
            listening_socket("127.0.0.1", port)


def test_an_address_of_another_machine_cannot_be_served():
    with pytest.raises(OptionError, match=r"port 0 of 192\.0\.2\.1 cannot be served \("):
        listening_socket("192.0.2.1", 0)
    with pytest.raises(OptionError, match=r"there is no address 'no\.such\.name\.invalid' here"):
        listening_socket("no.such.name.invalid", 0)


def test_older_waitress_serves_others_only_behind_a_proxy(net):
    with mock.patch.object(live_server, "has_current_waitress", return_value=False):
        with pytest.raises(OptionError, match=r"has known faults, so that '0\.0\.0\.0' is served behind a proxy only"):
            LiveServer(net, ServeOptions(host="0.0.0.0", port=0))
        served = LiveServer(net, ServeOptions(host="0.0.0.0", port=0, behind_proxy="192.0.2.1"))
        served.stop()
        served.run()


def test_current_waitress_serves_others(net):
    with mock.patch.object(live_server, "has_current_waitress", return_value=True):
        served = LiveServer(net, ServeOptions(host="0.0.0.0", port=0))
    assert served.token is not None
    assert served.url == f"http://127.0.0.1:{served.port}/login#{served.token}"
    served.stop()
    served.run()


def test_the_version_of_waitress_is_known():
    import sys

    assert has_current_waitress() == (sys.version_info >= (3, 9))
    newer = mock.Mock(version=lambda _name: "3.0.0")
    with mock.patch.object(live_server, "import_module", return_value=newer):
        assert not has_current_waitress()


def test_the_server_listens_on_the_sixth_protocol_too(net):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        served = LiveServer(net, ServeOptions(host="::1", port=0))
    except OptionError as error:
        pytest.skip(str(error))
    assert served.url == f"http://[::1]:{served.port}/"
    served.stop()
    served.run()
