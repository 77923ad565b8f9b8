"""The documentation is true: its Python runs, its tables are the program's, its options and links exist."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import itertools
import re
import shlex
import shutil
import textwrap
import urllib.parse
from pathlib import Path
from typing import Any, Dict, Iterator, List
from unittest import mock

import click
import numpy as np
import pytest
from array_nets import ArrayNet
from click.testing import CliRunner
from further_nets import siamese, with_meta

from gradcam_tf1 import ExplainOptions, GradCamGraph, KeyTensors, Map, Noise, RunOptions, Style, load
from gradcam_tf1.cli import main
from gradcam_tf1.cli.older_names import translated
from gradcam_tf1.drawing.figure_kinds import FIGURES
from gradcam_tf1.drawing.overlay import COLORMAPS
from gradcam_tf1.drawing.style import STYLES
from gradcam_tf1.engine.layer_fusion import FUSIONS
from gradcam_tf1.images.geometry import FIT_MODES
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.preprocessing import PRESETS
from gradcam_tf1.loaders import FORMS
from gradcam_tf1.methods import METHOD_GROUPS, METHODS, NumpyMethod
from gradcam_tf1.methods.masking import BASELINES
from gradcam_tf1.methods.perturbation import PERTURBATION_ROWS
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.nets.vgg_layers import random_weights
from gradcam_tf1.run.manifest import read_manifest
from gradcam_tf1.scoring.score_functions import CLASS_SCORES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
RUNNABLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def tables(page: str, first_header: str) -> Iterator[Dict[str, Dict[str, str]]]:
    """Each table of the page with this first header: name in code marks -> column -> cell."""
    lines = TEXTS[page].splitlines()
    for start, line in enumerate(lines):
        if line.startswith(f"| {first_header} |"):
            columns, table = cells(line), {}
            for row in itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :]):
                for name in re.findall(r"`([^`]+)`", cells(row)[0]):
                    table[name] = dict(zip(columns, cells(row)))
            yield table


def cells(line: str) -> List[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows(page: str, first_header: str) -> Dict[str, str]:
    """The first two columns of the first such table."""
    table = next(tables(page, first_header))
    return {name: list(row.values())[1] for name, row in table.items()}


def section(page: str, title: str) -> str:
    """The text of the page under this heading, up to the next one of its level."""
    return re.split(r"(?m)^## ", TEXTS[page].split(f"\n## {title}\n")[1])[0]


def vgg19_layers() -> Any:
    return random_weights(19, classes=10, width=1 / 32).layers


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """What the pages assume to be there: model.pb, labels.txt, photos/, one photo, and nets of other inputs."""
    shutil.copy(demo_model(), str(tmp_path / "model.pb"))
    (tmp_path / "labels.txt").write_text("\n".join(DEMO_CLASSES))
    (tmp_path / "photos").mkdir()
    for scene in demo_scenes()[:2]:
        shutil.copy(scene.path, str(tmp_path / "photos"))
    monkeypatch.chdir(tmp_path)
    signal, volume = ArrayNet((11,)), ArrayNet((3, 4, 5))
    (tmp_path / "ecg.pb").write_bytes(signal.graph().SerializeToString())
    (tmp_path / "scan.pb").write_bytes(volume.graph().SerializeToString())
    (tmp_path / "patient.pb").write_bytes(with_meta().SerializeToString())
    (tmp_path / "pair.pb").write_bytes(siamese("before", "after").SerializeToString())
    vgg = {f"{name}/{part}": pair[i] for name, pair in vgg19_layers().items() for i, part in enumerate("Wb")}
    np.savez(str(tmp_path / "vgg19.npz"), **vgg)
    (tmp_path / "nets").symlink_to(ROOT / "nets")
    return {"photo": read_image(demo_scenes()[0].path), "signals": signal.arrays(1), "volumes": volume.arrays(1)}


@contextlib.contextmanager
def tables_restored():
    forms = list(FORMS)
    with mock.patch.dict(METHODS):
        yield
    FORMS[:] = forms


@pytest.mark.parametrize("page", [page for page in TEXTS if RUNNABLE.search(TEXTS[page])])
def test_the_python_of_a_page_runs(page, desk, capsys):
    with tables_restored():
        for code in RUNNABLE.findall(TEXTS[page]):
            exec(compile(code, page, "exec"), desk)  # noqa: S102


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].split()) < 900
    assert f"and {len(METHODS) - 1} related methods" in TEXTS["README.md"]


def test_the_example_of_the_readme_prints_what_it_says(desk, capsys):
    (code, *_) = RUNNABLE.findall(TEXTS["README.md"])
    (printed,) = re.findall(r"(?ms)^```text\n(.*?)^```", TEXTS["README.md"])
    assert len([line for line in code.splitlines() if line.strip()]) == 5
    exec(compile(code, "README.md", "exec"), desk)  # noqa: S102
    assert capsys.readouterr().out == printed


def test_the_commands_of_the_readme_print_what_it_says(desk):
    commands = re.findall(r"(?m)^    \$ gradcam-tf1 (.*)\n((?:    .*\n)+)", TEXTS["README.md"])
    assert len(commands) == 2
    for command, printed in commands:
        result = CliRunner().invoke(main, command.split())
        assert result.exit_code == 0, result.output
        parts = [re.escape(part) for part in textwrap.dedent(printed).split("...\n")]
        assert re.search(".*?".join(parts), result.output, re.DOTALL), f"{command} prints\n{result.output}"


def documented_methods() -> Dict[str, Dict[str, str]]:
    return {name: row for table in tables("docs/methods.md", "method") for name, row in table.items()}


def test_the_tables_of_methods_are_the_programs():
    table = documented_methods()
    assert set(table) == set(METHODS) | set(METHOD_GROUPS)
    for name, method in METHODS.items():
        options = [f"{option}={default!r}" for option, default in method.filled({}).items()]
        assert re.findall(r"`(\w+=[^`]+)`", table[name]["options"]) == options, name
        assert f"({method.paper})" in table[name]["paper"], f"{name}: the paper is {method.paper}"
    assert {name for name, row in table.items() if "passes" in row} == {row.name for row in PERTURBATION_ROWS}
    assert set(rows("docs/methods.md", "baseline")) >= set(BASELINES)


def test_rows_of_methods_made_in_numpy_show_the_relu_they_end_in():
    for name, row in documented_methods().items():
        if isinstance(METHODS.get(name), NumpyMethod):
            assert row["map"].startswith("ReLU") == METHODS[name].rectified, name


def test_the_table_of_the_readme_names_methods():
    named = [name for row in tables("README.md", "you want to know") for name in row]
    shown = re.findall(r"(?m)^\| [^|`]+ \| `(\w+)` \|", TEXTS["README.md"])
    assert not named
    assert len(shown) == 6
    assert set(shown) <= set(METHODS)


def defaults(callable_: Any) -> Dict[str, Any]:
    """Argument -> its default, for a function or a record."""
    parameters = inspect.signature(callable_).parameters.values()
    return {each.name: each.default for each in parameters if each.name != "self"}


@pytest.mark.parametrize("record", [ExplainOptions, Noise, Style, RunOptions])
def test_the_tables_of_option_records_are_the_programs(record):
    fields = {item.name: item.default for item in dataclasses.fields(record)}
    tables_ = [
        {name: row["default"].strip("`") for name, row in table.items()}
        for table in tables("docs/options.md", "field")
        if set(table) == set(fields)
    ]
    assert tables_ == [{name: repr(value) for name, value in fields.items()}]


def test_the_tables_of_arguments_are_the_programs():
    loading, net, explaining = tables("docs/options.md", "argument")
    assert {name: row["default"].strip("`") for name, row in loading.items()} == {
        name: repr(value) for name, value in defaults(load).items() if name != "source"
    }
    assert set(net) == set(defaults(GradCamGraph))
    for name, value in defaults(GradCamGraph).items():
        shown = net[name]["default"].strip("`")
        assert shown == ("" if name == "model" else "KeyTensors()" if name == "tensors" else repr(value)), name
    taken = {**defaults(GradCamGraph.visualize_imgs), **defaults(GradCamGraph.explain)}
    assert set(explaining) == set(taken) - {"inputs", "imgs_path", "out_folder"}
    for name, row in explaining.items():
        shown = f"{type(taken[name]).__name__}()" if dataclasses.is_dataclass(taken[name]) else repr(taken[name])
        assert row["default"].strip("`") == shown, name
    named = set(re.findall(r"`(\w+)`", section("docs/options.md", "GradCamGraph").split("`KeyTensors` has")[1]))
    assert named == {item.name for item in dataclasses.fields(KeyTensors)}


def test_the_table_of_a_map_has_all_its_members():
    (table,) = tables("docs/options.md", "member")
    members = {re.sub(r"\(.*", "", name) for name in table}
    assert members == {name for name in dir(Map) if not name.startswith("_")} | {"n", "t"}


def test_the_page_of_options_names_every_option_of_run():
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", TEXTS["docs/options.md"] + TEXTS["docs/targets.md"]))
    elsewhere = {"--no-allow-growth", "--weights", "--fully-convolutional"}
    assert {flag for flag in options()["run"] if flag.startswith("--")} - elsewhere <= named


def test_the_table_of_presets_is_the_programs():
    assert rows("docs/preprocessing.md", "preset") == {name: preset.description for name, preset in PRESETS.items()}


def test_the_table_of_fits_is_the_programs():
    assert tuple(rows("docs/preprocessing.md", "fit")) == FIT_MODES


def test_the_tables_of_drawing_are_the_programs():
    assert tuple(rows("docs/drawing.md", "`--style`")) == tuple(STYLES)
    assert tuple(rows("docs/drawing.md", "figure")) == tuple(FIGURES)
    assert set(COLORMAPS) <= set(re.findall(r"`([\w-]+)`", TEXTS["docs/drawing.md"]))
    assert set(FUSIONS) <= set(re.findall(r"`(\w+)`", section("docs/options.md", "ExplainOptions")))


def test_the_table_of_scores_is_the_programs():
    assert set(rows("docs/targets.md", "score")) == set(CLASS_SCORES)


def options() -> Dict[str, List[str]]:
    """Subcommand -> its options as the command line has them."""
    return {
        name: [flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)]
        for name, command in main.commands.items()
    }


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_option_that_is_named_exists(page):
    known = {flag for flags in options().values() for flag in flags} | {"--help", "--version"}
    ours = re.sub(r"(?m)^.*\b(ruff|mypy|pip|git|pytest)\b.*$", "", TEXTS[page])
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", ours))
    assert {next(translated([flag, "value"])) for flag in named} - {"value"} <= known


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_command_line_that_is_shown_parses(page):
    """Each `gradcam-tf1 ...` of an indented block, with its own subcommand's options and arguments."""
    for command, rest in re.findall(r"(?m)^    (?:\$ )?gradcam-tf1 (\w+)(.*)$", TEXTS[page]):
        assert command in main.commands
        words = [word.strip("'\"") for word in rest.split("#")[0].split()]
        with contextlib.suppress(click.exceptions.BadParameter):  # a path that is not there
            main.commands[command].make_context(command, words)


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if not urllib.parse.urlparse(target).scheme and not target.startswith("#"):
            assert (ROOT / page).parent.joinpath(target.split("#")[0]).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_link_to_a_heading_leads_to_one(page):
    for target in re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", TEXTS[page]):
        path, anchor = target.split("#")
        if not urllib.parse.urlparse(target).scheme:
            text = (ROOT / page).parent.joinpath(path).read_text(encoding="utf-8") if path else TEXTS[page]
            titles = [re.sub(r"[^\w\- ]", "", title.lower()) for title in re.findall(r"(?m)^#+ (.*)$", text)]
            assert anchor in [title.replace(" ", "-") for title in titles], f"{page}: {target}"


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_no_page_imports_from_inside_the_package(page):
    inside = re.findall(r"(?m)^(?:from|import) (gradcam_tf1\.(?!nets\b)\S+)", TEXTS[page])
    assert not inside or page == "docs/adding-a-loader.md"  # a loader is written inside the package


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_command_line_on_files_that_exist_works(page, desk):
    for name, text in re.findall(r"(?ms)^```yaml\n# (\S+)\n(.*?)^```", TEXTS[page]):
        Path(name).write_text(text, encoding="utf-8")
    for line in re.findall(r"(?m)^    (?:\$ )?gradcam-tf1 ((?:run|inspect|presets|doctor) .*)$", TEXTS[page]):
        words = shlex.split(line, comments=True)
        if (Path(words[1]).exists() or words[1] == "--config") and not any(word.startswith("@") for word in words):
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, f"{line}\n{result.output}"


def test_every_page_of_docs_is_linked_from_the_readme():
    for path in sorted((ROOT / "docs").glob("*.md")):
        assert f"](docs/{path.name})" in TEXTS["README.md"], path.name


def test_the_manifest_has_the_keys_that_formats_says(desk, capsys):
    (code,) = [code for code in RUNNABLE.findall(TEXTS["docs/formats.md"]) if "read_manifest" in code]
    exec(compile(code, "docs/formats.md", "exec"), desk)  # noqa: S102
    line = next(iter(read_manifest("out/manifest.jsonl")))
    target, map_ = line["targets"][0], line["targets"][0]["maps"][0]
    tables = TEXTS["docs/formats.md"].split("## manifest.jsonl")[1].split("\n| key |")[1:]
    said = [
        set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in t.splitlines()[2:] if row.startswith("|"))))
        for t in tables
    ]
    assert said == [set(line), set(target), set(map_)]
