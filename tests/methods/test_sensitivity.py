"""Sobol indices and HSIC where the answer is known: sums, products, and the definition by counting all masks."""

from __future__ import annotations

import numpy as np
import pytest
from part_nets import TanhNet
from perturbation_nets import linear_net, run_on

from gradcam_tf1.methods.sensitivity_indices import _exchanged, dependence, latin_hypercube, total_indices

LABELS = np.random.RandomState(3).randint(0, 12, (7, 9))


def estimated(function, axes, samples, seed=0):
    points = latin_hypercube(samples, 2 * axes, seed).astype(np.float64)
    first, second = points[:, :axes], points[:, axes:]
    exchanged = function(np.array(list(_exchanged(first, second)))).reshape((axes, samples, 1))
    return total_indices(function(first).reshape((samples, 1)), exchanged)[:, 0]


def test_total_indices_of_a_product_are_those_of_its_formula():
    """y = prod (1 + c_i (2 x_i - 1)): V_i = c_i^2 / 3, the total index is V_i prod_{j != i} (1 + V_j) / V."""
    factors = np.array([1.0, 0.5, 0.2, 0.0])
    parts = factors**2 / 3
    variance = np.prod(1 + parts) - 1
    expected = parts * np.prod(1 + parts) / (1 + parts) / variance
    found = estimated(lambda points: np.prod(1 + factors * (2 * points - 1), axis=1), 4, 20000)
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert found[3] == 0


def test_total_indices_of_ishigamis_function_are_the_published_ones():
    """sin a + 7 sin^2 b + 0.1 c^4 sin a on -pi..pi: 0.5576, 0.4424, 0.2437."""

    def ishigami(points):
        a, b, c = (2 * points - 1).T * np.pi
        return np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)

    np.testing.assert_allclose(estimated(ishigami, 3, 20000), [0.5576, 0.4424, 0.2437], atol=0.02)


def test_sobol_of_a_linear_net_is_the_share_of_each_part_in_the_variance():
    graph, image, kernel = linear_net()
    options = {"sobol": {"segments": LABELS, "samples": 400}}
    maps = run_on(graph, image, [0, 1], ["sobol"], options, channels=2)["sobol", ""][0]
    squares = np.bincount(LABELS.ravel(), (image[0] * kernel).sum(-1).ravel()) ** 2
    np.testing.assert_allclose(maps[0], (squares / squares.sum())[LABELS], atol=0.04)
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-5)  # it has no sign


def test_sobol_of_a_net_is_jansens_estimate_of_its_twin():
    net = TanhNet()
    points = latin_hypercube(24, 16, 9).astype(np.float64)
    base = net.scores(points[:, :8])
    expected = []
    for part in range(8):
        changed = points[:, :8].copy()
        changed[:, part] = points[:, 8 + part]
        differences = base - net.scores(changed)
        expected.append((differences**2).sum(axis=0) / (2 * 24) / np.var(base, axis=0, ddof=1))
    np.testing.assert_allclose(net.map_of("sobol", samples=24, seed=9), np.array(expected).T, rtol=1e-3, atol=1e-6)


def hsic_twin(shown, scores):
    """tr(K H L H) / (N - 1)^2 with all matrices written out."""
    count = len(scores)
    centre = np.eye(count) - 1 / count
    distances = np.abs(scores[:, None] - scores[None, :])
    width = np.median([distances[a, b] for a in range(count) for b in range(a)])
    kernel = np.exp(-(distances**2) / (2 * width**2))
    return np.array(
        [
            np.trace((column[:, None] == column[None, :]).astype(float) @ centre @ kernel @ centre) / (count - 1) ** 2
            for column in shown.T
        ]
    )


def test_hsic_of_a_net_is_the_trace_of_its_twin():
    net = TanhNet()
    shown = latin_hypercube(60, 8, 2) >= 0.5
    scores = net.scores(shown)
    expected = np.array([hsic_twin(shown, scores[:, t]) for t in range(2)])
    np.testing.assert_allclose(net.map_of("hsic", samples=60, seed=2), expected, rtol=1e-3, atol=1e-7)


def test_hsic_of_one_part_is_worked_by_hand():
    """y = 5 where part 0 is shown, 2 where not, in half of the masks each. Of the distances between different masks
    just over half are 3, the median, so L is 1 or exp(-1/2), and HSIC = (1 - exp(-1/2)) / 4 (N / (N - 1))^2.
    """
    shown = latin_hypercube(2000, 3, 0) >= 0.5
    found = dependence(shown, np.where(shown[:, 0], 5.0, 2.0))
    assert found[0] == pytest.approx((1 - np.exp(-0.5)) / 4 * (2000 / 1999) ** 2, rel=1e-9)
    assert found[1:].max() < 0.01 * found[0]


def test_hsic_by_rows_is_hsic_at_once_and_a_few_distances_give_the_median():
    shown = latin_hypercube(1100, 4, 1) >= 0.5
    scores = shown @ np.array([1.0, 0.3, 0.1, 0.0]) + np.random.RandomState(0).uniform(0, 0.05, 1100)
    np.testing.assert_allclose(dependence(shown, scores), hsic_twin(shown, scores), rtol=1e-9)
    many = np.tile(shown, (4, 1)), np.tile(scores, 4)  # more scores than distances are taken of
    np.testing.assert_allclose(dependence(*many), dependence(shown, scores), rtol=0.01)
    assert (np.diff(dependence(shown, scores)) < 0).all()


def test_scores_of_which_most_are_equal_have_a_dependence_too():
    shown = np.random.RandomState(0).random_sample((200, 3)) < 0.5
    found = dependence(shown, np.where(shown[:, 0] & shown[:, 1] & shown[:, 2], 1.0, 0.0))
    assert np.isfinite(found).all()
    assert (found > 0).all()


@pytest.mark.parametrize("name", ["sobol", "hsic"])
def test_a_score_that_nothing_changes_depends_on_nothing(name):
    """The rounding of equal scores is no dependence."""
    graph, image, _ = linear_net(bias=1000.0)
    lone = image * 1e-7
    answer = run_on(graph, lone, [0], [name], {name: {"segments": LABELS, "samples": 40}}, channels=2)
    np.testing.assert_array_equal(answer[name, ""], 0)


def test_a_latin_hypercube_has_a_point_in_each_slice_of_each_axis():
    points = latin_hypercube(50, 7, 3)
    assert (points.dtype, points.shape) == (np.float32, (50, 7))
    np.testing.assert_array_equal(np.sort((points * 50).astype(int), axis=0), np.tile(np.arange(50)[:, None], (1, 7)))
    assert np.abs(np.corrcoef(latin_hypercube(4000, 5, 1).T) - np.eye(5)).max() < 0.06
    np.testing.assert_allclose(points[0, :3], latin_hypercube(50, 7, 3)[0, :3])
