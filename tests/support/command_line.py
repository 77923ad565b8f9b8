"""The command line through click's runner and as a process, and what it wrote."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path

import click
from click.testing import CliRunner

from gradcam_tf1.cli import main
from gradcam_tf1.nets.demo import demo_model, demo_scenes

SCENES = demo_scenes()
# as a user's process: without the log level that conftest sets
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
PROGRAM = [sys.executable, "-m", "gradcam_tf1"]


def command(*arguments, code=0, stdin=None):
    """Output of a command that must end with this exit code; an unexpected exception fails the test as itself."""
    result = CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def parameters(*words, name="run"):
    """What a command makes of its words, without running it.

    The command keeps the first help option that it makes, so it has the program's settings here too.
    """
    program = click.Context(main, **main.context_settings)
    return main.commands[name].make_context(name, [str(word) for word in words], parent=program).params


def run(photos, out, *options, code=0, preset=("--preset", "inception"), model=None):
    return command("run", model or demo_model(), photos, "--out", out, *preset, *options, code=code)


def manifest(out):
    return [json.loads(line) for line in Path(out, "manifest.jsonl").read_text().splitlines()]


def maps(out):
    return [map for line in manifest(out) for target in line["targets"] for map in target["maps"]]


def harmless_line(text):
    return not any(unicodedata.category(char) in INVISIBLE for char in text)
