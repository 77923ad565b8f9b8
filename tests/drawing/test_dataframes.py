"""A table of pandas has a row for each map, with the numbers of the map."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest
from made_explanations import EMPTY, hot_cell, one_explanation

from gradcam_tf1 import Contrast, OptionError
from gradcam_tf1.drawing.dataframes import MAP_COLUMNS
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.run.result_rows import RESULT_COLUMNS

KEY = ("gradcam", "conv:0")


def test_the_rows_are_the_maps_in_their_order(net):
    pytest.importorskip("pandas")
    explanation = net.explain(
        [scene.path for scene in demo_scenes()[:2]], ["ring", Contrast("star", "ring")], ["gradcam", "guided_gradcam"]
    )
    frame = explanation.to_dataframe()
    assert tuple(frame.columns) == MAP_COLUMNS
    assert len(frame) == len(explanation) == 8
    for (_, row), map in zip(frame.iterrows(), explanation):
        assert (row["image"], row["target"], row["class_id"], row["label"]) == (map.n, map.t, map.class_id, map.label)
        assert (row["score"], row["probability"]) == (map.score, map.probability)
        assert (row["method"], row["layer"], row["status"], row["reason"]) == (map.method, map.layer, "ok", "")
        assert (row["minimum"], row["maximum"]) == (map.details.minimum, map.details.maximum)
        assert row["notes"] == "\n".join(map.details.notes)
        assert row["about"] == ("", "not ring")[map.t]
        assert row["predicted"] == explanation.predicted[map.n]
    assert frame.groupby("method")["score"].count().to_dict() == {"gradcam": 4, "guided_gradcam": 4}


@pytest.mark.parametrize(
    ("header", "columns"), [("column of an explanation", MAP_COLUMNS), ("column of results", RESULT_COLUMNS)]
)
def test_the_documentation_has_these_columns(header, columns):
    page = (Path(__file__).parents[2] / "docs" / "notebooks.md").read_text(encoding="utf-8")
    table = page.split(f"| {header} |")[1].split("\n\n")[0]
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted(columns)


def test_what_is_unknown_is_missing():
    pandas = pytest.importorskip("pandas")
    explanation = one_explanation({KEY: [hot_cell(0, 0)]}, {KEY: [EMPTY]})
    frame = dataclasses.replace(explanation, failures=("the scores are NaN",)).to_dataframe()
    assert pandas.isna(frame["label"][0])
    assert pandas.isna(frame["probability"][0])
    assert (frame["status"][0], frame["failure"][0]) == ("empty", "the scores are NaN")
    assert str(frame["class_id"].dtype) == "Int64"


def test_without_pandas_a_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(OptionError, match="to_dataframe needs pandas; install it with: pip install pandas"):
        one_explanation({KEY: [hot_cell(0, 0)]}).to_dataframe()
