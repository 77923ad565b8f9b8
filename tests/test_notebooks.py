"""The notebooks run on this runtime, and those in examples/notebooks are their sources with small outputs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "examples" / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.py"))
MAX_BYTES = 300_000

pytest.importorskip("jupytext")
pytest.importorskip("nbmake")


@pytest.fixture(scope="module")
def maker():
    # matplotlib says so on stderr when the list of fonts takes it long; it is made once, here
    subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], check=True)
    spec = importlib.util.spec_from_file_location("notebooks_script", str(ROOT / "scripts" / "notebooks.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(path: Path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


def texts(path: Path) -> str:
    return "".join("".join(output.get("text", "")) for output in outputs(path))


def check_outputs(path: Path) -> None:
    assert path.stat().st_size < MAX_BYTES
    assert not [
        output for output in outputs(path) if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    kinds = {kind for output in outputs(path) for kind in output.get("data", {})}
    assert {"text/html", "image/jpeg"} <= kinds | ({"text/html"} if path.stem.startswith("choosing") else set())
    content = path.read_text(encoding="utf-8")
    assert not [place for place in ("/tmp/", "/home/", "/root/", str(ROOT)) if place in content]


def test_the_notebooks_are_these():
    assert NAMES == ["choosing_a_layer_and_a_method", "first_steps"]
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_in_step_with_its_source(name, maker):
    """After a change of the source: make notebooks."""
    path = NOTEBOOKS / f"{name}.ipynb"
    made = json.loads(path.read_text(encoding="utf-8"))
    wanted = maker.as_notebook(NOTEBOOKS / f"{name}.py")
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in made["cells"]] == [
        (cell.cell_type, cell.source) for cell in wanted.cells
    ]
    check_outputs(path)
    counts = [cell["execution_count"] for cell in made["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name, maker, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    before = set(NOTEBOOKS.iterdir())
    maker.main(str(tmp_path), name)
    made = tmp_path / f"{name}.ipynb"
    check_outputs(made)
    printed = texts(made)
    if name == "first_steps":
        assert "ring      score   8.59  probability 100%  ok" in printed
        assert "bit for bit the same: True" in printed
        assert "all evidence here is against this class" in made.read_text(encoding="utf-8")
    else:
        falls = {
            line.split(" the score")[0].strip(): float(line.split()[-1])
            for line in printed.splitlines()
            if " falls " in line
        }
        assert len(falls) == 6
        assert falls["random pixels"] < 1 < min(fall for name, fall in falls.items() if name != "random pixels")
    assert os.listdir(str(home)) == []
    assert set(NOTEBOOKS.iterdir()) == before


def test_notebooks_run_with_the_python_of_the_tests(maker, tmp_path):
    source = tmp_path / "which.py"
    source.write_text(
        "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3\n#     language: python\n"
        "#     name: python3\n# ---\n\n# %%\nimport sys\nprint(sys.executable)\n"
    )
    made = tmp_path / "which.ipynb"
    import nbformat

    nbformat.write(maker.as_notebook(source), str(made))
    maker.run([made], tmp_path)
    assert texts(made).strip() == sys.executable
