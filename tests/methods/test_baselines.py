"""Where the paths begin: each baseline is an image of known pixels."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.methods.masking import BASELINES, baseline_input


class Image:
    """What `baseline_input` asks of a probe."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.image = pixels / 255

    def to_input(self, pixels):
        return pixels / 255


def test_baselines_are_images():
    pixels = np.random.RandomState(0).uniform(0, 255, (20, 30, 3)).astype(np.float32)
    found = {name: baseline_input(Image(pixels), name, seed=4) * 255 for name in BASELINES}
    np.testing.assert_array_equal(found["black"], 0)
    np.testing.assert_array_equal(found["zero"], 0)
    np.testing.assert_array_equal(found["white"], 255)
    np.testing.assert_allclose(found["mean"], np.broadcast_to(pixels.mean((0, 1)), pixels.shape), rtol=1e-5)
    assert found["blur"].std() < pixels.std() / 3
    np.testing.assert_allclose(found["blur"].mean((0, 1)), pixels.mean((0, 1)), rtol=0.1)
    np.testing.assert_allclose(found["random"], np.random.RandomState(4).uniform(0, 255, pixels.shape), rtol=1e-4)
    np.testing.assert_allclose(baseline_input(Image(pixels), pixels[::-1]) * 255, pixels[::-1], rtol=1e-5)
