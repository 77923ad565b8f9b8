"""Scores and maps of changed copies of an image equal those of plain runs of the net, and cost no more runs."""

from __future__ import annotations

import numpy as np
import pytest
from plain_session import plain_demo

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.methods.choices import method as choose
from gradcam_tf1.metrics.map_frames import on_input
from gradcam_tf1.nets.demo import demo_scenes

RING = 1


@pytest.fixture(scope="module")
def plain():
    """The demo net in a session of its own: images -> logits and probabilities."""
    with plain_demo("logits/BiasAdd:0", "probabilities:0") as run:
        yield run


@pytest.fixture
def given(net):
    explainer = net.explainers[0]
    return explainer.prepare([net.fit_image(demo_scenes()[8].path)])


@pytest.fixture
def copies(net, given):
    """Noisy copies of the image, as the net takes it, the image itself among them."""
    image = net.explainers[0].probe(given, RING).image
    noise = np.random.RandomState(0).normal(0, 0.3, (11, *image.shape)).astype(np.float32)
    noise[4] = 0
    return image + noise


def counting(monkeypatch, net):
    """A list of how many images each run of the net takes."""
    runner = net.explainers[0].engine._runner
    sizes, run = [], runner._sess_run

    def counted(fetches, feed):
        sizes.append((len(feed[runner._input]), len(fetches)))
        return run(fetches, feed)

    monkeypatch.setattr(runner, "_sess_run", counted)
    return sizes


@pytest.mark.parametrize(("measured", "place"), [("logit", 0), ("probability", 1)])
def test_scores_equal_those_of_a_plain_session(net, given, copies, plain, measured, place):
    probe = net.explainers[0].probe(given, RING, measured)
    scores = probe.score(copies)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, plain(copies)[place][:, RING], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(probe.score(copies[::-1]), scores[::-1], rtol=1e-5, atol=1e-6)


def test_the_image_and_its_baselines_are_scored_once(net, given, copies, monkeypatch):
    probe = net.explainers[0].probe(given, RING)
    gray = probe.baseline("mean")
    probe.score(copies[:1])
    sizes = counting(monkeypatch, net)
    batch = np.stack([probe.image, copies[0], gray, probe.image, gray])
    first = probe.score(batch)
    assert sizes == [(3, 1)], "the score alone is fetched, of each image once"
    again = probe.score(batch[[0, 2, 3]])
    assert sizes == [(3, 1)]
    np.testing.assert_array_equal(again, first[[0, 2, 3]])
    assert first[0] == first[3] != first[2] == first[4]


def test_copies_run_in_batches_of_the_net(net, given, copies, monkeypatch):
    probe = net.explainers[0].probe(given, RING)
    sizes = counting(monkeypatch, net)
    probe.score(copies)
    assert sizes == [(8, 1), (3, 1)]
    assert probe.chunk == 8


@pytest.mark.parametrize("method", ["gradcam", "integrated_gradients", "occlusion"])
def test_maps_equal_those_of_the_changed_images_explained_as_images(net, given, copies, method):
    explainer = net.explainers[0]
    options = {
        "integrated_gradients": {"steps": 4},
        "occlusion": {"window": 48, "stride": 48, "baseline": "black"},
    }.get(method, {})
    probe = explainer.probe(given, RING)
    layers = explainer.resolve_layers(None)
    found = probe.maps(method, options, layers, copies[:2])
    pixels = [(copy + 1) * 127.5 for copy in copies[:2]]  # the preset, backwards
    placement = given.placements[0]
    again = explainer.prepare([Fitted(image, placement) for image in pixels])
    explanation = explainer.explain(again, [RING], [choose(method, **options)], None, "logit", ExplainOptions())
    key = explanation.key(method)
    sides = probe.image.shape[:2]
    expected = [on_input(maps[0], explanation.cells.get(key), sides) for maps in explanation.maps[key]]
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


def test_the_map_of_the_image_itself_is_that_of_its_explanation(net, given):
    explainer = net.explainers[0]
    probe = explainer.probe(given, RING)
    explanation = net.explain(demo_scenes()[8].path, RING)
    found = probe.maps("gradcam", {}, explainer.resolve_layers(None), probe.image[np.newaxis])[0]
    key = explanation.key("gradcam")
    expected = on_input(explanation.maps[key][0, 0], explanation.cells.get(key), probe.image.shape[:2])
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())
