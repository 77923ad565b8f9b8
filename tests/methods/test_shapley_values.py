"""KernelSHAP and Shapley sampling against the definition, on nets that add up and on nets that do not."""

from __future__ import annotations

import numpy as np
import pytest
from part_nets import TanhNet, shapley_values
from perturbation_nets import linear_net, run_on
from small_nets import SmallNet, run

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.shapley_values import constrained_fit, random_orders, shapley_sets

NET = TanhNet()
TRUE = shapley_values(NET.scores, 8).T  # [2, P]


def notes_of(net, name, **options):
    answer = run(net, net.images(1), [0, 1], [name], options={name: options})
    return [status.notes[0] for status in answer.statuses[name, ""][0]]


def test_shapley_values_of_the_twin_add_up_and_are_those_of_a_game_worked_by_hand():
    np.testing.assert_allclose(TRUE.sum(axis=1), (NET.scores([[1] * 8]) - NET.scores([[0] * 8]))[0], atol=1e-12)

    def glove(shown):
        """One left glove, two right ones: a pair is worth 1. The values are 2/3, 1/6, 1/6."""
        return (shown[:, :1] & shown[:, 1:].any(axis=1, keepdims=True)).astype(np.float64)

    np.testing.assert_allclose(shapley_values(glove, 3)[:, 0], [2 / 3, 1 / 6, 1 / 6])


@pytest.mark.parametrize("name", ["kernelshap", "shapley_sampling"])
@pytest.mark.parametrize("baseline", ["zero", 0.5])
def test_a_linear_net_gives_each_part_what_its_pixels_add(name, baseline):
    graph, image, kernel = linear_net()
    labels = np.random.RandomState(3).randint(0, 12, (7, 9))
    options = {"segments": labels, "baseline": baseline, "seed": 5}
    options.update({"samples": 48} if name == "kernelshap" else {"permutations": 1})  # far from all sets
    worth = ((image[0] - (0 if baseline == "zero" else baseline)) * kernel).sum(-1)
    expected = np.bincount(labels.ravel(), worth.ravel())[labels]
    maps = run_on(graph, image, [0, 1], [name], {name: options}, channels=2)[name, ""]
    np.testing.assert_allclose(maps[0], [expected, -expected], atol=1e-4)


def test_kernelshap_of_all_sets_is_the_definition():
    np.testing.assert_allclose(NET.map_of("kernelshap", samples=256), TRUE, atol=1e-5)
    assert np.abs(NET.map_of("kernelshap", samples=255) - TRUE).max() > 1e-4


@pytest.mark.parametrize("players", [1, 2, 3])
def test_kernelshap_of_few_parts_is_the_definition(players):
    net = TanhNet((1, players), seed=4)
    expected = shapley_values(net.scores, players).T
    np.testing.assert_allclose(net.map_of("kernelshap", samples=2**players), expected, atol=1e-5)


def test_kernelshap_of_some_sets_is_near_and_adds_up():
    net = TanhNet((3, 4), seed=1)
    true = shapley_values(net.scores, 12).T
    far = [np.abs(net.map_of("kernelshap", samples=600, seed=seed) - true).max() for seed in range(4)]
    less = [np.abs(net.map_of("kernelshap", samples=60, seed=seed) - true).max() for seed in range(4)]
    assert 1e-6 < np.mean(far) < 0.04 * np.abs(true).max()
    assert np.mean(less) > 2 * np.mean(far)  # the more sets, the nearer
    maps = net.map_of("kernelshap", samples=60)
    gains = net.scores([[1] * 12]) - net.scores([[0] * 12])
    np.testing.assert_allclose(maps.sum(axis=1), gains[0], atol=1e-5)


def test_the_weights_of_all_sets_are_the_shapley_kernel():
    sets, weights = shapley_sets(4, 16, 0)
    assert len({tuple(row) for row in sets}) == 14
    by_size = {1: 3 / (4 * 1 * 3), 2: 3 / (6 * 2 * 2), 3: 3 / (4 * 3 * 1)}
    np.testing.assert_allclose(weights, [by_size[size] for size in sets.sum(axis=1)])


@pytest.mark.parametrize(("players", "samples"), [(10, 40), (10, 700), (50, 1000), (49, 400)])
def test_sets_that_are_drawn_stand_for_the_others(players, samples):
    sets, weights = shapley_sets(players, samples, 3)
    assert len(sets) <= samples - 2
    assert len(np.unique(sets, axis=0)) == len(sets)
    np.testing.assert_array_equal(np.unique(~sets, axis=0), np.unique(sets, axis=0))  # each with its complement
    sizes = np.arange(1, players)
    kernel = (players - 1) / (sizes * (players - sizes))
    assert weights.sum() == pytest.approx(kernel.sum())
    found = np.bincount(sets.sum(axis=1), weights, minlength=players + 1)[1:players]
    np.testing.assert_allclose(found[[0, -1]], kernel[[0, -1]])  # taken whole
    assert (sets.sum(axis=1) == 1).sum() == players
    drawn = np.mean(
        [
            np.bincount(s.sum(axis=1), w, minlength=players + 1)[1:players]
            for s, w in (shapley_sets(players, samples, seed) for seed in range(40))
        ],
        axis=0,
    )
    assert np.abs(drawn - kernel).max() < 0.25 * kernel[1:-1].max()


def test_the_fit_is_the_least_squares_solution_with_the_constraint():
    random = np.random.RandomState(0)
    sets, weights = random.random_sample((40, 5)) < 0.5, random.uniform(0.1, 1, 40)
    gains, total = random.randn(40, 2), np.array([1.5, -0.5])
    values = constrained_fit(sets, weights, gains, total)
    np.testing.assert_allclose(values.sum(axis=0), total)
    # without a constraint: the last value is what is left of the total
    free = np.linalg.lstsq(
        np.sqrt(weights)[:, None] * (sets[:, :4] * 1.0 - sets[:, 4:]),
        np.sqrt(weights)[:, None] * (gains - sets[:, 4:] * total),
        rcond=None,
    )[0]
    np.testing.assert_allclose(values[:4], free, atol=1e-12)


@pytest.mark.parametrize(("parts", "samples", "needed"), [(8, 31, 32), (3, 7, 8), (96, 383, 384)])
def test_too_few_samples_are_an_error(parts, samples, needed):
    net = SmallNet("flat", seed=2)
    labels = np.arange(96).reshape(net.size) % parts
    message = f"kernelshap of {parts} parts needs at least {needed} samples, not {samples}; give more samples, or fewer"
    with pytest.raises(OptionError, match=message):
        run(net, net.images(1), [0], ["kernelshap"], options={"kernelshap": {"segments": labels, "samples": samples}})


def test_sampling_of_all_orders_is_the_definition():
    net = TanhNet((1, 3), seed=7)
    orders = random_orders(3, 600, False, 2)
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert counts.min() > 60  # each is as likely
    maps = net.map_of("shapley_sampling", permutations=600, antithetic=False, seed=2)
    steps = np.zeros((2, 3))
    for order in orders:  # the mean over the very orders, from the definition
        shown, before = np.zeros((1, 3)), net.scores(np.zeros((1, 3)))
        for player in order:
            shown[0, player] = 1
            after = net.scores(shown)
            steps[:, player] += (after - before)[0] / len(orders)
            before = after
    np.testing.assert_allclose(maps, steps, atol=1e-5)
    assert np.abs(maps - shapley_values(net.scores, 3).T).max() < 0.05


@pytest.mark.parametrize("antithetic", [True, False])
def test_sampling_is_as_near_as_its_note_says_and_adds_up(antithetic):
    labels, net = np.arange(8).reshape(2, 4), NET
    errors = []
    for seed in range(10):
        maps, _ = net.run(
            "shapley_sampling",
            {"segments": labels, "permutations": 60, "antithetic": antithetic, "seed": seed, "baseline": "zero"},
        )
        errors.append(maps.reshape((2, 8)) - TRUE)
        np.testing.assert_allclose(maps.reshape((2, 8)).sum(axis=1), TRUE.sum(axis=1), atol=1e-5)
    errors = np.array(errors)
    spread = np.sqrt((errors**2).mean(axis=0)).max()
    assert 0.001 < spread < (0.1 if antithetic else 0.2)
    assert np.abs(errors.mean(axis=0)).max() < 3 * spread / np.sqrt(10) + 0.01


def test_every_second_order_is_the_one_before_it_backwards():
    for count in (1, 2, 5):
        orders = random_orders(6, count, True, 0)
        assert orders.shape == (count, 6)
        np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(6), (count, 1)))
        np.testing.assert_array_equal(orders[1::2], orders[: count - 1 : 2, ::-1])
    # of a score of pairs the two together are exact
    pair = TanhNet((1, 4), seed=3)
    pair.w1, pair.w2 = pair.w1 * 0.05, pair.w2 / 0.05
    true = shapley_values(pair.scores, 4).T
    options = [{"permutations": 2, "antithetic": both, "seed": seed} for both in (True, False) for seed in range(6)]
    off = [np.abs(pair.map_of("shapley_sampling", **given) - true).max() for given in options]
    near, far = np.mean(off[:6]), np.mean(off[6:])
    assert near < 0.7 * far


def test_the_notes_say_what_the_values_add_up_to():
    net = SmallNet("flat", seed=2)
    labels = np.arange(96).reshape(net.size) // 12
    logits = [net.forward(images)["logits"][0] for images in (net.images(1), 0 * net.images(1))]
    gain = (logits[0] - logits[1])[1]
    options = {"segments": labels, "baseline": "zero"}
    start = f"completeness: the values of 8 parts add up to {gain:.4g}, the score rises by {gain:.4g} from zero; "
    assert notes_of(net, "kernelshap", **options)[1] == start + "exact, of all sets"
    assert notes_of(net, "kernelshap", samples=200, **options)[1].startswith(start + "from ")
    said = notes_of(net, "shapley_sampling", **options)[1]
    assert said.startswith(start + "from 20 orders of the parts, standard error at most 0.")
    assert notes_of(net, "shapley_sampling", permutations=2, **options)[1] == start + "from 2 orders of the parts"
    image = np.full((8, 12, 3), 0.25)
    assert "from the given baseline; " in notes_of(net, "kernelshap", segments=labels, baseline=image)[0]
