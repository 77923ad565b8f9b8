"""scripts/find-python and scripts/venv, with small shell scripts in place of the machine's interpreters."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("bash", "cat", "cp", "env", "cksum", "dirname", "head", "mkdir", "rm", "sed", "awk", "sh", "sleep", "tr")

# Answers the finder's probe and the version question; `-m venv DIR` makes an environment whose Python logs its calls.
INTERPRETER = """#!/bin/sh
case "$*" in
*ensurepip*) echo "{version} $0" ;;
*version_info*) echo "{version}" ;;
"-m venv "*) mkdir -p "$3/bin" && echo venv >>"$PWD/log" && cp "$0.inner" "$3/bin/python" ;;
esac
"""
INNER = """#!/bin/sh
case "$*" in
"-m pip "*setuptools*) echo "pip base" >>"$PWD/log" ;;
"-m pip "*) [ ! -e "$PWD/break-pip" ] || { echo "no such package" >&2; exit 1; }; echo "pip $*" >>"$PWD/log" ;;
esac
"""


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def interpreter(path: Path, version: str) -> Path:
    executable(Path(f"{path}.inner"), INNER)
    return executable(path, INTERPRETER.format(version=version))


@pytest.fixture
def machine(tmp_path: Path):
    """A folder with nothing but the shell tools on its PATH, and a way to run a script there."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))

    def run(script: Path, *arguments: str, **variables: str):
        environment = {"PATH": str(tools), "HOME": str(tmp_path / "home"), **variables}
        return subprocess.run(
            [str(script), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    run.tools = tools
    return run


def find(machine, *versions: str, **variables: str):
    return machine(ROOT / "scripts/find-python", *versions, **variables)


def test_a_failing_shim_is_passed_over(machine, tmp_path):
    executable(machine.tools / "python3.7", "#!/bin/sh\necho 'pyenv: python3.7: command not found' >&2\nexit 127\n")
    assert find(machine, "3.7").returncode == 1

    root = tmp_path / "py env"
    real = interpreter(root / "versions/3.7.16/bin/python", "3.7")
    answer = find(machine, "3.7", PYENV_ROOT=str(root))
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, f"{real}\n", "")


def test_the_path_comes_before_pyenv_and_the_first_version_before_the_second(machine, tmp_path):
    interpreter(tmp_path / "home/.pyenv/versions/3.12.1/bin/python", "3.12")
    eleven = interpreter(machine.tools / "python3.11", "3.11")
    assert find(machine, "3.12", "3.11").stdout == f"{eleven}\n"
    twelve = interpreter(machine.tools / "python3", "3.12")
    assert find(machine, "3.12", "3.11").stdout == f"{eleven}\n"  # the versioned name is the surer one
    assert find(machine, "3.12").stdout == f"{twelve}\n"


def test_uv_is_asked_but_may_not_download(machine, tmp_path):
    real = interpreter(tmp_path / "uv/python", "3.9")
    executable(
        machine.tools / "uv",
        f'#!/bin/sh\n[ "$UV_PYTHON_DOWNLOADS $*" = "never python find 3.9" ] && echo "{real}"\n',
    )
    assert find(machine, "3.10", "3.9").stdout == f"{real}\n"


def test_conda_environments_are_searched(machine, tmp_path):
    real = interpreter(tmp_path / "envs/old net/bin/python", "3.7")
    interpreter(tmp_path / "conda/bin/python", "3.12")
    listed = tmp_path / "home/.conda/environments.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text(f"{tmp_path}/conda\n{tmp_path}/envs/gone\n{tmp_path}/envs/old net\n")
    assert find(machine, "3.7").stdout == f"{real}\n"

    listed.unlink()
    executable(machine.tools / "conda", f"#!/bin/sh\necho '# conda environments:'\necho 'base  *  {tmp_path}/conda'\n")
    assert find(machine, "3.12").stdout == f"{tmp_path}/conda/bin/python\n"


def test_an_explicit_python_is_taken_or_refused(machine, tmp_path):
    interpreter(machine.tools / "python3.7", "3.7")
    chosen = interpreter(tmp_path / "mine/python", "3.7")
    assert find(machine, "3.7", PYTHON=str(chosen)).stdout == f"{chosen}\n"

    refused = find(machine, "3.9", "3.10", PYTHON=str(chosen))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"PYTHON={chosen} is Python 3.7; possible here: 3.9 3.10" in refused.stderr

    broken = find(machine, "3.7", PYTHON="no-such-python")
    assert (broken.returncode, broken.stdout) == (2, "")
    assert "PYTHON=no-such-python does not run" in broken.stderr


def test_this_python_passes_the_real_probe(machine):
    version = "{}.{}".format(*sys.version_info)
    answer = find(machine, version, PYTHON=sys.executable)
    assert answer.returncode == 0, answer.stderr
    assert os.path.samefile(answer.stdout.strip(), sys.executable)


@pytest.fixture
def checkout(machine, tmp_path):
    """A checkout of the files that scripts/venv looks at, with a Python 3.7 and a Python 3.9 to find."""
    folder = tmp_path / "the checkout"
    for name in ("scripts/find-python", "scripts/venv"):
        executable(folder / name, (ROOT / name).read_text())
    for name in ("setup.py", "pyproject.toml", "constraints/tf1-py37.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x = 1\n")
    interpreter(machine.tools / "python3.7", "3.7")
    interpreter(machine.tools / "python3.9", "3.9")

    def venv(runtime: str, **variables: str):
        answer = machine(folder / "scripts/venv", runtime, **variables)
        log = folder / "log"
        calls = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return answer, calls

    venv.folder = folder
    return venv


PIP = (
    "pip -m pip install --quiet --quiet --no-input --disable-pip-version-check "
    "{}--no-build-isolation --editable .[test,spark,lint,docs]"
)
TF1_INSTALL = PIP.format("-c constraints/tf1-py37.txt ")


def test_an_environment_is_made_once(checkout):
    answer, calls = checkout("reference")
    assert (answer.returncode, answer.stdout) == (0, ".venv-tf1\n"), answer.stderr
    assert calls == ["venv", "pip base", TF1_INSTALL]
    answer, calls = checkout("tf1")
    assert (answer.stdout, answer.stderr, calls) == (".venv-tf1\n", "", [])
    assert not (checkout.folder / ".venv-tf1.lock").exists()


def test_a_changed_definition_installs_again(checkout):
    checkout("tf1")
    for name in ("setup.py", "constraints/tf1-py37.txt"):
        (checkout.folder / name).write_text("x = 2\n")
        assert checkout("tf1")[1] == ["pip base", TF1_INSTALL]
        assert checkout("tf1")[1] == []


def test_a_half_made_environment_is_made_anew(checkout):
    trouble = checkout.folder / "break-pip"
    trouble.touch()
    answer, calls = checkout("tf1")
    assert answer.returncode != 0
    assert "no such package" in answer.stderr
    assert (answer.stdout, calls) == ("", ["venv", "pip base"])
    trouble.unlink()
    (checkout.folder / ".venv-tf1/leftover").touch()
    assert checkout("tf1")[1] == ["venv", "pip base", TF1_INSTALL]
    assert not (checkout.folder / ".venv-tf1/leftover").exists()


def test_another_interpreter_or_a_broken_one_means_a_new_environment(checkout, tmp_path):
    checkout("tf1")
    other = interpreter(tmp_path / "other/python", "3.7")
    assert checkout("tf1", PYTHON=str(other))[1][0] == "venv"
    executable(checkout.folder / ".venv-tf1/bin/python", "#!/bin/sh\nexit 1\n")
    assert checkout("tf1", PYTHON=str(other))[1] == ["venv", "pip base", TF1_INSTALL]


def test_the_lock_of_a_dead_process_is_taken_over(checkout):
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = checkout.folder / ".venv-tf1.lock"
    lock.mkdir()
    (lock / "owner").write_text(f"{dead.pid}\n")
    assert checkout("tf1")[1] == ["venv", "pip base", TF1_INSTALL]
    assert not lock.exists()


def test_without_python_3_7_the_reference_is_tensorflow_2_and_says_so(checkout, machine):
    (machine.tools / "python3.7").unlink()
    answer, calls = checkout("reference")
    assert (answer.returncode, answer.stdout) == (0, ".venv-tf2\n")
    assert "No Python 3.7 for TensorFlow 1.15 was found" in answer.stderr
    assert "TensorFlow 2 in compat.v1 mode" in answer.stderr
    assert "no tested pins for Python 3.9" in answer.stderr
    assert calls == ["venv", "pip base", PIP.format("")]

    answer, _ = checkout("tf1")
    assert answer.returncode == 1
    assert "No Python for tf1 was found" in answer.stderr


def test_an_explicit_python_decides_the_runtime_of_the_reference(checkout, machine):
    nine = str(machine.tools / "python3.9")
    assert checkout("reference", PYTHON=nine)[0].stdout == ".venv-tf2\n"
    answer, calls = checkout("tf1", PYTHON=nine)
    assert (answer.returncode, answer.stdout, calls) == (2, "", [])
    assert "is Python 3.9; possible here: 3.7" in answer.stderr


def test_intels_build_takes_the_place_of_the_stock_one(checkout):
    answer, calls = checkout("intel")
    assert (answer.returncode, answer.stdout) == (0, ".venv-intel\n"), answer.stderr
    *ordinary, away, other = calls
    assert ordinary == ["venv", "pip base", TF1_INSTALL]
    assert away == "pip -m pip uninstall --quiet --quiet --yes --disable-pip-version-check tensorflow"
    assert other == (
        "pip -m pip install --quiet --quiet --no-input --disable-pip-version-check -c constraints/tf1-py37.txt "
        "--no-deps --force-reinstall intel-tensorflow<1.16"
    )
    assert checkout("intel")[1] == []
    assert checkout("tf1")[0].stdout == ".venv-tf1\n"


def test_onnx_has_an_environment_of_its_own_with_the_pythons_of_its_tensorflow(checkout, machine, tmp_path):
    answer, calls = checkout("onnx")
    assert (answer.returncode, answer.stdout, calls) == (1, "", [])
    assert "No Python for onnx was found" in answer.stderr
    interpreter(machine.tools / "python3.12", "3.12")
    answer, calls = checkout("onnx")
    assert (answer.returncode, answer.stdout) == (0, ".venv-onnx\n"), answer.stderr
    assert calls[-1].endswith("--editable .[test,onnx,torch]")


def test_an_unknown_runtime_shows_the_usage(checkout):
    answer, calls = checkout("tf3")
    assert (answer.returncode, calls) == (2, [])
    assert "usage: scripts/venv tf1|intel|tf2|onnx|reference" in answer.stderr


@pytest.mark.parametrize("failing", [[], ["test"], ["lint", "demo"]])
def test_ci_runs_every_step_and_fails_if_one_failed(machine, tmp_path, failing):
    script = executable(tmp_path / "clone/.ci/run", (ROOT / ".ci/run").read_text())
    fails = " ".join(failing)
    executable(
        machine.tools / "make", f'#!/bin/sh\ncat\necho "$1" >>log\ncase " {fails} " in *" $1 "*) exit 2 ;; esac\n'
    )
    answer = machine(script, CI="true")
    steps = ["lint", "test", "test-tf2", "test-programs", "test-programs-tf2", "test-onnx", "demo", "docs"]
    assert (tmp_path / "clone/log").read_text().split() == steps
    assert answer.returncode == (1 if failing else 0)
    assert answer.stdout.splitlines()[-1] == (f"failed: {fails}" if failing else "all steps passed")


@pytest.mark.parametrize(("there", "works"), [(True, True), (False, True), (False, False)])
def test_ci_installs_a_browser_and_a_java_where_there_are_none_and_needs_them(machine, tmp_path, there, works):
    script = executable(tmp_path / "clone/.ci/run", (ROOT / ".ci/run").read_text())
    executable(machine.tools / "make", '#!/bin/sh\necho "$GRADCAM_TF1_NEEDS_BROWSER $GRADCAM_TF1_NEEDS_JAVA" >>needs\n')
    executable(machine.tools / "apt-get", f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >>apt\nexit {0 if works else 100}\n')
    for name in ("chromium", "chromedriver", "java") if there else ():
        executable(machine.tools / name, "#!/bin/sh\n")
    answer = machine(script)
    log = tmp_path / "clone/apt"
    calls = log.read_text().splitlines() if log.exists() else []
    assert len(calls) == (0 if there else 2 if works else 1)
    assert all(call.startswith("noninteractive -qq ") for call in calls)
    assert ("chromium chromium-driver fonts-dejavu-core default-jre" in "".join(calls)) == (not there and works)
    assert ("apt-get could not install chromium" in answer.stdout) == (not there and not works)
    assert set((tmp_path / "clone/needs").read_text().split()) == {"1"}
