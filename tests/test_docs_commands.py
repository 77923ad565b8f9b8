"""The commands of the documentation: each is one that the program takes, and works where it can be run."""

from __future__ import annotations

import contextlib
import re
import shlex
import textwrap
from pathlib import Path
from typing import Dict, List

import click
import pytest
from click.testing import CliRunner
from command_line import parameters
from docs_desk import TEXTS, desk, lay_out_photos, workshop  # noqa: F401  fixtures

from gradcam_tf1.cli import main
from gradcam_tf1.cli.older_names import translated

pytestmark = pytest.mark.programs

# Commands that are not run here, each with the reason.
ELSEWHERE = {
    "docs/recipes.md": "test_docs_recipes.py runs them on nets with such names",
    "docs/scale.md": "they need a cluster; tests/spark has one",
}
UNTIL_STOPPED = {"serve": "it answers until it is stopped; the tests of the live page start it"}


def options() -> Dict[str, List[str]]:
    """Subcommand -> its options as the command line has them."""
    return {
        name: [flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)]
        for name, command in main.commands.items()
    }


def commands(page: str) -> List[List[str]]:
    """The words of each `gradcam-tf1 ...` of an indented block, without what only shows the form, such as MODEL."""
    lines = re.findall(r"(?m)^    (?:\$ )?gradcam-tf1 (.*)$", TEXTS[page])
    words = [shlex.split(line, comments=True) for line in lines]
    return [each for each in words if not any(re.fullmatch(r"[A-Z]+", word) for word in each)]


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_option_that_is_named_exists(page):
    known = {flag for flags in options().values() for flag in flags} | {"--help", "--version"}
    others = "ruff|mypy|pip|git|pytest|sphinx|curl|tensorboard|saved_model_cli|spark-submit|gcloud"
    ours = re.sub(rf"(?m)^.*\b({others})\b.*$", "", TEXTS[page])
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", ours))
    assert {next(translated([flag, "value"])) for flag in named} - {"value"} <= known


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_command_line_that_is_shown_parses(page):
    """With its own subcommand's options and arguments."""
    for command, rest in re.findall(r"(?m)^    (?:\$ )?gradcam-tf1 (\w+)(.*)$", TEXTS[page]):
        assert command in main.commands
        words = [word.strip("'\"") for word in rest.split("#")[0].split()]
        with contextlib.suppress(click.exceptions.BadParameter):  # a path that is not there
            parameters(*words, name=command)


@pytest.mark.parametrize("page", [page for page in sorted(TEXTS) if commands(page) and page not in ELSEWHERE])
def test_the_commands_of_a_page_work_one_after_the_other(page, workshop):  # noqa: F811
    lay_out_photos(page)
    for name, text in re.findall(r"(?ms)^```yaml\n# (\S+)\n(.*?)^```", TEXTS[page]):  # a file that the page shows
        Path(name).write_text(text, encoding="utf-8")
    for words in commands(page):
        if words[0] not in UNTIL_STOPPED:
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}"


def test_the_exceptions_are_needed():
    assert set(ELSEWHERE) <= {page for page in TEXTS if commands(page)}
    shown = {words[0] for page in TEXTS for words in commands(page)}
    assert set(UNTIL_STOPPED) & set(main.commands) <= shown


def test_the_commands_of_the_readme_print_what_it_says(desk):  # noqa: F811
    shown = re.findall(r"(?m)^    \$ gradcam-tf1 (.*)\n((?:    .*\n)+)", TEXTS["README.md"])
    assert len(shown) == 2
    for command, printed in shown:
        result = CliRunner().invoke(main, command.split())
        assert result.exit_code == 0, result.output
        parts = [re.escape(part) for part in textwrap.dedent(printed).split("...\n")]
        assert re.search(".*?".join(parts), result.output, re.DOTALL), f"{command} prints\n{result.output}"


def test_the_test_of_a_concept_prints_what_its_page_says(workshop):  # noqa: F811
    """The last bits of gradients may turn the sign of one in twelve vectors of a class without a dependence."""
    shown = re.search(r"(?ms)^    (12 vectors at .*?)\n\n", TEXTS["docs/concepts.md"]).group(1)
    found = ""
    for words in commands("docs/concepts.md"):
        if words[0] == "demo" or "--positive" in words:
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, result.output
            found = result.output
    expected = [line.strip() for line in shown.splitlines()]
    printed = [line.strip() for line in found[found.index("12 vectors") :].splitlines()][: len(expected)]
    chance = next(n for n, line in enumerate(expected) if line.startswith("star"))
    assert [*printed[:chance], *printed[chance + 1 :]] == [*expected[:chance], *expected[chance + 1 :]]
    (own, *rest), (said, *others) = (line.split()[1:] for line in (printed[chance], expected[chance]))
    assert float(own) == pytest.approx(float(said), abs=0.09)
    assert rest[-2:] == others[-2:] == ["not", "significant"]


def test_the_page_of_options_names_every_option_of_run():
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", TEXTS["docs/options.md"] + TEXTS["docs/targets.md"]))
    elsewhere = {"--no-allow-growth", "--weights", "--fully-convolutional"}
    assert {flag for flag in options()["run"] if flag.startswith("--")} - elsewhere <= named
