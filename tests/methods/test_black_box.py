"""All methods on parts: costs told beforehand, shared runs, seeds, targets, signals and volumes, drawn scenes."""

from __future__ import annotations

import numpy as np
import pytest
from array_nets import ArrayNet
from flat_options import chosen
from part_nets import TanhNet, shapley_values
from perturbation_nets import NET, counted, linear_net, run_on
from small_nets import class_asks, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.methods import method
from gradcam_tf1.methods.black_box import BLACK_BOX_ROWS
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.targets import Contrast
from gradcam_tf1.tf_runtime import tf

NAMES = [row.name for row in BLACK_BOX_ROWS]
SIX = {"segments": "grid", "count": 6}  # 2 x 2 cells of images, 6 of signals
SMALL = {
    "lime": {**SIX, "samples": 11},
    "kernelshap": {**SIX, "samples": 100},
    "shapley_sampling": {**SIX, "permutations": 3},
    "sobol": {**SIX, "samples": 3},
    "hsic": {**SIX, "samples": 13},
}
RUNS = {"lime": 11, "kernelshap": 16, "shapley_sampling": 3 * 3 + 2, "sobol": 3 * 5, "hsic": 13}


def test_all_are_here():
    assert set(SMALL) == set(RUNS) == set(NAMES)


def told_of(name, options, images, class_ids):
    told, calls = [], []
    graph = NET.graph()
    how = {"pixels": images, "to_batch": lambda pixels: pixels, "options": {name: options}}
    with tf.Session(graph=graph) as sess, counted(calls):
        asks = class_asks(class_ids, len(images))
        engine = MapEngine(graph, sess, NET.binding(), 4)
        engine.run(request(images, asks, [name], NET.binding().layers, report=told.append, **how))
    return told, calls


@pytest.mark.parametrize("class_ids", [[0], [0, 1, 2, 3]], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_cost_is_told_first_and_is_what_is_run_for_one_target_as_for_many(name, class_ids):
    told, calls = told_of(name, SMALL[name], NET.images(2), class_ids)
    assert (told[0].images, told[0].runs, told[0].done) == (2, RUNS[name], 0)
    assert sum(calls) == 2 * RUNS[name]
    done = [work.done for work in told]
    assert done == sorted(done)
    assert done[-1] == 2 * RUNS[name]
    assert max(np.diff(done)) <= 4


@pytest.mark.parametrize("name", ["kernelshap", "shapley_sampling", "sobol"])
def test_superpixels_that_are_not_there_count_as_done(name):
    """The images have other numbers of superpixels, fewer than announced."""
    images = NET.images(3)
    images[0] = 0.5
    options = {**SMALL[name], "segments": "slic", "count": 10}
    told, calls = told_of(name, options, images, [0])
    assert told[-1].done == 3 * told[0].runs > sum(calls)


def test_sets_that_are_drawn_twice_are_run_once():
    options = {"segments": np.arange(96).reshape(8, 12) % 9, "samples": 500}
    told, calls = told_of("kernelshap", options, NET.images(1), [0])
    assert told[-1].done == told[0].runs == 500
    assert sum(calls) < 450


def test_a_batch_and_its_targets_equal_single_calls():
    images = NET.images(2)
    together = run(NET, images, [2, 0], NAMES, batch_size=3, options=SMALL).maps
    assert {key[0] for key in together} == set(NAMES)
    for n in range(2):
        for t, class_id in enumerate((2, 0)):
            alone = run(NET, images[n : n + 1], [class_id], NAMES, options=SMALL, batch=1).maps
            for key, maps in alone.items():
                scale = np.abs(maps).max()
                np.testing.assert_allclose(together[key][n, t], maps[0, 0], atol=1e-4 * scale, err_msg=str(key))


@pytest.mark.parametrize("name", NAMES)
def test_chance_follows_the_seed(name):
    options = {**SMALL[name], "count": 24}
    first, again, other = (
        run(NET, NET.images(1), [1], [name], options={name: {**options, "seed": seed}}).maps[name, ""]
        for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4 * np.abs(first).max()


def test_any_target_can_be_explained():
    """The Shapley values of a difference of classes are the difference of their Shapley values."""
    net = ArrayNet((6,), 2)
    arrays = net.arrays(1)
    with GradCamGraph(net.graph()) as graph:
        one, other = graph.explain(arrays, [2, 0], "kernelshap")["kernelshap"][0]
        both = graph.explain(arrays, Contrast(2, 0), "kernelshap")["kernelshap"][0, 0]
        shares = graph.explain(arrays, [0, 1, 2], "kernelshap", score="probability")["kernelshap"][0]
    np.testing.assert_allclose(both, one - other, atol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=0), 0, atol=1e-5)  # probabilities add up to 1


@pytest.mark.parametrize(("sides", "count"), [((8,), 8), ((2, 2, 2), 8)], ids=["signal", "volume"])
def test_signals_and_volumes_are_divided_into_a_grid(sides, count):
    net = ArrayNet(sides, 2)
    arrays = net.arrays(1)

    def scores(shown):
        masks = np.asarray(shown, np.float64).reshape((-1, *sides, 1))
        hidden = arrays[0].astype(np.float64).mean(axis=tuple(range(len(sides))))
        return net.logits(net.features(arrays * masks + hidden * (1 - masks)))[:, [1]]

    with GradCamGraph(net.graph()) as graph:
        found = graph.explain(arrays, 1, chosen(NAMES, {name: {"count": count} for name in NAMES}))
    for name in NAMES:
        assert found[name].shape == (1, 1, *sides)
        assert found[name].any()
    np.testing.assert_allclose(found["kernelshap"][0, 0].ravel(), shapley_values(scores, 8)[:, 0], atol=1e-4)


def test_superpixels_of_a_signal_are_an_error():
    message = "segments 'slic' of lime is for images only; .* grid, or an array of labels"
    with GradCamGraph(ArrayNet((8,), 2).graph()) as graph, pytest.raises(OptionError, match=message):
        graph.explain(ArrayNet((8,), 2).arrays(1), 0, method("lime", segments="slic"))


def test_the_parts_on_the_shape_that_was_asked_for_count_most():
    """The demo net on its scenes of two shapes: each class's highest part, which may be larger, lies in its box."""
    scenes = [scene for scene in demo_scenes() if len(scene.boxes) == 2][:2]
    options = {"lime": {"samples": 150}, "kernelshap": {"samples": 200}, "shapley_sampling": {"permutations": 4}}
    options.update({"sobol": {"samples": 4}, "hsic": {"samples": 150}})
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        for scene in scenes:
            explanation = net.explain(read_image(scene.path), list(scene.boxes), chosen(NAMES, options))
            for t, (top, left, bottom, right) in enumerate(scene.boxes.values()):
                for name in NAMES:
                    map = explanation.map(name, 0, t).placed()
                    part = map > 0.999 * map.max()
                    assert part[top:bottom, left:right].sum() > part.sum() / 3, (scene.path, name, t)


def test_the_graph_does_not_grow_with_the_calls():
    graph, image, _ = linear_net()
    run_on(graph, image, [0], NAMES, SMALL, channels=2)
    before = len(graph.get_operations())
    with tf.Session(graph=NET.graph()) as sess:
        engine = MapEngine(sess.graph, sess, NET.binding(), 8)
        sizes = []
        for class_ids in ([0, 1], [2, 3]):
            how = {"pixels": NET.images(1), "to_batch": lambda pixels: pixels, "options": SMALL}
            engine.run(request(NET.images(1), class_asks(class_ids), NAMES, NET.binding().layers, **how))
            sizes.append(len(sess.graph.get_operations()))
    assert sizes[0] == sizes[1]
    assert before == len(graph.get_operations())


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("lime", {"samples": 90}, "90 samples of 8 parts and 2 targets do not fit in memory; give at most 12 samples"),
        ("hsic", {"samples": 90}, "give at most 12 samples, or fewer parts by count"),
        ("sobol", {"samples": 90}, "give at most 2 samples, or fewer"),
        ("shapley_sampling", {"permutations": 90}, "90 permutations of .*; give at most 6 permutations"),
        ("kernelshap", {"samples": 90}, "90 samples of 8 parts and 2 targets do not fit"),
    ],
)
def test_tables_that_do_not_fit_in_memory_are_refused(name, options, told, monkeypatch):
    monkeypatch.setattr("gradcam_tf1.methods.mask_sampler._MOST_NUMBERS", 100)
    with pytest.raises(OptionError, match=told):
        TanhNet().map_of(name, **options)


@pytest.mark.parametrize(("name", "options"), [("lime", {}), ("kernelshap", {"samples": 90}), ("hsic", {})])
def test_samples_made_in_chunks_are_the_same(name, options, monkeypatch):
    whole = TanhNet().map_of(name, **options)
    monkeypatch.setattr("gradcam_tf1.methods.mask_sampler._CHUNK", 100)
    np.testing.assert_allclose(TanhNet().map_of(name, **options), whole, rtol=1e-5)
