"""Pose and counting nets: a target for each heat map's peak, and for the sum of a density map."""

from __future__ import annotations

import numpy as np
import pytest
from detector_nets import opened, scene, trunk

from gradcam_tf1 import Explanation, Keypoint, Region, Total
from gradcam_tf1.errors import RunError, TargetError
from gradcam_tf1.tf_runtime import tf

IMAGE = scene(red=[(0, 1)], green=[(3, 2)])
IMAGE[:, 6:, 0] = 51  # weaker red elsewhere


def heat_maps():
    """Two joints: red and green, twice the features."""
    tf.multiply(trunk()[..., :2], 2.0, name="heat")


def density():
    """A count of one kind: the mean of red and green."""
    tf.reduce_sum(trunk()[..., :2] * 0.5, axis=3, keepdims=True, name="density")


@pytest.fixture(scope="module")
def pose():
    with opened(heat_maps, logits="heat", labels=["wrist", "elbow"]) as net:
        yield net


@pytest.fixture(scope="module")
def counter():
    with opened(density, logits="density") as net:
        yield net


def explained(net, targets) -> Explanation:
    return net.explain(IMAGE, targets, methods="hirescam")


def test_a_keypoint_is_the_peak_of_its_heat_map(pose):
    found = explained(pose, [Keypoint(0), Keypoint("elbow")])
    assert found.scores[0] == pytest.approx([2, 2])
    for t, place in enumerate([(0, 1), (3, 2)]):
        expected = np.zeros((4, 4))
        expected[place] = 2
        np.testing.assert_allclose(found["hirescam"][0, t], expected, atol=1e-6)
    assert [(map.class_id, map.label, map.about) for map in found] == [
        (0, "wrist", "keypoint"),
        (1, "elbow", "keypoint"),
    ]


def test_a_keypoint_is_the_point_of_a_region_at_its_peak(pose):
    found = explained(pose, [Keypoint(0), Region(0, point=(0.5, 3.0)), Region(0, point=(5, 7))])
    np.testing.assert_array_equal(found["hirescam"][0, 0], found["hirescam"][0, 1])
    assert found.scores[0] == pytest.approx([2, 2, 0.4])


def test_a_total_is_the_sum_of_its_map(pose):
    found = explained(pose, [Total(0), Total(1)])
    red = 2 * (1 + 0.2 * 4)
    assert found.scores[0] == pytest.approx([red, 2])
    expected = np.zeros((4, 4))
    expected[0, 1], expected[:, 3] = 2, 0.4
    np.testing.assert_allclose(found["hirescam"][0, 0], expected, atol=1e-6)


def test_a_total_inside_a_mask(pose):
    mask = np.zeros((8, 8))
    mask[:4, 7:] = 1  # half of the two upper cells on the right
    found = explained(pose, [Total(0, mask=mask), Region(0, mask=mask)])
    assert found.scores[0] == pytest.approx([0.4, 0.4])
    np.testing.assert_array_equal(found["hirescam"][0, 0], found["hirescam"][0, 1])
    assert [map.about for map in found] == ["total in mask", "mask"]


def test_the_only_map_of_a_counting_net_is_channel_0(counter):
    found = explained(counter, [Total(), Keypoint(0)])
    assert found.scores[0] == pytest.approx([(1 + 0.2 * 4 + 1) / 2, 0.5])
    assert found["hirescam"][0, 0].sum() == pytest.approx(1.4)


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (Keypoint(2), TargetError, r"no class 2: the net has 2 classes"),
        (Keypoint(None), TargetError, r"Keypoint\(channel=None\): give the number of one map, counted from 0"),
        (Total(1.5), TargetError, r"target 1.5 is a float"),
        (Keypoint("knee"), TargetError, r"no class is named 'knee'"),
    ],
)
def test_maps_that_are_not_there(pose, target, error, message):
    with pytest.raises(error, match=message):
        explained(pose, target)


def test_a_second_map_of_a_net_with_one(counter):
    with pytest.raises(RunError, match=r"maps requested"):
        explained(counter, Total(1))


def test_a_net_without_maps_has_no_keypoints():
    from gradcam_tf1.graph import GradCamGraph
    from gradcam_tf1.nets.demo import demo_model

    with GradCamGraph(demo_model(), preset="inception") as net, pytest.raises(TargetError, match="need maps of scores"):
        net.explain(np.zeros((192, 256, 3), np.uint8), Keypoint(0))
