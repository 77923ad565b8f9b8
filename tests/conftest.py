"""What several test files share: real nets, the demo net, and quiet logs."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from real_models import find_models

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# The nets of the tests are small and the workers of `-n` use all cores: threads that wait for each other only spin.
for _name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.hookimpl(hookwrapper=True)
def pytest_collection():
    """Leave what importing and collecting makes out of garbage collection: a third of that time went into it.

    These are more than a million objects that live to the end. Looking through them took a tenth of all tests' time.
    """
    gc.disable()
    yield
    gc.enable()
    gc.freeze()


def pytest_runtest_setup():
    """Switch TensorFlow 1's warnings of outdated arguments off: for these it looks at a signature for each op it makes.

    That is a fifth of the time in which graphs are built. The warnings are about calls inside TensorFlow.
    """
    for name in ("tensorflow.python.util.deprecation", "tensorflow_core.python.util.deprecation"):
        if name in sys.modules:
            sys.modules[name]._PRINT_DEPRECATION_WARNINGS = False


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The real nets; the test is skipped where they are absent."""
    folder = find_models()
    if folder is None:
        pytest.skip("no real nets: set GRADCAM_TF1_MODELS or put them at ../shared/models")
    return folder


# Imports are inside: pytest looks at all names of this file, which would load TensorFlow.


@pytest.fixture
def graph():
    """A graph of the test's own, which is the default one."""
    from gradcam_tf1.tf_runtime import tf

    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture(scope="module")
def net():
    """The demo net with its labels."""
    from gradcam_tf1.graph import GradCamGraph
    from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model

    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        yield net


@pytest.fixture
def out(tmp_path):
    """An output folder that is not there yet."""
    return str(tmp_path / "out")


@pytest.fixture
def labels(tmp_path):
    """A file of the demo's class names, one in each line."""
    from gradcam_tf1.nets.demo import DEMO_CLASSES

    path = tmp_path / "labels.txt"
    path.write_text("\n".join(DEMO_CLASSES))
    return str(path)
