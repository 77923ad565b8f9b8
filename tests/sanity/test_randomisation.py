"""Maps of drawn weights are those of a net that was built with them, and the net itself never changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from weight_nets import IMAGES, branched, changed, conv, dense, made, opened, plain, weight

from gradcam_tf1 import load
from gradcam_tf1.errors import RunError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.metrics.similarity import hog_similarity, spearman
from gradcam_tf1.sanity.compared_maps import EDGES, ComparedMap, MapQuestion, of_engine
from gradcam_tf1.sanity.described_maps import SIMILARITIES, DescribedMaps, chance, described, measures_of
from gradcam_tf1.sanity.randomisation import blocks_of, randomise
from gradcam_tf1.sanity.sanity_options import MODES
from gradcam_tf1.sanity.weight_draws import draw_all, with_drawn
from gradcam_tf1.sanity.weight_layers import find_weight_layers
from gradcam_tf1.tf_runtime import tf

MEASURES = measures_of(SIMILARITIES)
METHODS = ["gradient", "gradcam", "guided_backprop", "scorecam"]


class Study:
    """A net, its layers and weights, and the question that is asked."""

    def __init__(self, net, methods=METHODS):
        self.explainer = net.explainers[0]
        first = MapQuestion(self.explainer.prepare(IMAGES), methods)
        self.question = first.fixed(first.ask(self.explainer).class_ids)
        self.layers = find_weight_layers(net.graph, net.binding).layers
        names = [weight.name for layer in self.layers for weight in layer.weights]
        self.weights = self.explainer.engine.constants(names)
        self.intact = self.question.ask(of_engine(self.explainer, self.weights))
        self.intact.maps[EDGES] = self.question.edges()

    def fresh(self, layers, draw="normal"):
        return with_drawn(self.weights, draw_all(self.weights, self.layers, draw, 0), layers, self.layers)

    def steps(self, modes=MODES, draw="normal"):
        blocks = blocks_of(self.layers, 99)
        before = described(self.intact, SIMILARITIES)
        return list(randomise(self.explainer, self.question, before, self.weights, blocks, modes, draw, 0))


def compare(first, second, *rest):
    return DescribedMaps(first, SIMILARITIES).compare(DescribedMaps(second, SIMILARITIES), *rest)


def assert_same(made_maps, wanted):
    assert set(made_maps) == set(wanted)
    for name, maps in wanted.items():
        scale = np.abs(maps.signed).max()
        np.testing.assert_allclose(made_maps[name].signed, maps.signed, atol=2e-6 * scale, rtol=0, err_msg=name)


@pytest.fixture(scope="module", params=["constants", "variables"])
def branched_study(request):
    """With small weights as constants, and with all as variables of the session, as large ones are."""
    model = load(made(branched))
    names = [node.name for node in model.graph_def.node if node.name.endswith(("/w", "/b"))]
    if request.param == "variables":
        model = replace(model, variables=tuple(names))
    with GradCamGraph(model, input="x", logits="logits", preset="raw") as net:
        yield Study(net)


@pytest.mark.parametrize("draw", ["normal", "permute"])
def test_drawn_weights_are_those_of_a_net_built_with_them(branched_study, draw):
    study = branched_study
    for count in (1, 3, len(study.layers)):
        fresh = study.fresh(study.layers[:count], draw)
        assert sum(not np.array_equal(fresh[name], value) for name, value in study.weights.items()) >= count
        made_maps = study.question.ask(of_engine(study.explainer, fresh))
        with opened(changed(made(branched), fresh)) as other:
            wanted = study.question.ask(other.explainers[0])
        np.testing.assert_allclose(made_maps.scores, wanted.scores, rtol=1e-5)
        assert_same(made_maps.maps, wanted.maps)


def test_the_net_stays_as_it_is_bit_for_bit(branched_study):
    study = branched_study
    before = study.question.ask(study.explainer)
    study.steps()
    after = study.question.ask(study.explainer)
    for name, maps in before.maps.items():
        assert np.array_equal(maps.signed, after.maps[name].signed), name
    now = study.explainer.engine.constants(list(study.weights))
    assert all(np.array_equal(now[name], value) for name, value in study.weights.items())


def test_the_net_stays_as_it_is_after_an_error(branched_study, monkeypatch):
    study = branched_study
    before = study.question.ask(study.explainer)

    def broken(*_):
        raise RunError("the net failed")

    with monkeypatch.context() as patch:
        patch.setattr("gradcam_tf1.sanity.described_maps.DescribedMaps.compare", broken)
        with pytest.raises(RunError, match="the net failed"):
            study.steps()
    after = study.question.ask(study.explainer)
    assert all(np.array_equal(maps.signed, after.maps[name].signed) for name, maps in before.maps.items())


def test_steps_of_both_modes_and_a_floor_that_ignores_the_net(branched_study):
    steps = branched_study.steps()
    cascade, independent = ([step for step in steps if step.mode == mode] for mode in MODES)
    assert [step.layers for step in cascade] == [(layer.name,) for layer in branched_study.layers]
    # the first step of both modes draws the same layer
    first, other = cascade[0].similarity["gradient"], independent[0].similarity["gradient"]
    assert all(np.array_equal(first[measure], other[measure]) for measure in MEASURES)
    last = cascade[-1].similarity
    assert last[EDGES]["spearman signed"].tolist() == [1.0, 1.0, 1.0]
    assert np.abs(last["gradient"]["spearman signed"]).max() < 0.5


def logarithm(x):
    """The scores are logarithms of sums of positive weights: negative ones give NaN."""
    kernel = tf.constant(np.random.RandomState(0).uniform(0.1, 1, (4, 3)).astype(np.float32), name="positive")
    pooled = tf.reduce_mean(conv(x / 255.0, "one", 4), [1, 2])
    return tf.log(tf.matmul(pooled, kernel - 0.05, name="top"))


def test_images_without_a_score_are_counted_and_left_out():
    with opened(made(logarithm)) as net:
        study = Study(net, ["gradient"])
        top = find_weight_layers(net.graph, net.binding).layers[0].weights[0].name
        study.weights = {**study.weights, top: study.weights[top] - 5}
        step = study.steps(["cascade"])[0]
    assert step.broken == 3
    assert all(np.isnan(values).all() for values in step.similarity["gradient"].values())


def saturated(x):
    """The score of each class is a ReLU: large negative biases make it constant."""
    y = tf.nn.conv2d(x / 255.0, weight("k", 3, 3, 3, 3), [1, 1, 1, 1], "SAME", name="one")
    return tf.reduce_mean(tf.nn.relu(tf.nn.bias_add(y, tf.constant([0.5, 1.0, 1.5], name="bias"))), [1, 2])


def test_maps_without_a_gradient_are_counted_and_left_out():
    with opened(made(saturated)) as net:
        study = Study(net, ["gradient", "gradcam"])
        study.weights = {**study.weights, "bias:0": study.weights["bias:0"] - 99}
        step = study.steps(["cascade"])[0]
    assert (step.broken, step.dead, step.empty) == (
        0,
        {"gradient": 3, "gradcam": 3, EDGES: 0},
        {"gradient": 0, "gradcam": 0, EDGES: 0},
    )
    assert all(np.isnan(values).all() for values in step.similarity["gradient"].values())


def test_similarities_by_hand():
    rng = np.random.RandomState(0)
    map = rng.normal(size=(1, 24, 24)).astype(np.float32)
    alive = np.array([False])
    first, mirrored = ComparedMap(map, np.abs(map), alive), ComparedMap(-map, np.abs(map), alive)
    found = compare(first, mirrored)
    assert found["spearman signed"][0] == pytest.approx(-1)
    assert found["spearman absolute"][0] == pytest.approx(1)
    empty = ComparedMap(np.zeros_like(map), np.zeros_like(map), alive)
    assert {measure: values[0] for measure, values in compare(first, empty).items()} == dict.fromkeys(MEASURES, 0.0)
    assert all(np.isnan(values[0]) for values in compare(empty, first).values())
    assert np.isnan(compare(first, ComparedMap(empty.signed, empty.absolute, ~alive))["hog absolute"][0])
    assert np.isnan(compare(first, mirrored, np.array([True]))["ssim signed"][0])


def test_chance_compares_each_image_with_the_next():
    with opened(made(plain)) as net:
        study = Study(net, ["gradcam"])
    maps = study.intact.maps["gradcam"]
    moved = (np.roll(each, -1, 0) for each in (maps.signed, maps.absolute, maps.dead))
    wanted = compare(maps, ComparedMap(*moved, maps.sides, maps.cells))
    found = chance(described(study.intact, SIMILARITIES))["gradcam"]
    assert all(np.array_equal(found[measure], wanted[measure]) for measure in MEASURES)


def test_blocks_have_nearly_one_size():
    with opened(made(branched)) as net:
        layers = find_weight_layers(net.graph, net.binding).layers
    assert [len(block) for block in blocks_of(layers, 4)] == [2, 2, 1, 1]
    assert [len(block) for block in blocks_of(layers, 99)] == [1] * 6


def test_a_layer_alone_leaves_the_others():
    with opened(made(lambda x: dense(conv(x / 255.0, "one", 4)))) as net:
        study = Study(net, ["gradient"])
        fresh = study.fresh(study.layers[1:])
    assert {name for name, value in fresh.items() if value is not study.weights[name]} == {"one/w:0", "one/b:0"}


def test_maps_without_differences_order_nothing():
    """One value everywhere, rounding aside, is as unlike as an empty map, and a map to start from must differ."""
    rng = np.random.RandomState(0)
    map, alive = rng.uniform(size=(1, 12, 12)).astype(np.float32), np.array([False])
    even = (0.3 + 1e-8 * rng.normal(size=map.shape)).astype(np.float32)
    first, second = ComparedMap(map, map, alive), ComparedMap(even, even, alive)
    assert set(np.concatenate(list(compare(first, second).values()))) == {0.0}
    assert all(np.isnan(values[0]) for values in compare(second, first).values())


def test_chance_passes_over_maps_that_cannot_be_compared():
    maps = np.random.RandomState(0).normal(size=(4, 12, 12)).astype(np.float32)
    maps[[1, 3]] = 0
    each = DescribedMaps(ComparedMap(maps, np.abs(maps), np.array([False, True, False, True])), ["spearman"])
    found = chance({"gradient": each})["gradient"]["spearman signed"]
    assert np.array_equal(np.isnan(found), [False, True, False, True])
    assert found[0] == pytest.approx(spearman(maps[0], maps[2]))
    alone = DescribedMaps(ComparedMap(maps[:2], np.abs(maps[:2]), np.array([False, True])), ["spearman"])
    assert np.isnan(chance({"gradient": alone})["gradient"]["spearman signed"]).all()


def test_layers_are_ranked_by_their_own_cells():
    """Enlarged maps would rank the values between the cells too."""
    cells, other = np.random.RandomState(1).normal(size=(2, 1, 4, 5)).astype(np.float32)
    alive = np.array([False])
    maps = [ComparedMap(values, np.abs(values), alive, (16, 20)) for values in (cells, other)]
    found = compare(*maps)
    assert found["spearman signed"][0] == pytest.approx(spearman(cells[0], other[0]))
    placed = [each.placed().signed[0] for each in maps]
    assert found["hog signed"][0] == pytest.approx(hog_similarity(*placed), abs=1e-6)
    assert abs(found["spearman signed"][0] - spearman(*placed)) > 0.001


def one_logit(x):
    pooled = tf.reduce_mean(conv(conv(x / 255.0, "one", 4), "two", 5), [1, 2])
    return tf.matmul(pooled, weight("top", 5, 1, scale=1.0)) - 0.2


@pytest.mark.parametrize("shift", [-9.0, 0.0, 9.0])
def test_the_top_class_keeps_its_side_of_one_logit(shift):
    graph = made(lambda x: one_logit(x) + shift)
    with opened(graph) as net:
        study = Study(net, ["gradient", "gradcam"])
        free = MapQuestion(study.question.given, ["gradient", "gradcam"]).ask(of_engine(study.explainer, study.weights))
    for name, maps in free.maps.items():
        assert np.array_equal(maps.signed, study.intact.maps[name].signed), name


def test_drawing_the_first_block_alone_runs_once(branched_study, monkeypatch):
    asked = []
    ask = MapQuestion.ask
    monkeypatch.setattr(MapQuestion, "ask", lambda *args: asked.append(1) or ask(*args))
    steps = branched_study.steps()
    assert (len(steps), len(asked)) == (12, 11)
