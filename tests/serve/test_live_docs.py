"""The page about the live page is true: its curl commands work, and its tables are the program's."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from gradcam_tf1.cli import main
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.serve.question import MOST, ONCE
from gradcam_tf1.serve.serve_options import ServeOptions

TEXT = (Path(__file__).resolve().parent.parent.parent / "docs" / "live-page.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"(?m)^    (curl .*)$", TEXT)


def table(first):
    lines = TEXT.split(f"| {first} |")[1].splitlines()[2:]
    rows = [
        line.split("|")[1:-1] for line in lines[: next(n for n, line in enumerate(lines) if not line.startswith("|"))]
    ]
    return [[cell.strip() for cell in row] for row in rows]


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "photos").mkdir()
    for scene in demo_scenes()[:2]:
        shutil.copy(scene.path, str(tmp_path / "photos"))
    return tmp_path


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
@pytest.mark.parametrize("command", COMMANDS)
def test_each_curl_command_is_answered(live, desk, command):
    words = [word.replace(":8765/", f":{live.client.port}/") for word in shlex.split(command)]
    quick = [word.replace("method=rise", "method=gradcam") for word in words] if "-N" in words else words
    done = subprocess.run([*quick, "-s", "--fail"], cwd=str(desk), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer


def test_there_are_commands_of_each_kind():
    assert len(COMMANDS) == 7


def test_the_shown_answer_has_the_keys_of_a_real_one(live, desk):
    (shown,) = re.findall(r'(?s)    (\{"seconds".*?\]\}\]\}\]\})\n', TEXT)
    said = set(re.findall(r'"(\w+)":', shown))
    scene = demo_scenes()[0].path
    real = live.client.explain(("scene_00.png", Path(scene).read_bytes())).json
    names = set()

    def walk(value):
        if isinstance(value, dict):
            names.update(value)
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(item)

    walk(real)
    assert said <= names
    assert set(real) == {"images", "seconds"}
    assert set(real["images"][0]) <= said | {"truth", "thumb", "missing", "row"}


def test_the_table_of_parameters_is_the_programs():
    rows = table("parameter | value | at most")
    named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row[0])}
    assert named == {*MOST, *ONCE, "METHOD.OPTION"}
    most = {
        re.findall(r"`(\w+)`", row[0])[0]: row[2] for row in rows if row[0].startswith("`") and "METHOD" not in row[0]
    }
    assert {name: int(most[name]) for name in MOST} == MOST


def test_the_table_of_options_is_the_programs():
    rows = {re.findall(r"`(--[\w-]+)`", row[0])[0]: row[1] for row in table("option | default | meaning")}
    command = main.commands["serve"]
    own = {flag: parameter for parameter in command.params for flag in parameter.opts if flag in rows}
    assert len(own) == len(rows)
    for flag, shown in rows.items():
        default = getattr(ServeOptions(), own[flag].name, None)
        wanted = (
            ""
            if default in (None, ())
            else f"{default:,.0f}"
            if flag != "--port" and not isinstance(default, str)
            else default
        )
        assert shown == str(wanted), flag
