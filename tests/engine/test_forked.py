"""A forked process says that TensorFlow does not work in it, where it would hang; a spawned one works."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import multiprocessing
import numpy as np
from gradcam_tf1 import GradCamGraph, load
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model

IMAGE = np.full((64, 64, 3), 100, np.uint8)

def ask_inherited(_):
    with net:
        return net.explain([IMAGE]).maps

def open_own(_):
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as own:
        return sorted(own.explain([IMAGE]).maps)

def told(pool, what):
    try:
        return str(pool.apply_async(what, (0,)).get(60))
    except Exception as error:
        return type(error).__name__ + " " + str(error)

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(1) as early:  # before any net is opened
        with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
            for state in ("unused", "used"):
                with multiprocessing.get_context("fork").Pool(1) as pool:
                    print(state, "inherited:", told(pool, ask_inherited))
                    print(state, "own:", told(pool, open_own))
                print(state, "parent:", len(net.explain([IMAGE]).maps))
            print("early:", told(early, open_own))
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print("spawned:", told(pool, open_own))
"""


@pytest.mark.programs
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_and_spawned_processes(tmp_path):
    """Forks of a process that has opened a net, before and after its first use; one forked earlier; a spawned one."""
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, check=False)
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    refused = "RunError this process was forked from one that had opened a net"
    for state in ("unused", "used"):
        assert told[f"{state} inherited"].startswith(refused), done.stderr
        assert told[f"{state} own"].startswith(refused)
        assert "open the net in a process that is started anew" in told[f"{state} own"]
        assert told[f"{state} parent"] == "1"
    assert "gradcam" in told["spawned"]
    assert "gradcam" in told["early"]
