"""CAM is the dense kernel times the features, on nets of our own and on a real one."""

from __future__ import annotations

import numpy as np
import pytest
from layer_twins import TWINS, maps_of
from small_nets import SmallNet

from gradcam_tf1.errors import GradientError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.methods.layer import LAYER_ROWS


def test_cam_is_the_dense_kernel_times_the_features():
    net = SmallNet("gap")
    images = net.images(3)
    expected = np.einsum("nhwk,kc->nchw", net.forward(images)["features"], net.weights["w4"].astype(np.float64))
    maps = maps_of(net, images, range(4), "cam")
    assert maps.min() < -0.1
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    positions = maps.shape[2] * maps.shape[3]
    np.testing.assert_allclose(maps_of(net, images, range(4), "gradcam"), np.maximum(maps, 0) / positions, atol=1e-6)


def test_cam_refuses_another_head_and_says_where_it_stopped():
    net = SmallNet("flat")
    with pytest.raises(GradientError, match=r"CAM needs .* on 'features:0'; walking back .* \(Relu\)\. Use gradcam"):
        maps_of(net, net.images(1), [0], "cam")


def test_on_a_real_net_cam_is_its_own_classifier_kernel(models_dir):
    """MobileNet's 1x1 classifier behind the pooling, read from the file; every other method works there too."""
    photo = read_image(str(models_dir / "photos" / "n01531178_goldfinch.JPEG"))
    file = models_dir / "pb" / "mobilenet_v1_0.25_128_2018" / "mobilenet_v1_0.25_128_frozen.pb"
    with GradCamGraph(str(file), preset="inception") as net:
        explanation = net.explain(photo, [12, 281], methods=[row.name for row in LAYER_ROWS])
        tensors = [
            net.graph.get_tensor_by_name(f"{name}:0") for name in ("MobilenetV1/Logits/Conv2d_1c_1x1/weights", "input")
        ]
        kernel = net.sess.run(tensors[0])[0, 0].astype(np.float64)
        pixels = net.preprocess(net.fit_image(photo).pixels[np.newaxis].astype(np.float32))
        features = net.sess.run(net.binding.layer, {tensors[1]: pixels})[0].astype(np.float64)
    expected = np.stack([features @ kernel[:, c] for c in (12, 281)])
    np.testing.assert_allclose(explanation["cam"][0], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(explanation["gradcam"][0], np.maximum(expected, 0) / 16, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(explanation["xgradcam"], explanation["gradcam"], rtol=1e-3, atol=1e-5)
    for method in ["cam", *TWINS]:  # the finch is what the net sees: there is evidence for it in every map
        assert explanation.statuses[explanation.key(method)][0][0].state == "ok", method
