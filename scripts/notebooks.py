#!/usr/bin/env python3
"""Make the notebooks of examples/notebooks from their .py files and run them: `make notebooks`.

    scripts/notebooks.py [OUT [NAME ...]]

Runs with the interpreter of this process and without the user's settings of Jupyter, and leaves no files beside the
sources. OUT is examples/notebooks by default.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

import jupytext
import nbformat

SOURCES = Path(__file__).resolve().parent.parent / "examples" / "notebooks"
PRIVATE = ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")
_WIDGET = "application/vnd.jupyter.widget-view+json"


def as_notebook(source: Path) -> nbformat.NotebookNode:
    """Return the notebook of a .py file, not run; the ids of its cells are their numbers."""
    notebook = jupytext.read(str(source))
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell["id"], cell["metadata"] = f"cell-{number}", {}
    return notebook


def run(notebooks: List[Path], home: Path) -> None:
    """Run notebooks in place with nbmake; the kernel sees nothing of the user's settings. Raises CalledProcessError."""
    environment = {**os.environ, **{name: str(home) for name in PRIVATE}}
    plain = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(notebooks[0].parent))
    command = [sys.executable, "-m", "pytest", *plain, "--nbmake", "--nbmake-timeout=300", "--overwrite"]
    subprocess.run([*command, *map(str, notebooks)], env=environment, cwd=str(notebooks[0].parent), check=True)


def without_traces(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a notebook that was run without times, versions, and widgets, which a file shows as they began."""
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    for cell in notebook.cells:
        cell["metadata"] = {}
        if cell.cell_type == "code":
            cell["outputs"] = [output for output in cell.outputs if _WIDGET not in output.get("data", {})]
    return notebook


def main(out: str = str(SOURCES), *names: str) -> None:
    """Make the notebooks with these names, all by default."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        found = names or sorted(source.stem for source in SOURCES.glob("*.py"))
        made = [Path(folder, f"{name}.ipynb") for name in found]
        for path in made:
            nbformat.write(as_notebook(SOURCES / f"{path.stem}.py"), str(path))
        run(made, Path(home))
        for path in made:
            nbformat.write(without_traces(nbformat.read(str(path), 4)), str(Path(out, path.name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
