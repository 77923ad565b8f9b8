"""Occlusion of a linear net is the sum of its weights in the window."""

from __future__ import annotations

import numpy as np
import pytest
from perturbation_nets import IMAGE, NET, linear_net, maps_of, run_on

from gradcam_tf1.errors import OptionError


def test_occlusion_of_a_linear_net_is_the_sum_of_its_weights_in_the_window():
    graph, image, kernel = linear_net()
    options = {"occlusion": {"window": 3, "stride": 2, "baseline": 0.5}}
    maps = run_on(graph, image, [0, 1], ["occlusion"], options, channels=2)["occlusion", ""]
    worth = ((image[0] - 0.5) * kernel).sum(-1)
    sums, count = np.zeros((7, 9)), np.zeros((7, 9))
    for top in (0, 2, 4):  # 7 and 9 pixels: the last windows end at the edge
        for left in (0, 2, 4, 6):
            window = (slice(top, top + 3), slice(left, left + 3))
            sums[window] += worth[window].sum()
            count[window] += 1
    assert (count.min(), count.max()) == (1, 4)
    np.testing.assert_allclose(maps[0], [sums / count, -sums / count], atol=1e-4)


def test_occlusion_reaches_the_edge_and_has_a_window_of_its_own_choice():
    graph, image, kernel = linear_net(size=(14, 23))
    given = {"window": 2, "stride": 1, "baseline": "mean"}
    same = run_on(graph, image, [0], ["occlusion"], {"occlusion": given}, channels=2)["occlusion", ""]
    maps = run_on(graph, image, [0], ["occlusion"], channels=2)["occlusion", ""]
    np.testing.assert_array_equal(maps, same)
    worth = ((image[0] - image[0].mean((0, 1))) * kernel).sum(-1)
    assert maps[0, 0, 13, 22] == pytest.approx(worth[12:, 21:].sum(), abs=1e-4)
    with_gap = {"occlusion": {"window": 5, "stride": 4, "baseline": "zero"}}  # 23 = 5 + 4 * 4 + 2
    last = run_on(graph, image, [0], ["occlusion"], with_gap, channels=2)["occlusion", ""]
    worth = (image[0] * kernel).sum(-1)
    assert last[0, 0, 13, 22] == pytest.approx(worth[9:, 18:].sum(), abs=1e-4)


@pytest.mark.parametrize("wrong", [{"window": 9}, {"window": 3, "stride": 4}])
def test_windows_that_leave_pixels_out_are_an_error(wrong):
    with pytest.raises(OptionError, match=r"window=\d+, stride=\d+: the window is 1 to 8 pixels wide on this input"):
        maps_of(NET, IMAGE, "occlusion", **wrong)


@pytest.mark.parametrize("wrong", [{"window": 0}, {"stride": 0}])
def test_windows_without_a_pixel_are_an_error(wrong):
    with pytest.raises(OptionError, match=r"occlusion\.\w+ is a whole number at least 1, not 0; its default is None"):
        maps_of(NET, IMAGE, "occlusion", **wrong)
