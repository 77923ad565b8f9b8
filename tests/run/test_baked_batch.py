"""A graph with a batch size baked in: batches are filled up, the result says so, and the maps are the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_nets import SmallNet

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.graph import GradCamGraph

COUNT = 7


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(COUNT):
        Image.fromarray(np.random.RandomState(n).randint(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{n}.png")
    return str(folder)


def run(photos, out, batch):
    twin = SmallNet()
    with GradCamGraph(twin.graph(batch=batch).as_graph_def(), preset="inception") as net:
        return net.visualize_imgs(photos, str(out), methods="gradcam", style=Style(raw=True))


def maps(results):
    return np.stack([np.load(record.files["raw"])["map"] for result in results for record in result.maps])


@pytest.mark.parametrize(("batch", "sentence"), [(1, "batch size 1 is baked"), (3, "batch size 3 is baked")])
def test_it_is_said_and_changes_nothing(photos, tmp_path, batch, sentence):
    free, baked = run(photos, tmp_path / "free", None), run(photos, tmp_path / "baked", batch)
    assert not any("baked" in warning for warning in free.warnings)
    assert sum(sentence in warning for warning in baked.warnings) == 1
    assert json.loads((tmp_path / "baked" / "run.json").read_text())["warnings"] == list(baked.warnings)
    assert baked.tolist() == free.tolist()
    assert len(maps(baked)) == COUNT
    np.testing.assert_allclose(maps(baked), maps(free), rtol=1e-5, atol=1e-7)
    lines = [Path(results.manifest).read_text().splitlines() for results in (free, baked)]
    assert len(lines[0]) == len(lines[1]) == COUNT
