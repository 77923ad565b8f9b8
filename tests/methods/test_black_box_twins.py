"""The black box methods say what shap, captum, lime and xplique say, on arrays stored by scripts/black_box_twins.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from part_nets import TanhNet, shapley_values

from gradcam_tf1.methods.sensitivity_indices import dependence, total_indices
from gradcam_tf1.methods.surrogate import weighted_ridge

STORED = dict(np.load(str(Path(__file__).parent.parent / "data" / "black_box_twins.npz")))
WIDTH, RIDGE = 0.25, 1.0


def net():
    """The function of the script as a net of 2 x 4 pixels; its second logit is the first one negated."""
    made = TanhNet((2, 4))
    made.image = STORED["x"].reshape((1, 2, 4, 1))
    made.w1, made.w2 = STORED["w1"], np.stack([STORED["w2"], -STORED["w2"]], axis=1)
    return made


def scores_of(masks):
    return net().scores(masks)[:, :1]


def test_the_versions_are_stored():
    assert [entry.split()[0] for entry in STORED["versions"]] == ["shap", "captum", "lime", "xplique", "numpy"]


def test_kernelshap_of_all_sets_is_that_of_shap():
    maps = net().map_of("kernelshap", samples=256)
    np.testing.assert_allclose(maps, [STORED["shap_exact"], -STORED["shap_exact"]], atol=1e-5)


def test_captum_comes_as_near_as_chance_allows():
    """4000 orders, of which each has the deviation that is counted here from the definition; 4000 sets."""
    true = shapley_values(scores_of, 8)[:, 0]
    gains = []
    for order in np.random.RandomState(1).random_sample((2000, 8)).argsort(axis=1):
        ranks = order.argsort()
        before = ranks < ranks[:, np.newaxis]  # of each part, the parts before it
        gains.append(scores_of(before | np.eye(8, dtype=bool)) - scores_of(before))
    deviation = np.array(gains)[..., 0].std(axis=0)
    assert (np.abs(STORED["captum_sampling"] - true) < 4 * deviation / np.sqrt(4000)).all()
    assert (np.abs(net().map_of("shapley_sampling", permutations=400)[0] - true) < 4 * deviation / np.sqrt(400)).all()
    assert np.abs(STORED["captum_kernelshap"] - true).max() < 0.03 * np.abs(true).max()


@pytest.mark.parametrize("name", ["lime", "captum_lime"])
def test_lime_on_the_same_masks_is_that_of_the_package_and_of_captum(name):
    shown = STORED["lime_shown"].astype(bool)
    weights = np.exp(-(((1 - np.sqrt(shown.mean(axis=1))) / WIDTH) ** 2))
    slopes, _ = weighted_ridge(shown, weights, scores_of(shown), RIDGE)
    np.testing.assert_allclose(slopes[:, 0], STORED[name], rtol=1e-5, atol=1e-7)


def test_total_indices_of_the_same_points_are_those_of_xplique():
    first, second = STORED["first"], STORED["second"]
    exchanged = np.repeat(first[np.newaxis], 8, axis=0)
    for part in range(8):
        exchanged[part, :, part] = second[:, part]
    found = total_indices(scores_of(first), scores_of(exchanged.reshape((-1, 8))).reshape((8, -1, 1)))
    np.testing.assert_allclose(found[:, 0], STORED["xplique_jansen"], rtol=1e-4)


def test_dependence_on_the_same_masks_is_that_of_xplique():
    """It divides the trace by N; the paper, by (N - 1)^2."""
    shown = STORED["hsic_shown"] > 0.5
    count = len(shown)
    found = dependence(shown, scores_of(shown)[:, 0]) * (count - 1) ** 2 / count
    np.testing.assert_allclose(found, STORED["xplique_hsic"], rtol=1e-3, atol=1e-6)
