"""The table of the page about training is the program's."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gradcam_tf1 import TrainingMaps

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "training.md"


def test_the_table_of_training_maps_is_the_programs():
    text = PAGE.read_text(encoding="utf-8").split("| field of `TrainingMaps` |")[1].split("\n\n")[0]
    rows = [[cell.strip().strip("`") for cell in line.split("|")] for line in text.splitlines() if line[:3] == "| `"]
    table = {name: default for _, name, default, *_ in rows}
    assert list(table) == [item.name for item in dataclasses.fields(TrainingMaps)]
    for item in dataclasses.fields(TrainingMaps):
        record = dataclasses.is_dataclass(item.default)
        shown = f"{type(item.default).__name__}()" if record else getattr(item.default, "__name__", repr(item.default))
        assert table[item.name] == ("" if item.name == "images" else shown)
