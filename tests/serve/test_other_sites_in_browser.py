"""Pages of other sites in a real browser, and the login by a link."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager

import pytest
from browser import Visitor, console
from live_client import running

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes

pytestmark = pytest.mark.programs


@contextmanager
def other_site(text):
    """A page of a stranger on this machine, at another port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


STRANGER = """
<script>
async function attack(base) {
  const said = {};
  const form = new FormData();
  form.append("image", new Blob(["x"], {type: "image/png"}), "x.png");
  for (const mode of ["cors", "no-cors"]) {
    try { said[mode] = (await fetch(base + "explain", {method: "POST", body: form, mode})).type; }
    catch (error) { said[mode] = "failed"; }
  }
  try { said.read = await (await fetch(base + "model")).text(); } catch (error) { said.read = "failed"; }
  said.script = await new Promise((done) => {
    const script = document.createElement("script");
    script.onload = () => done("loaded"); script.onerror = () => done("failed");
    script.src = base + "core.js"; document.body.append(script);
  });
  return said;
}
</script><body></body>
"""


def test_pages_of_other_sites_can_neither_ask_nor_read_nor_frame(browser, live):
    with other_site(STRANGER) as url:
        before = live.queue["finished"]
        browser.get(url)
        said = browser.execute_async_script("attack(arguments[0]).then(arguments[1])", live.server.url)
        assert said["cors"] == said["read"] == said["script"] == "failed"
        assert live.queue["finished"] == before
        framed = f"<iframe src='{live.server.url}'></iframe>"
        browser.execute_script("document.body.innerHTML = arguments[0]", framed)
        threading.Event().wait(0.3)
        logged = " ".join(console(browser))
        assert "frame-ancestors 'none'" in logged or "X-Frame-Options" in logged
    browser.get("about:blank")


def test_the_link_with_a_token_logs_in_and_leaves_none_in_the_address(browser, net):
    token = "a-token-of-16-or-more"
    with running(net, token=token) as live:
        browser.get(live.server.url)
        visitor = Visitor(browser, live.server.url)
        visitor.wait("document.querySelector('.pane')")
        assert browser.current_url == f"http://127.0.0.1:{live.client.port}/"
        assert token not in visitor.js("return document.cookie + JSON.stringify(localStorage)")
        field = browser.find_element("css selector", "input[type=file]")
        field.send_keys(demo_scenes()[8].path)
        visitor.wait("document.querySelector('.status').textContent.startsWith('Explained in')", 20)
        browser.delete_all_cookies()
        browser.get(f"http://127.0.0.1:{live.client.port}/")
        visitor.wait("location.pathname === '/login'")
        assert visitor.text("h1") == "This page asks for a token"
        console(browser)


def test_hostile_class_names_stay_text(browser):
    """Labels come with strangers' models."""
    hostile = [
        f"<img src=x onerror=\"document.title='hit {n}'\">'\"><script>document.title='hit'</script>" for n in range(7)
    ]
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=hostile) as net, running(net) as live:
        browser.get(live.server.url)
        console(browser)
        visitor = Visitor(browser, live.server.url)
        visitor.wait("document.querySelector('.pane')")
        browser.find_element("css selector", "input[type=file]").send_keys(demo_scenes()[8].path)
        visitor.wait("document.querySelector('.status').textContent.startsWith('Explained in')", 20)
        assert hostile[4] in visitor.texts(".bar-name")
        assert (
            visitor.js("return document.querySelectorAll('#panes img:not(.preview):not(.layer), #panes script').length")
            == 0
        )
        assert visitor.js("return document.querySelector('datalist option').value") == hostile[0]
        assert browser.title == "Explain images \u00b7 demo_net.pb"
        assert console(browser) == []
        browser.get("about:blank")
