"""An exported model runs in a program of C, which links the libraries of the installed TensorFlow and no Python."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

_SOURCE = Path(__file__).with_name("map_of_an_image.c")
_COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(_COMPILER is None, reason="no C compiler here"),
]


def libraries():
    """The shared libraries with the C API of the installed TensorFlow; that of 1.15 needs Python's own beside it."""
    folder = tf.sysconfig.get_lib()
    found = sorted(glob.glob(os.path.join(folder, "libtensorflow_framework.so.[12]")))
    found.insert(0, os.path.join(folder, "libtensorflow_cc.so.2"))
    if not os.path.exists(found[0]):
        found[0] = os.path.join(folder, "python", "_pywrap_tensorflow_internal.so")
        python = os.path.join(*map(str, sysconfig.get_config_vars("LIBDIR", "LDLIBRARY")))
        if ".so" not in python or not os.path.exists(python):
            pytest.skip("this Python is no shared library, which the library of TensorFlow 1.15 needs")
        found.append(python)
    return found


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("c") / "map_of_an_image")
    linked = libraries()
    folders = [f"-Wl,-rpath,{folder}" for folder in sorted({os.path.dirname(each) for each in linked})]
    command = [
        _COMPILER,
        "-std=c99",
        "-Wall",
        "-Werror",
        str(_SOURCE),
        "-o",
        path,
        "-Wl,--no-as-needed",
        *linked,
        *folders,
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return path


def test_the_map_of_a_c_program_is_that_of_explain(program, tmp_path):
    image = read_image(demo_scenes()[0].path)
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        done = net.export(str(tmp_path / "model"))
        expected = net.explain(image)["gradcam"][0, 0]
        pixels = net.fit_image(image).pixels.astype(np.float32)
    names = [done.inputs["images"].name, done.outputs["cam"].name]
    assert all(name.endswith(":0") for name in names)
    words = [program, done.folder, *(name[:-2] for name in names), *map(str, pixels.shape[:2])]
    ran = subprocess.run(words, input=pixels.tobytes(), capture_output=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    found = np.frombuffer(ran.stdout, np.float32).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.max())
    wrong = subprocess.run(
        [*words[:3], "no/such", *words[4:]], input=pixels.tobytes(), capture_output=True, check=False
    )
    assert wrong.returncode == 1
    assert b"no op no/such" in wrong.stderr
