"""The report of a real run, in a browser: what a script of the page reads at a pixel is the map that the net gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradcam_tf1 import GradCamGraph, RunOptions, Style, write_report
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes

pytestmark = pytest.mark.programs

READ = """
const done = arguments[arguments.length - 1];
gradcam.load("000000").then(record => {
  const map = record.targets[0].maps[0], grid = gradcam.grid(map.grid, record.size);
  done(arguments[0].map(([row, column]) => grid.at(row + 0.5, column + 0.5)));
});
"""


@pytest.mark.parametrize("fit", ["stretch", "center-crop"])
@pytest.mark.parametrize("single", [False, True])
def test_the_values_of_the_page_are_those_of_the_net(visit, tmp_path, fit, single):
    scene, out = demo_scenes()[8].path, str(tmp_path / "out")
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES, fit=fit) as net:
        map = net.explain(scene).map("gradcam")
        net.visualize_imgs([scene], out, style=Style(box=0.2), run=RunOptions(report=True))
    page = visit(Path(write_report(out, single_file=single)).as_uri())
    page.open("#/image/000000")
    placed = map.placed()
    top, left, bottom, right = map.placement.seen
    points = [(row, column) for row in range(top, bottom, 23) for column in range(left, right, 31)]
    found = page.driver.execute_async_script(READ, points)
    expected = [float(placed[point]) for point in points]
    assert np.abs(np.array(found) - expected).max() <= 0.502 * (map.values.max() - map.values.min()) / 255
