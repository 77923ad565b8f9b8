"""The page for people who come from another tool: every call of ours on it runs and gives maps."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcam_tf1 import (
    ExplainOptions,
    Explanation,
    GradCamGraph,
    Map,
    Results,
    Style,
    method,
    read_image,
)
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes

PAGE = (Path(__file__).resolve().parent.parent / "docs/migration.md").read_text(encoding="utf-8")
SECTIONS = {section.splitlines()[0]: section for section in re.split(r"(?m)^## ", PAGE)[1:]}
CALLS = sorted(set(re.findall(r"\| `(net\.[^`]+)`", PAGE)))
NAMES = {"ExplainOptions": ExplainOptions, "Style": Style, "method": method}


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as opened:
        yield opened


def evaluated(call: str, net: Any) -> Any:
    photo = read_image(demo_scenes()[0].path)
    return eval(call, {**NAMES, "net": net, "photo": photo})  # noqa: S307


@pytest.mark.parametrize("call", CALLS)
def test_a_call_of_ours_gives_maps(call, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    shutil.copy(demo_scenes()[0].path, str(tmp_path / "photos"))
    value = evaluated(call, net)
    if isinstance(value, Explanation):
        assert all(np.isfinite(map.values).all() for map in value)
        assert len(list(value)) > 0
    elif isinstance(value, Results):
        assert [result.status for result in value] == ["ok"]
    else:
        array = value.values if isinstance(value, Map) else value
        assert np.isfinite(array).all()
        assert array.size


def test_every_tool_has_its_table():
    assert len(SECTIONS) == 6
    for title, section in SECTIONS.items():
        assert section.count("`net.explain(") >= 6, title


def test_every_row_has_a_call_or_says_why_there_is_none():
    for row in re.findall(r"(?m)^\| `.*\|$", PAGE):
        ours = row.strip("| ").split(" | ")[-1]
        assert ours.startswith(("`net.", "none: ", "not needed", "the `reshape` hook")), row
