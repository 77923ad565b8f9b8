"""Who is answered: names, sites, tokens and proxies; and the headers of every answer."""

from __future__ import annotations

import re

import pytest
from live_client import form, running

from gradcam_tf1.serve.guard import Guard, Refusal
from gradcam_tf1.serve.serve_options import ServeOptions

TOKEN = "a-token-of-16-or-more"


def refused(guard, host="127.0.0.1:8765", method="GET", path="/", peer="127.0.0.1", **headers):
    """The status of a refusal, or None."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": peer}
    environ.update({f"HTTP_{name}": value for name, value in headers.items()})
    if host is not None:
        environ["HTTP_HOST"] = host
    try:
        guard.check(environ)
    except Refusal as refusal:
        return refusal.status
    return None


def guard(port=8765, **options):
    return Guard(ServeOptions(**options), port)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_the_names_of_this_machine_are_answered(host):
    assert refused(guard(), host) is None


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example:8765",
            "evil.example",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost:8766",
            "127.0.0.1.evil.example:8765",
        ),
        *("localhost.evil.example:8765", "", None, "127.0.0.1:8765@evil.example", "2130706433:8765", "0.0.0.0:8765"),
        "127.0.0.1:8765, evil.example",
    ],
)
def test_other_names_are_refused(host):
    """A page whose name was bound to this address sends its own name: DNS rebinding."""
    assert refused(guard(), host) == 421


def test_allowed_names_are_answered_as_they_were_given():
    both = guard(allowed_hosts=("cam.example.org", "Other.example:8443"))
    assert refused(both, "cam.example.org") is None
    assert refused(both, "other.example:8443") is None
    assert refused(both, "cam.example.org:8765") == 421
    assert refused(both, "other.example") == 421


def test_port_80_needs_no_port_in_the_name():
    assert refused(guard(port=80), "localhost") is None


def test_all_addresses_are_names_of_a_page_for_all_addresses():
    everywhere = guard(host="0.0.0.0", token=TOKEN)
    bearer = {"AUTHORIZATION": f"Bearer {TOKEN}"}
    assert refused(everywhere, "192.0.2.7:8765", **bearer) is None
    assert refused(everywhere, "[2001:db8::1]:8765", **bearer) is None
    assert refused(everywhere, "evil.example:8765", **bearer) == 421


OTHERS = [
    {"ORIGIN": "http://evil.example"},
    {"ORIGIN": "null"},
    {"ORIGIN": "http://127.0.0.1:9999"},
    {"ORIGIN": "http://127.0.0.1:8765.evil.example"},
    {"ORIGIN": "http://user@127.0.0.1:8765"},
    {"ORIGIN": "file://"},
    {"ORIGIN": "http://[broken"},
    {"SEC_FETCH_SITE": "cross-site"},
    {"SEC_FETCH_SITE": "same-site"},
    {"SEC_FETCH_SITE": "cross-site", "ORIGIN": "http://127.0.0.1:8765"},
]


@pytest.mark.parametrize("headers", OTHERS, ids=str)
def test_posts_of_other_sites_are_refused(headers):
    assert refused(guard(), method="POST", path="/explain", **headers) == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"ORIGIN": "http://127.0.0.1:8765", "SEC_FETCH_SITE": "same-origin"}, {"SEC_FETCH_SITE": "none"}],
    ids=str,
)
def test_posts_of_the_page_and_of_curl_are_answered(headers):
    assert refused(guard(), method="POST", path="/explain", **headers) is None


def test_a_page_that_others_can_reach_makes_a_token():
    assert guard().token is None
    first, second = (guard(host="0.0.0.0").token for _ in range(2))
    assert first != second
    assert len(first) >= 32
    assert guard(behind_proxy="127.0.0.1").token is not None


def test_a_token_is_needed_where_there_is_one():
    one = guard(token=TOKEN)
    assert refused(one) == 401
    assert refused(one, method="POST", path="/explain") == 401
    assert refused(one, path="/health") == 401
    assert refused(one, path="/login") is None
    for header in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
        assert refused(one, AUTHORIZATION=header) is None
    for header in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer \xff"):
        assert refused(one, AUTHORIZATION=header) == 401


def test_a_cookie_stands_for_the_token_and_does_not_hold_it():
    one, other = guard(token=TOKEN), guard(token=TOKEN + "2")
    assert TOKEN not in one.session
    assert refused(one, COOKIE=f"{one.cookie}={one.session}") is None
    assert refused(one, COOKIE=f'odd[]; a="b; {one.cookie}={one.session}; c') is None
    for cookie in (f"{one.cookie}={TOKEN}", f"{one.cookie}={other.session}", f"other={one.session}", "", ";;=;"):
        assert refused(one, COOKIE=cookie) == 401


def test_a_page_behind_a_proxy_answers_nobody_else():
    behind = guard(behind_proxy="192.0.2.1", token=TOKEN)
    bearer = {"AUTHORIZATION": f"Bearer {TOKEN}"}
    assert refused(behind, peer="192.0.2.1", **bearer) is None
    assert refused(behind, peer="::ffff:192.0.2.1", **bearer) is None
    assert refused(behind, peer="192.0.2.2", **bearer) == 403
    assert refused(behind, peer="", **bearer) == 403


# over the wire

SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/viewer.js", 200),
        ("GET", "/health", 200),
        ("GET", "/nothing", 404),
        ("GET", "/deep/nothing", 404),
        ("PUT", "/explain", 405),
        ("POST", "/explain", 415),
        ("GET", "/explain", 404),
    ],
)
def test_every_answer_has_the_headers(live, method, path, status):
    answer = live.client.ask(method, path)
    assert answer.status == status
    assert {name: answer.headers.get(name) for name in SAFE} == SAFE
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    if status >= 400:
        assert answer.error


def test_a_refusal_has_them_too(live):
    answer = live.client.get("/", Host="evil.example")
    assert answer.status == 421
    assert "allow it with --allow-host" in answer.error
    assert {name: answer.headers.get(name) for name in SAFE} == SAFE


def test_a_post_of_another_site_is_refused(live, scenes):
    answer = live.client.explain(scenes[0], Origin="http://evil.example")
    assert (answer.status, answer.error) == (403, "requests of other sites are refused")


@pytest.fixture(scope="module")
def closed(net):
    with running(net, token=TOKEN) as live:
        yield live


def test_the_login_gives_a_cookie_that_opens_the_page(closed, scenes):
    url = closed.server.url
    assert url == f"http://127.0.0.1:{closed.client.port}/login#{TOKEN}"
    first = closed.client.get("/")
    assert (first.status, first.headers["location"]) == (303, "/login")
    for path in ("/login", "/login.js", "/live.css", "/theme.css"):
        assert closed.client.get(path).status == 200
    for path in ("/live.js", "/model", "/health", "/viewer.js"):
        answer = closed.client.get(path)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    wrong = closed.client.ask("POST", "/login", "token=guess", kind)
    assert wrong.status == 401
    assert "not the token" in wrong.error
    assert "set-cookie" not in wrong.headers
    right = closed.client.ask("POST", "/login", f"token={TOKEN}", kind)
    assert (right.status, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"]
    assert re.search(r"(?i)httponly", cookie)
    assert re.search(r"(?i)samesite=strict", cookie)
    assert "secure" not in cookie.lower()
    assert TOKEN not in cookie
    opened = closed.client.get("/", Cookie=cookie.split(";")[0])
    assert opened.status == 200
    assert closed.client.explain(scenes[0], Authorization=f"Bearer {TOKEN}").status == 200
    assert closed.client.explain(scenes[0]).status == 401


def test_a_login_from_another_site_is_refused(closed):
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://evil.example"}
    assert closed.client.ask("POST", "/login", f"token={TOKEN}", kind).status == 403


def test_a_long_token_is_not_compared(closed):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert closed.client.ask("POST", "/login", "token=" + "x" * 500_000, kind).status == 401


def test_a_proxy_says_how_it_was_called(net):
    with running(net, behind_proxy="127.0.0.1", token=TOKEN, allowed_hosts=("cam.example.org",)) as live:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Host": "cam.example.org",
            "Origin": "https://cam.example.org",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "203.0.113.9",
        }
        answer = live.client.ask("POST", "/login", f"token={TOKEN}", headers)
        assert answer.status == 303
        assert "secure" in answer.headers["set-cookie"].lower()


def test_forwarded_headers_of_strangers_change_nothing(closed):
    body, kind = form([("a.png", b"x")])
    headers = {"Content-Type": kind, "X-Forwarded-Host": "127.0.0.1", "X-Forwarded-For": "127.0.0.1", "Host": "evil"}
    assert closed.client.ask("POST", "/explain", body, headers).status == 421
