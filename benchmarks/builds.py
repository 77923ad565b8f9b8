"""The same frozen graphs on several builds of TensorFlow: python benchmarks/builds.py FOLDER ... (`make bench-builds`).

Each FOLDER is a virtual environment with the toolkit; the first is what the others are compared with. Every build runs
in a process of its own, and they are asked in turn, so that whatever else the machine does meets all of them alike.
ROUNDS in the environment says how often.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Optional

import numpy as np
from timing import Case, measure, print_medians

ROUNDS = int(os.environ.get("ROUNDS", "5"))
ASKED = [(net, what) for net in ("demo net", "VGG-19") for what in ("forward", "gradcam", "gradcam + guided_gradcam")]

# Intel's build has threads of its own besides TensorFlow's; left alone they wait for work by counting, which takes the
# cores from everything else. Other builds do not read these.
SETTINGS = {"OMP_NUM_THREADS": str(os.cpu_count()), "KMP_BLOCKTIME": "0"}


class Build:
    """A process with one build of TensorFlow."""

    def __init__(self, folder: str) -> None:
        script = str(Path(__file__).with_name("builds_worker.py"))
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **SETTINGS, **os.environ}
        pipe = subprocess.PIPE
        command = [str(Path(folder) / "bin" / "python"), script]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, universal_newlines=True)

    def ask(self, net: str, what: str, save: Optional[Path] = None) -> Dict[str, Any]:
        """See `builds_worker.py`. Raises: RuntimeError where the process has ended."""
        line = json.dumps({"net": net, "what": what, "save": save and str(save)})
        try:
            print(line, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            told = ""
        else:
            told = self._process.stdout.readline()
        if not told:
            raise RuntimeError(f"{self._process.args[0]} ended with {self._process.wait()} at {line}")
        return json.loads(told)

    def __enter__(self) -> Build:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def print_differences(first: Path, other: Path, name: str) -> None:
    """How far the numbers of another build are from those of the first, in parts of their maximum."""
    with np.load(str(first)) as expected, np.load(str(other)) as found:
        for what in expected.files:
            most = np.abs(expected[what]).max()
            print(f"{name}: {what} differ by {np.abs(found[what] - expected[what]).max() / most:.1e} of the maximum")


def main(*folders: str) -> None:
    with ExitStack() as stack:
        builds = {Path(folder).name: stack.enter_context(Build(folder)) for folder in folders}
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        for net, what in ASKED:
            files = {name: scratch / f"{name}.npz" for name in builds}
            versions = {name: build.ask(net, what, files[name])["tensorflow"] for name, build in builds.items()}
            alternatives = {
                f"{name}: {versions[name]}": lambda build=build, net=net, what=what: build.ask(net, what)["seconds"]
                for name, build in builds.items()
            }
            print(f"\n{net}, 8 images, {what}\n")
            print_medians(measure(Case(alternatives), ROUNDS))
            print()
            first, *others = files
            for name in others:
                print_differences(files[first], files[name], name)


if __name__ == "__main__":
    main(*sys.argv[1:])
