"""Grad-CAM of texts at convolutions that are spelt in 2-D: against a float64 twin in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from text_cnns import on_tokens, text_cnn, twin, weights
from text_nets import T

from gradcam_tf1.errors import BindingError
from gradcam_tf1.graph import GradCamGraph

IDS = np.array([[2, 3, 4, 8, 5, 7, 9, 6, 1, 2], [3, 4, 7, 5, 9, 9, 6, 2, 1, 5]])


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_one_branch(size, first):
    scores, (cam,) = twin(IDS, [size], 1)
    with GradCamGraph(text_cnn([size], first=first)) as net:
        assert net.binding.layer == f"conv-maxpool-{size}/relu:0"
        found = net.explain(IDS, 1)
    np.testing.assert_allclose(found.scores[:, 0], scores[:, 1], rtol=1e-5)
    assert np.ptp(cam) > 0.01
    key = ("gradcam", f"conv-maxpool-{size}/relu:0")
    np.testing.assert_allclose(found.maps[key][:, 0], np.maximum(cam, 0), rtol=1e-4, atol=1e-6)
    for n in range(2):
        wanted = on_tokens(np.maximum(cam, 0), size, T)[n]
        np.testing.assert_allclose(found.map("gradcam", n).placed(), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("length", [T, None])
@pytest.mark.parametrize("class_id", [0, 1])
def test_branches_of_several_sizes_add_up_on_the_tokens(class_id, length):
    """Each branch is placed by its own window before the sum."""
    scores, cams = twin(IDS, [3, 4, 5], class_id)
    wanted = sum(on_tokens(np.maximum(cam, 0), size, T) for size, cam in zip((3, 4, 5), cams))
    with GradCamGraph(text_cnn([3, 4, 5], length)) as net:
        assert net.binding.layer == " + ".join(f"conv-maxpool-{size}/relu:0" for size in (3, 4, 5))
        found = net.explain(IDS, class_id)
        alone = net.explain(IDS, class_id, layers="conv-maxpool-5/relu")
    np.testing.assert_allclose(found.scores[:, 0], scores[:, class_id], rtol=1e-5)
    for n in range(2):
        np.testing.assert_allclose(found.map("gradcam", n).placed(), wanted[n], rtol=1e-4, atol=1e-6)
        of_five = on_tokens(np.maximum(cams[2], 0), 5, T)[n]
        np.testing.assert_allclose(alone.map("gradcam", n).placed(), of_five, rtol=1e-4, atol=1e-6)


def test_methods_that_change_features_put_them_back():
    """Ablation-CAM by hand: a channel is left out, and the share of the score that is lost weighs its map."""
    scores, _ = twin(IDS, [3], 1)
    _, dense, _ = weights([3])
    layer = "conv-maxpool-3/relu:0"
    with GradCamGraph(text_cnn([3])) as net:
        found = net.explain(IDS, 1, "ablationcam")
        feeds = {"input_x:0": IDS, "dropout_keep_prob:0": 1.0}
        values = net.sess.run(layer, feeds)[:, :, 0].astype(np.float64)
    shares = values.max(axis=1) * dense[:, 1] / np.abs(scores[:, 1:2])
    wanted = np.maximum((values * shares[:, np.newaxis]).sum(-1), 0)
    np.testing.assert_allclose(found.maps["ablationcam", layer][:, 0], wanted, rtol=1e-3, atol=1e-5)


def test_a_layer_that_is_no_line_of_tokens():
    with GradCamGraph(text_cnn([3])) as net, pytest.raises(BindingError, match=r"name a float map \[N, l, K\]"):
        net.explain(IDS, 1, layers="conv-maxpool-3/ExpandDims")
