"""The documentation is true: its Python runs, its tables are the program's, its options and links exist."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import itertools
import re
import urllib.parse
from typing import Any, Dict, Iterator, List
from unittest import mock

import pytest
from docs_desk import ROOT, TEXTS, desk, lay_out_photos  # noqa: F401  a fixture

import gradcam_tf1
from gradcam_tf1 import (
    CompareOptions,
    ExplainOptions,
    GradCamGraph,
    KeyTensors,
    Map,
    Noise,
    RunOptions,
    ServeOptions,
    Style,
    load,
)
from gradcam_tf1.drawing.figure_kinds import FIGURES
from gradcam_tf1.drawing.overlay import COLORMAPS
from gradcam_tf1.drawing.style import STYLES
from gradcam_tf1.engine.layer_fusion import FUSIONS
from gradcam_tf1.images.geometry import FIT_MODES
from gradcam_tf1.images.preprocessing import PRESETS
from gradcam_tf1.loaders import FORMS
from gradcam_tf1.methods import METHOD_GROUPS, METHODS, NumpyMethod
from gradcam_tf1.methods.attention import ATTENTION_ROWS
from gradcam_tf1.methods.masking import BASELINES
from gradcam_tf1.methods.perturbation import PERTURBATION_ROWS
from gradcam_tf1.metrics.metric_table import METRICS
from gradcam_tf1.run.manifest import read_manifest
from gradcam_tf1.scoring.score_functions import CLASS_SCORES

# Python, and what is shown right below it as printed
RUNNABLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)


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


@contextlib.contextmanager
def tables_restored():
    forms = list(FORMS)
    with mock.patch.dict(METHODS):
        yield
    FORMS[:] = forms


@pytest.mark.parametrize("page", [page for page in TEXTS if RUNNABLE.search(TEXTS[page])])
def test_the_python_of_a_page_runs_and_prints_what_is_shown_below_it(page, desk, capsys):  # noqa: F811
    lay_out_photos(page)
    with tables_restored():
        for code, printed in RUNNABLE.findall(TEXTS[page]):
            exec(compile(code, page, "exec"), desk)  # noqa: S102
            said = capsys.readouterr().out
            assert not printed or said == printed


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].split()) < 900
    assert f"and {len(METHODS) - 1} related methods" in TEXTS["README.md"]


def test_the_example_of_the_readme_has_five_lines_and_shows_what_they_print():
    (code, printed), *_ = RUNNABLE.findall(TEXTS["README.md"])
    assert len([line for line in code.splitlines() if line.strip()]) == 5
    assert printed


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


def test_the_tables_of_metrics_are_the_programs():
    table = {name: row for each in tables("docs/metrics.md", "metric") for name, row in each.items()}
    assert {name for name, row in table.items() if "formula" in row} == set(METRICS)
    for name, metric in METRICS.items():
        row, (low, high) = table[name], metric.bounds
        options = [f"{option}={default!r}" for option, default in metric.filled({}).items()]
        assert re.findall(r"`(\w+=[^`]+)`", row["options"]) == options, name
        assert f"({metric.paper})" in row["paper"], f"{name}: the paper is {metric.paper}"
        assert row["better"] == metric.better, name
        # without bounds in the program, those of the page are for probabilities
        assert low is None or row["bounds"] == (f"{low:g} and up" if high is None else f"{low:g}..{high:g}"), name


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


@pytest.mark.parametrize("record", [ExplainOptions, Noise, Style, RunOptions, ServeOptions])
def test_the_tables_of_option_records_are_the_programs(record):
    fields = {item.name: item.default for item in dataclasses.fields(record)}
    tables_ = [
        {name: row["default"].strip("`") for name, row in table.items()}
        for table in tables("docs/options.md", "field")
        if set(table) == set(fields)
    ]
    assert tables_ == [{name: repr(value) for name, value in fields.items()}]


def test_the_table_of_compare_options_is_the_programs():
    (table,) = tables("docs/comparing-models.md", "field")
    for item in dataclasses.fields(CompareOptions):
        shown = "ExplainOptions()" if item.name == "explain" else repr(item.default)
        assert table.pop(item.name)["default"].strip("`") == shown, item.name
    assert table == {}


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


def test_the_manifest_has_the_keys_that_formats_says(desk, capsys):  # noqa: F811
    (code,) = [code for code, _ in RUNNABLE.findall(TEXTS["docs/formats.md"]) if "read_manifest" in code]
    exec(compile(code, "docs/formats.md", "exec"), desk)  # noqa: S102
    line = next(iter(read_manifest("out/manifest.jsonl")))
    target, map_ = line["targets"][0], line["targets"][0]["maps"][0]
    tables = TEXTS["docs/formats.md"].split("## manifest.jsonl")[1].split("\n| key |")[1:]
    said = [
        set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in t.splitlines()[2:] if row.startswith("|"))))
        for t in tables
    ]
    assert said == [set(line), set(target), set(map_)]


def test_every_page_has_its_place_in_the_index():
    for path in sorted((ROOT / "docs").glob("*.md")):
        assert path.name == "index.md" or f"]({path.name})" in TEXTS["docs/index.md"], path.name
    assert "](docs/index.md)" in TEXTS["README.md"]


def test_the_python_interface_has_every_public_name():
    documented = re.findall(r"(?m)^\.\. (?:auto\w+|py:data):: gradcam_tf1\.(\w+)$", TEXTS["docs/api.md"])
    assert len(documented) == len(set(documented))
    assert set(documented) == set(gradcam_tf1.__all__) - {"GradCam"}
    assert "`GradCam` is `GradCamGraph`" in TEXTS["docs/api.md"]


def test_every_method_has_its_image_and_says_when_to_use_it():
    rows = re.findall(r"(?m)^\| `(\w+)`<br>!\[(\w+)\]\((\S+)\) \| (.*) \|$", TEXTS["docs/method-gallery.md"])
    without = section("docs/method-gallery.md", "Transformers")  # which the demo net is not
    others = re.findall(r"(?m)^\| `(\w+)` \| (Use it .*\.) \|$", without)
    assert [name for name, _ in others] == [row.name for row in ATTENTION_ROWS]
    assert sorted(row[0] for row in rows) == sorted(set(METHODS) - {name for name, _ in others})
    for name, title, path, when in rows:
        assert (title, path) == (name, f"images/methods/{name}.jpg")
        assert when.startswith("Use it ")
        assert when.endswith(".")


LARGEST = {"methods": 15_000, "tutorial": 30_000, "images": 120_000}  # the last are whole pages of a browser


def test_the_images_of_the_pages_are_small_and_all_are_shown():
    images = list((ROOT / "docs/images").rglob("*.jpg"))
    shown = "\n".join(TEXTS.values())
    for path in images:
        assert path.relative_to(ROOT / "docs").as_posix() in shown, path
        assert path.stat().st_size < LARGEST[path.parent.name], path
    assert sum(path.stat().st_size for path in images if path.parent.name == "methods") < 600_000


@pytest.mark.parametrize("page", [page for page in sorted(TEXTS) if page.startswith("docs/")])
def test_a_page_with_examples_says_where_their_files_are_from(page):
    blocks = [code for code, _ in RUNNABLE.findall(TEXTS[page])]
    commands = re.findall(r"(?m)^    .*gradcam-tf1 .*$", TEXTS[page])
    if any(re.search(r"\bmodel\.pb\b|\bphoto\b", block) for block in (*blocks, *commands)):
        assert "#about-the-examples" in TEXTS[page] or "## About the examples" in TEXTS[page]
