"""The metrics say what quantus, captum and pytorch-grad-cam say, on arrays stored by scripts/metric_twins.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradcam_tf1.metrics.compactness import complexity, sparseness
from gradcam_tf1.metrics.deletion_curves import deletion
from gradcam_tf1.metrics.infidelity import infidelity
from gradcam_tf1.metrics.max_sensitivity import max_sensitivity
from gradcam_tf1.metrics.measured_maps import pixel_order
from gradcam_tf1.metrics.road import imputed, road, road_lerf, road_morf
from gradcam_tf1.metrics.subset_correlation import faithfulness_correlation

STORED = dict(np.load(str(Path(__file__).parent.parent / "data" / "metric_twins.npz")))
CLASS, SEED = 1, 7


class Twin:
    """The net of the script in numpy: softmax of tanh(x w1) w2, and its gradient added up over the channels."""

    def __init__(self, name):
        self.image, self.map, self.w1, self.w2 = (STORED[f"{name}_{part}"] for part in ("image", "map", "w1", "w2"))

    def forward(self, images):
        hidden = np.tanh(images.reshape(len(images), -1).astype(np.float64) @ self.w1)
        powers = np.exp(hidden @ self.w2)
        return hidden, powers / powers.sum(axis=1, keepdims=True)

    def score(self, images):
        return self.forward(images)[1][:, CLASS]

    def explain(self, images):
        hidden, shares = self.forward(images)
        back = shares[:, CLASS : CLASS + 1] * (np.eye(3)[CLASS] - shares)
        return (((back @ self.w2.T) * (1 - hidden**2)) @ self.w1.T).reshape(images.shape).sum(axis=-1)


GRAY, COLOUR = Twin("gray"), Twin("colour")


def test_the_versions_are_stored():
    names = [entry.split()[0] for entry in STORED["versions"]]
    assert names == ["quantus", "captum", "grad-cam", "torch", "numpy", "scipy"]
    assert "quantus 0.6.0" in STORED["versions"]


def test_the_gradient_of_the_twin_is_that_of_differences():
    step = np.zeros(COLOUR.image.shape)
    step[3, 4] = 1e-4
    difference = COLOUR.score((COLOUR.image + step)[np.newaxis]) - COLOUR.score((COLOUR.image - step)[np.newaxis])
    assert COLOUR.explain(COLOUR.image[np.newaxis])[0, 3, 4] == pytest.approx(difference[0] / 2e-4, rel=1e-5)


def test_deletion_is_pixel_flipping_of_quantus():
    """From the first step on; quantus leaves the image itself out."""
    found = deletion(GRAY.map, GRAY.image, 0 * GRAY.image, GRAY.score, steps=36)
    np.testing.assert_allclose(found.curve[1:, 1], STORED["quantus_flipping"], atol=1e-6)


def test_faithfulness_correlation_is_that_of_quantus():
    found = faithfulness_correlation(
        GRAY.map, GRAY.image, 0 * GRAY.image, GRAY.score, share=18 / 144, samples=40, seed=SEED
    )
    assert found.value == pytest.approx(float(STORED["quantus_faithfulness"]), abs=1e-6)


@pytest.mark.parametrize("function", [complexity, sparseness])
def test_compactness_is_that_of_quantus(function):
    assert function(GRAY.map).value == pytest.approx(float(STORED[f"quantus_{function.__name__}"]), abs=1e-6)


@pytest.mark.parametrize(("scaling", "name"), [(False, "captum_infidelity"), (True, "captum_infidelity_scaled")])
def test_infidelity_is_that_of_captum(scaling, name):
    found = infidelity(
        COLOUR.map,
        COLOUR.image,
        COLOUR.image,
        COLOUR.score,
        perturb="noise",
        scaling=scaling,
        samples=30,
        noise=0.2,
        seed=SEED,
        chunk=7,
    )
    assert found.value == pytest.approx(float(STORED[name]), rel=1e-6)


def test_max_sensitivity_is_that_of_captum():
    own = COLOUR.explain(COLOUR.image[np.newaxis])[0]
    found = max_sensitivity(own, COLOUR.image, COLOUR.explain, radius=0.1, samples=30, seed=SEED, chunk=7)
    assert found.value == pytest.approx(float(STORED["captum_sensitivity_max"]), rel=1e-6)


def test_road_without_noise_is_that_of_pytorch_grad_cam():
    """It has no equal values here, and the image's size makes percentiles whole numbers of pixels."""
    most = road_morf(COLOUR.map, COLOUR.image, COLOUR.score, noise=0)
    least = road_lerf(COLOUR.map, COLOUR.image, COLOUR.score, noise=0)
    np.testing.assert_allclose(most.curve[:, 1], STORED["gradcam_road_morf"], atol=1e-6)
    np.testing.assert_allclose(least.curve[:, 1], STORED["gradcam_road_lerf"], atol=1e-6)
    both = (STORED["gradcam_road_lerf"].mean() - STORED["gradcam_road_morf"].mean()) / 2
    assert road(COLOUR.map, COLOUR.image, COLOUR.score, noise=0).value == pytest.approx(both, abs=1e-6)


@pytest.mark.parametrize(("sign", "name"), [(1, "gradcam_half_morf"), (-1, "gradcam_half_lerf")])
def test_imputed_images_are_those_of_pytorch_grad_cam(sign, name):
    removed = np.zeros(COLOUR.map.shape, bool)
    removed.ravel()[pixel_order(sign * COLOUR.map, 0)[: removed.size // 2]] = True
    np.testing.assert_allclose(imputed(COLOUR.image, removed), STORED[name], atol=1e-6)
