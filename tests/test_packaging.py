"""What is installed: every module and data file, `nets` inside the package, and the right TensorFlow on each Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Dict, Set

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

import gradcam_tf1

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "gradcam_tf1", "nets")
BUILD = "import sys; from setuptools import build_meta; build_meta.{}(sys.argv[1])"


def shipped(folder: str, prefix: str) -> Set[str]:
    """Every file under `folder` that a user needs, by the name it has after installation."""
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"{prefix}/{path.relative_to(ROOT / folder).as_posix()}" for path in files}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A wheel and an sdist, built without network from a copy, so that the checkout stays as it is."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("built")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(str(ROOT / name), str(copy / name), ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(str(ROOT / name), str(copy))
    for hook in ("build_sdist", "build_wheel"):
        done = subprocess.run(
            [sys.executable, "-c", BUILD.format(hook), str(out)],
            cwd=str(copy),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built) -> Dict[str, bytes]:
    with zipfile.ZipFile(str(next(built.glob("*.whl")))) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def metadata(wheel: Dict[str, bytes]):
    (name,) = [name for name in wheel if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel[name].decode("utf-8"))


def test_the_wheel_has_every_module_and_data_file_under_one_package(wheel):
    wanted = shipped("gradcam_tf1", "gradcam_tf1") | shipped("nets", "gradcam_tf1/nets")
    assert {name for name in wheel if ".dist-info/" not in name} == wanted


def test_the_wheel_has_the_demo_its_marker_and_its_licence(wheel):
    assert "gradcam_tf1/py.typed" in wheel
    graphs = [name for name in wheel if name.startswith("gradcam_tf1/nets/demo/") and name.endswith(".pb")]
    assert len(graphs) == 1
    assert 10_000 < len(wheel[graphs[0]]) < 1_000_000
    assert len([name for name in wheel if name.startswith("gradcam_tf1/nets/demo/scenes/")]) >= 12
    (licence,) = [name for name in wheel if name.endswith("LICENSE")]
    assert b"Apache License" in wheel[licence]


def test_the_sdist_can_build_the_same(built):
    with tarfile.open(str(next(built.glob("*.tar.gz")))) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert shipped("gradcam_tf1", "gradcam_tf1") | shipped("nets", "nets") <= names
    assert {"LICENSE", "README.md", "setup.py", "pyproject.toml"} <= names


def test_the_version_is_said_once(wheel):
    assert metadata(wheel)["Version"] == gradcam_tf1.__version__


@pytest.mark.parametrize(
    ("python", "wanted", "unwanted"),
    [
        ("3.7", {"tensorflow": "1.15.5", "h5py": "2.10.0", "protobuf": "3.20.3"}, {"tf-keras"}),
        ("3.9", {"tensorflow": "2.20.0", "tf-keras": "2.20.1", "h5py": "3.14.0"}, {"protobuf"}),
        ("3.12", {"tensorflow": "2.21.0", "tf-keras": "2.21.0", "h5py": "3.14.0"}, {"protobuf"}),
    ],
)
def test_each_python_gets_its_tensorflow(wheel, python, wanted, unwanted):
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    asked: Dict[str, Requirement] = {}
    for line in metadata(wheel).get_all("Requires-Dist"):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.name not in asked, f"{requirement.name} is asked for twice on Python {python}"
            asked[requirement.name] = requirement
    assert {
        "numpy",
        "opencv-python-headless",
        "matplotlib",
        "scipy",
        "Pillow",
        "click",
        "tqdm",
        "PyYAML",
        "jinja2",
        "bottle",
        "waitress",
    } <= set(asked)
    assert {name for name, version in wanted.items() if version not in asked[name].specifier} == set()
    assert not unwanted & set(asked)
    major = asked["tensorflow"].specifier
    assert ("1.15.5" in major, "2.21.0" in major) == (python == "3.7", python != "3.7")


@pytest.mark.parametrize("pins", sorted((ROOT / "constraints").glob("*.txt")), ids=lambda path: path.stem)
def test_the_tested_pins_are_complete_and_exact(wheel, pins):
    """Each line pins one version, and all that this package asks for on that Python is among them."""
    lines = [line for line in pins.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    pinned = {requirement.name.lower().replace("_", "-"): requirement for requirement in map(Requirement, lines)}
    assert all(str(requirement.specifier).startswith("==") for requirement in pinned.values())
    digits = pins.stem.rsplit("py", 1)[1]
    environment = {**default_environment(), "python_version": f"{digits[0]}.{digits[1:]}"}
    extras = ("onnx", "torch") if pins.stem.startswith("onnx") else ("spark", "lint", "docs")  # as in scripts/venv
    for extra in ("", "test", *extras):
        for line in metadata(wheel).get_all("Requires-Dist"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra}):
                pin = pinned[requirement.name.lower().replace("_", "-")]
                assert next(iter(pin.specifier)).version in requirement.specifier
