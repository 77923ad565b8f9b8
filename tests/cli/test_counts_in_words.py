"""One thing is not called several."""

from __future__ import annotations

import re

import pytest
from command_line import SCENES, command

from gradcam_tf1.cli.describe import _list_layers
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.run.listing import counted
from gradcam_tf1.types import LayerInfo

PRESET = ("--preset", "inception")


def test_counted():
    assert [counted(0), counted(1), counted(2, "row")] == ["0 images", "1 image", "2 rows"]


@pytest.mark.parametrize(
    "words",
    [
        ("concepts", demo_model(), SCENES[0].path),
        ("compare", demo_model(), demo_model(), SCENES[0].path),
    ],
)
def test_one_image(words):
    text = command(*words, *PRESET)
    assert "1 image" in text
    assert re.search(r"\b1 (images|concepts|rows|vectors|outputs)\b", text) is None


@pytest.mark.parametrize(("single", "told"), [(1, "1 output of convolutions"), (2, "2 outputs of convolutions")])
def test_outputs_of_convolutions(single, told, capsys):
    layers = [LayerInfo(f"conv{n}:0", "Conv2D", (None, 4, 4, 8), counted=False) for n in range(single)]
    _list_layers([*layers, LayerInfo("relu:0", "Relu", (None, 4, 4, 8), counted=True)])
    assert f"{told} can be named too; see gradcam-tf1 inspect MODEL --json" in capsys.readouterr().out
