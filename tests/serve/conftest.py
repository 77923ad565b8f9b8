"""One live page of the demo net for the tests of a module, and its scenes as bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import open_browser
from live_client import running

from gradcam_tf1.nets.demo import demo_scenes


@pytest.fixture(scope="module")
def live(net):
    with running(net) as live:
        yield live


@pytest.fixture(scope="session")
def scenes():
    """The scenes of the demo net: (name, content of the file)."""
    return [(Path(scene.path).name, Path(scene.path).read_bytes()) for scene in demo_scenes()]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
