"""A converter in a process of its own: it has another library's memory and faults, and a folder that is removed.

`convert_apart` starts the process, `serve` is what runs in it. They pass `request.json`, `answer.json` and files in the
private folder. The process finds the modules of this Python and of PYTHONPATH; the folder of the model is not searched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from typing import Any, Callable, Dict, Sequence

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError

_REQUEST, _ANSWER, _LOG = "request.json", "answer.json", "log.txt"
_LIMIT = 3600  # seconds
Facts = Dict[str, Any]


def convert_apart(module: str, request: Facts, folder: str, source: str, paths: Sequence[str] = ()) -> Facts:
    """Run a converter in a process of its own.

    Parameters
    ----------
    module : str
        The module that calls `serve`.
    request : dict
        What the converter is asked for, as JSON.
    folder : str
        A private folder; the process runs in it.
    source : str
        What the user gave, for messages.
    paths : sequence of str
        Further folders in which the process finds modules.

    Returns
    -------
    dict
        What the converter answers.

    Raises
    ------
    ModelFileError
        If the converter refuses the model, fails, or takes longer than an hour.
    """
    with open(os.path.join(folder, _REQUEST), "w", encoding="utf-8") as file:
        json.dump(request, file)
    with open(os.path.join(folder, _LOG), "wb") as log:
        try:
            code = subprocess.run(
                [sys.executable, "-m", module],
                cwd=folder,
                env=_environment(folder, paths),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_LIMIT,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise ModelFileError(f"{source}: the conversion was stopped after {_LIMIT // 60} minutes") from error
    answer = _answer(folder)
    if "error" in answer:
        raise ModelFileError(f"{source}: {answer['error']}")
    if code != 0 or not answer:
        raise ModelFileError(f"{source}: the conversion ended with exit code {code}{_last_line(folder)}")
    return answer


def _environment(folder: str, paths: Sequence[str]) -> Dict[str, str]:
    """The converter computes on the CPU, finds the tools beside its Python, and keeps its files in its folder."""
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    found = [*filter(None, named), os.path.dirname(os.path.dirname(runtime.__file__)), *paths]
    beside = os.path.dirname(sys.executable)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in found),
        "PATH": os.pathsep.join(filter(None, [beside, os.environ.get("PATH")])),
        "TMPDIR": folder,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _answer(folder: str) -> Facts:
    try:
        with open(os.path.join(folder, _ANSWER), encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return {}


def _last_line(folder: str) -> str:
    with open(os.path.join(folder, _LOG), encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in file.read()[-4000:].splitlines() if line.strip()]
    return f"; its last words: {lines[-1][:300]}" if lines else ""


def serve(convert: Callable[[Facts], Facts]) -> None:
    """Answer the request in the current folder, inside the process that `convert_apart` started."""
    with open(_REQUEST, encoding="utf-8") as file:
        request = json.load(file)
    try:
        answer = convert(request)
    except ModelFileError as error:
        answer = {"error": str(error)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - libraries raise errors of any type, or call sys.exit
        traceback.print_exc()
        answer = {"error": f"the converter failed: {reason_of(error)}"}
    with open(_ANSWER, "w", encoding="utf-8") as file:
        json.dump(answer, file)


def reason_of(error: BaseException) -> str:
    """Return the type of an error and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
