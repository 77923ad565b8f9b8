"""The documentation is true: its Python runs, its tables are the program's, its options and links exist."""

from __future__ import annotations

import contextlib
import re
import shutil
import urllib.parse
from pathlib import Path
from typing import Dict, List
from unittest import mock

import click
import pytest
from array_nets import ArrayNet

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


def rows(page: str, first_header: str) -> Dict[str, str]:
    """First and second column of the table whose first header is this; code marks taken off the first."""
    lines = TEXTS[page].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_header} |")) + 2
    found = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        first, second = [cell.strip() for cell in line.strip("|").split(" | ")][:2]
        for name in re.findall(r"`([^`]+)`", first):
            found[name] = second.rstrip(" |")
    return found


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """What the pages assume to be there: model.pb, labels.txt, photos/ and one photo; nets and arrays of other axes."""
    shutil.copy(demo_model(), str(tmp_path / "model.pb"))
    (tmp_path / "labels.txt").write_text("\n".join(DEMO_CLASSES))
    (tmp_path / "photos").mkdir()
    for scene in demo_scenes()[:2]:
        shutil.copy(scene.path, str(tmp_path / "photos"))
    monkeypatch.chdir(tmp_path)
    signal, volume = ArrayNet((11,)), ArrayNet((3, 4, 5))
    (tmp_path / "ecg.pb").write_bytes(signal.graph().SerializeToString())
    (tmp_path / "scan.pb").write_bytes(volume.graph().SerializeToString())
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


def test_the_example_of_the_readme_does_what_it_says(desk, capsys):
    (code, *_) = RUNNABLE.findall(TEXTS["README.md"])
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    exec(compile(code, "README.md", "exec"), desk)  # noqa: S102
    lines = list(read_manifest("out/manifest.jsonl"))
    for scene, line in zip(demo_scenes()[:2], lines):
        assert line["targets"][0]["label"] in scene.boxes
        assert line["targets"][0]["label"] in capsys.readouterr().out or line is not lines[0]


def test_the_table_of_methods_is_the_programs():
    table = rows("README.md", "method")
    assert set(table) == set(METHODS) | set(METHOD_GROUPS)
    for line in TEXTS["README.md"].splitlines():
        for name, method in METHODS.items():
            if line.startswith(f"| `{name}` |"):
                assert method.paper in line, f"{name}: the paper is {method.paper}"


def test_the_options_of_the_page_on_perturbation_are_the_programs():
    lines = [line for line in TEXTS["docs/perturbation.md"].splitlines() if line.startswith("| `")]
    told = {}
    for line in lines:
        name, _, _, given = [cell.strip() for cell in line.strip("|").split(" | ")]
        told[name.strip("`")] = re.findall(r"`(\w+=[^`]+)`", given)
    has = {name: METHODS[name].filled({}) for name in told}
    assert told == {name: [f"{option}={value!r}" for option, value in has[name].items()] for name in told}
    assert set(told) == {row.name for row in PERTURBATION_ROWS}
    possible = TEXTS["docs/perturbation.md"].split("What is seen instead")[1]
    assert all(f"`{name}`" in possible for name in BASELINES)


def test_rows_of_methods_made_in_numpy_show_the_relu_they_end_in():
    table = rows("README.md", "method")
    for name, method in METHODS.items():
        if isinstance(method, NumpyMethod):
            assert table[name].startswith("ReLU") == method.rectified, name


def test_the_table_of_presets_is_the_programs():
    assert rows("docs/preprocessing.md", "preset") == {name: preset.description for name, preset in PRESETS.items()}
    named = set(re.findall(r"`([\w-]+)`", TEXTS["README.md"].split("## Preprocessing")[1].split("\n## ")[0]))
    assert set(PRESETS) | set(FIT_MODES) <= named


def test_the_table_of_fits_is_the_programs():
    assert tuple(rows("docs/preprocessing.md", "fit")) == FIT_MODES


def test_the_tables_of_images_are_the_programs():
    assert tuple(rows("docs/images.md", "`--style`")) == tuple(STYLES)
    assert tuple(rows("docs/images.md", "figure")) == tuple(FIGURES)
    named = set(re.findall(r"`([\w-]+)`", TEXTS["docs/images.md"]))
    assert set(COLORMAPS) | set(FUSIONS) <= named
    assert set(CLASS_SCORES) <= set(re.findall(r"`(\w+)`", TEXTS["docs/targets.md"]))


def options() -> Dict[str, List[str]]:
    """Subcommand -> its options as the command line has them."""
    return {
        name: [flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)]
        for name, command in main.commands.items()
    }


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_option_that_is_named_exists(page):
    known = {flag for flags in options().values() for flag in flags} | {"--help", "--version"}
    ours = re.sub(r"(?m)^.*\b(ruff|pip|git|pytest)\b.*$", "", TEXTS[page])
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", ours))
    assert {next(translated([flag, "value"])) for flag in named} - {"value"} <= known


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_command_line_that_is_shown_parses(page):
    """Each `gradcam-tf1 ...` of an indented block, with its own subcommand's options and arguments."""
    for command, rest in re.findall(r"(?m)^    gradcam-tf1 (\w+)(.*)$", TEXTS[page]):
        assert command in main.commands
        words = [word.strip("'\"") for word in rest.split("#")[0].split()]
        with contextlib.suppress(click.exceptions.BadParameter):  # a path that is not there
            main.commands[command].make_context(command, words)


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if not urllib.parse.urlparse(target).scheme and not target.startswith("#"):
            assert (ROOT / page).parent.joinpath(target.split("#")[0]).exists(), f"{page}: {target}"


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
