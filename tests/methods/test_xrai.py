"""XRAI: segments, the ranking of regions worked by hand, and the saliency package."""

from __future__ import annotations

import numpy as np
import pytest
from pixel_nets import small, the_map
from small_nets import SmallNet

from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.methods.xrai import felzenszwalb_segments, rank_regions, regions_of, widened
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo


def test_regions_are_ranked_by_what_they_add_worked_by_hand():
    """Left half holds 3, right half 1, the middle, which covers half of each, 2 + 4 = 6 in its left part."""
    attribution = np.full((20, 20), 1.0)
    attribution[:, :10] = 3.0
    attribution[:, 5:10] = 6.0
    columns = np.arange(20)
    regions = np.stack(
        [np.tile(where, (20, 1)) for where in (columns < 10, columns >= 10, (columns >= 5) & (columns < 15))]
    )
    values = rank_regions(attribution, regions)
    # the left half has the highest mean, 4.5; what the middle adds then, and the right half, are 1
    np.testing.assert_allclose(values, np.tile(np.where(columns < 10, 4.5, 1.0), (20, 1)))
    values = rank_regions(attribution, regions[1:])
    # the middle comes first, (6 + 1) / 2; then the rest of the right half; what no region covers keeps its mean
    expected = np.where(columns < 5, 3.0, np.where(columns < 15, 3.5, 1.0))
    np.testing.assert_allclose(values, np.tile(expected, (20, 1)))


@pytest.mark.parametrize("seed", range(3))
def test_ranking_equals_the_saliency_package(seed):
    saliency = pytest.importorskip("saliency.core")
    random = np.random.RandomState(seed)
    attribution = random.randn(24, 30)
    labels = np.stack([random.randint(0, 6, (3, 3)).repeat(8, 0).repeat(10, 1) for _ in range(4)])
    regions = widened(regions_of(labels), radius=1)
    theirs = saliency.XRAI().GetMask(
        np.zeros((24, 30, 3)),
        None,
        segments=list(regions),
        base_attribution=np.repeat(attribution[..., None], 3, axis=2),
    )
    np.testing.assert_allclose(rank_regions(attribution, regions), theirs, rtol=1e-5, atol=1e-6)


def blobs():
    """A gray image with a red square and a blue one."""
    pixels = np.full((64, 80, 3), 120, np.float32)
    pixels[10:34, 10:34] = (230, 20, 20)
    pixels[30:60, 44:76] = (20, 20, 230)
    return pixels


def test_segments_follow_the_edges_of_the_image():
    labels = felzenszwalb_segments(blobs())
    assert labels.shape == (6, 64, 80)
    for each in labels[:3]:
        assert len({each[12, 12], each[50, 60], each[5, 5]}) == 3
        assert (each[12:32, 12:32] == each[12, 12]).mean() > 0.95


def test_widening_adds_a_disk():
    region = np.zeros((1, 15, 15), bool)
    region[0, 7, 7] = True
    rows, columns = np.mgrid[:15, :15] - 7
    np.testing.assert_array_equal(widened(region)[0], rows**2 + columns**2 <= 25)


def colour_net():
    """Class 0 sums red, class 1 blue: logits = sum of x over a channel."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 64, 80, 3], name="input")
        features = tf.nn.relu(x, name="features")
        tf.reduce_sum(tf.gather(features, [0, 2], axis=3), [1, 2], name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 64, 80, 3))
    return graph, Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(64, 80), classes=2)


def test_xrai_lights_up_the_region_of_the_class():
    pixels = blobs()[np.newaxis]
    maps = the_map(*colour_net(), pixels / 255, "xrai", (0, 1), pixels=pixels, to_batch=lambda rgb: rgb / 255, steps=3)[
        0
    ]
    assert maps.shape == (2, 64, 80)
    red, blue, gray = np.s_[12:32, 12:32], np.s_[34:56, 48:72], np.s_[40:60, 5:30]
    assert maps[0][red].min() > maps[0][blue].max()
    assert maps[0][red].min() > maps[0][gray].max()
    assert maps[1][blue].min() > maps[1][red].max()


def test_xrai_equals_the_saliency_package_on_the_same_regions():
    saliency = pytest.importorskip("saliency.core")
    net = SmallNet("flat", size=(24, 32))
    pixels = np.random.RandomState(0).uniform(0, 255, (1, 24, 32, 3)).astype(np.float32)
    images = pixels / 127.5 - 1
    labels = np.arange(12).reshape(3, 4).repeat(8, 0).repeat(8, 1)
    how = {"pixels": pixels, "steps": 50}
    ours = small(images, "xrai", net, class_ids=(1,), segments=labels, **how)[0, 0]
    black, white = (
        small(images, "integrated_gradients", net, class_ids=(1,), baseline=name, **how)[0, 0]
        for name in ("black", "white")
    )
    theirs = saliency.XRAI().GetMask(
        images[0], None, segments=list(regions_of(labels[None])), base_attribution=(black + white) / 2
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


def test_regions_of_fewer_than_50_pixels_are_left_out():
    maps = small(SmallNet().images(1), "xrai", segments=np.arange(96).reshape(8, 12) // 48)
    assert len(np.unique(maps)) == 1  # two regions of 48 pixels
