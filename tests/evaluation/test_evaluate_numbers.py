"""The numbers of an evaluation equal the metrics computed by hand, with scores of a plain session."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from image_folders import copy_scenes
from plain_session import plain_demo

from gradcam_tf1.evaluation.evaluate_net import evaluate
from gradcam_tf1.evaluation.evaluate_options import EvaluateOptions
from gradcam_tf1.images.geometry import Placement, upsample
from gradcam_tf1.methods.choices import method
from gradcam_tf1.metrics.confidence import average_drop
from gradcam_tf1.metrics.deletion_curves import deletion, insertion
from gradcam_tf1.metrics.localisation import energy_in_region, pointing_game
from gradcam_tf1.metrics.max_sensitivity import max_sensitivity
from gradcam_tf1.metrics.metric_choices import metric
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_scenes

NAMES = [f"scene_{number:02}.png" for number in (0, 3, 8)]
SCENES = [demo_scenes()[number] for number in (0, 3, 8)]
SEED = 7
METHODS = ["gradcam", method("integrated_gradients", steps=5)]
METRICS = [metric("insertion", steps=6), metric("deletion", steps=6), "average_drop", "pointing", "energy"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    for scene, name in zip(SCENES, NAMES):
        shutil.copy(scene.path, str(folder / name))
    return folder


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    """All boxes of the scenes in a CSV file."""
    path = tmp_path_factory.mktemp("boxes") / "boxes.csv"
    lines = ["image,class,left,top,right,bottom"]
    for scene, name in zip(SCENES, NAMES):
        lines += [
            f"{name},{kind},{left},{top},{right},{bottom}" for kind, (top, left, bottom, right) in scene.boxes.items()
        ]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def rows(net, photos, boxes, tmp_path_factory):
    """The rows of an evaluation, by image."""
    out = tmp_path_factory.mktemp("out")
    options = EvaluateOptions(boxes=boxes, seed=SEED, page=False)
    evaluate(net, str(photos), METHODS, METRICS, out_folder=str(out), options=options)
    lines = (out / "evaluation.jsonl").read_text().splitlines()[1:]
    return {row["relative"]: row for row in map(json.loads, lines)}


@pytest.fixture(scope="module")
def plain():
    """The demo net in a session of its own: images -> probabilities [M, 7]."""
    with plain_demo("probabilities:0") as run:
        yield lambda images: run(images)[0].astype(np.float64)


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_faithfulness_by_hand(net, rows, plain, number):
    """Preprocessing, baselines, map and class are made here by hand; only the metrics themselves are shared."""
    row = rows[NAMES[number]]
    fitted = net.fit_image(SCENES[number].path)
    image = (fitted.pixels / 127.5 - 1).astype(np.float32)
    assert row["class_id"] == row["predicted"] == int(plain(image[np.newaxis])[0].argmax())

    def score(images):
        return plain(images)[:, row["class_id"]]

    np.testing.assert_allclose(row["score"], score(image[np.newaxis])[0], rtol=1e-5)
    explanation = net.explain(SCENES[number].path, row["class_id"], METHODS)
    sides = image.shape[:2]
    cam = upsample(explanation["gradcam"][0, 0], sides, explanation.cells.get(explanation.key("gradcam")))
    maps = {
        "gradcam": cam,
        "integrated_gradients": np.abs(explanation["integrated_gradients"][0, 0]).sum(axis=-1),
        "random": np.random.RandomState(SEED + number).uniform(size=sides),
    }
    mean = np.broadcast_to(fitted.pixels.mean(axis=(0, 1)) / 127.5 - 1, image.shape).astype(np.float32)
    black = np.full_like(image, -1)
    from scipy.ndimage import gaussian_filter

    sigma = 0.05 * max(sides)
    blurred = (gaussian_filter(fitted.pixels, [sigma, sigma, 0], mode="nearest") / 127.5 - 1).astype(np.float32)
    for name, map in maps.items():
        found = {metric: each["value"] for metric, each in row["values"][name].items()}
        expected = {
            "insertion": insertion(map, image, blurred, score, steps=6, seed=SEED).value,
            "deletion": deletion(map, image, mean, score, steps=6, seed=SEED).value,
            "average_drop": average_drop(map, image, black, score).value,
        }
        for metric_name, value in expected.items():
            assert found[metric_name] == pytest.approx(value, rel=2e-3, abs=2e-3), (name, metric_name)


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_places_by_hand(net, rows, number):
    row, scene = rows[NAMES[number]], SCENES[number]
    box = scene.boxes[DEMO_CLASSES[row["class_id"]]]
    region = np.zeros(scene.size, bool)
    region[box[0] : box[2], box[1] : box[3]] = True
    map = net.explain(scene.path, row["class_id"]).map("gradcam").placed()
    found = row["values"]["gradcam"]
    assert found["pointing"]["value"] == pytest.approx(pointing_game(map, region), abs=1e-6)
    assert found["energy"]["value"] == pytest.approx(energy_in_region(map, region), rel=1e-4)
    centre = row["values"]["centre"]["pointing"]["value"]
    height, width = net.binding.image_size
    down, across = (((np.arange(side) + 0.5) / side - 0.5) / 0.25 for side in (height, width))
    gaussian = np.exp(-0.5 * (down[:, np.newaxis] ** 2 + across**2))
    placement = Placement(scene.size, (height, width), (0, 0, *scene.size), (0, 0, height, width))
    assert centre == pytest.approx(pointing_game(placement.place(gaussian), region), abs=1e-6)


def test_the_curve_of_the_journal_is_that_of_the_metric(rows):
    for row in rows.values():
        curve = row["values"]["gradcam"]["insertion"]["curve"]
        assert len(curve) == 51
        assert curve[-1] == pytest.approx(row["score"], rel=1e-6)
        area = float(np.sum((np.array(curve[1:]) + curve[:-1]) / 2) / 50)
        assert area == pytest.approx(row["values"]["gradcam"]["insertion"]["value"], abs=0.02)


def test_truth_explains_the_best_of_the_boxed_classes(net, photos, boxes, plain):
    options = EvaluateOptions(
        boxes=boxes, target="truth", class_map={"star": "star", "cross": ["cross"], "ring": "1-1"}
    )
    found = evaluate(net, str(photos), "gradcam", "pointing", options=options)
    expected = []
    for scene in SCENES:
        ids = [DEMO_CLASSES.index(kind) for kind in scene.boxes if kind in ("star", "cross", "ring")]
        scores = plain((net.fit_image(scene.path).pixels / 127.5 - 1)[np.newaxis])[0]
        expected += [max(ids, key=lambda class_id: scores[class_id])] if ids else []
    classes = found.results["pointing"].classes
    assert {class_id: each.n for class_id, each in classes.items()} == {
        class_id: expected.count(class_id) for class_id in set(expected)
    }
    assert found.images.located == len(expected)
    assert sum(found.images.not_located.values()) == len(SCENES) - len(expected)


def test_maps_of_changed_images_are_measured_too(net, photos):
    """Max-sensitivity of one image by hand: the maps of the noisy copies come from explain on changed pixels."""
    found = evaluate(net, str(photos / NAMES[0]), "gradcam", metric("max_sensitivity", samples=3))
    result = found.results["max_sensitivity"]
    explainer = net.explainers[0]
    given = explainer.prepare([net.fit_image(SCENES[0].path)])
    class_id = int(net.explain(SCENES[0].path).predicted[0])
    probe = explainer.probe(given, class_id)
    explanation = net.explain(SCENES[0].path, class_id)
    cam = upsample(
        explanation["gradcam"][0, 0], probe.image.shape[:2], explanation.cells.get(explanation.key("gradcam"))
    )
    layers = explainer.resolve_layers(None)
    expected = max_sensitivity(cam, probe.image, lambda images: probe.maps("gradcam", {}, layers, images), samples=3)
    assert result.intervals["gradcam"].mean == pytest.approx(expected.value, rel=1e-4)
    assert result.intervals["random"].n == 0
    assert list(result.reasons["random"]) == ["a floor is no method, so it has no maps of changed images"]


def test_a_random_map_is_decidedly_worse_than_gradcam(net, tmp_path):
    photos = copy_scenes(tmp_path / "photos", *(f"{number:02}.png" for number in range(8)))
    result = evaluate(net, str(photos), "gradcam", metric("insertion", steps=10)).results["insertion"]
    assert result.is_better("gradcam", "random")
    assert not result.is_better("random", "gradcam")
    assert result.intervals["gradcam"].low > result.intervals["random"].high


def test_the_logit_is_measured_where_it_is_asked_for(net, photos):
    one = str(photos / NAMES[0])
    score = {
        name: evaluate(net, one, "gradcam", metric("deletion", steps=2), options=EvaluateOptions(score=name))
        for name in ("auto", "probability", "logit")
    }
    means = {name: found.results["deletion"].intervals["gradcam"].mean for name, found in score.items()}
    assert means["auto"] == means["probability"] != means["logit"]
    assert score["auto"].settings["score"] == "probability"
    assert score["logit"].settings["score"] == "logit"
    drop = evaluate(net, one, "gradcam", "average_drop", options=EvaluateOptions(score="logit"))
    assert drop.results["average_drop"].intervals["gradcam"].n == 0, "not defined for logits"


def test_methods_together_give_what_each_gives_alone(net, photos):
    together = evaluate(net, str(photos), METHODS, metric("insertion", steps=4)).results["insertion"].intervals
    for choice, name in zip(METHODS, ("gradcam", "integrated_gradients")):
        alone = evaluate(net, str(photos), choice, metric("insertion", steps=4)).results["insertion"].intervals
        assert alone[name].mean == pytest.approx(together[name].mean, rel=1e-5)
        assert alone["random"].mean == pytest.approx(together["random"].mean, rel=1e-5)
