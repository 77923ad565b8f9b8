"""An Explanation gives each of its maps by name, with everything known about it, and says what there is instead."""

from __future__ import annotations

import numpy as np
import pytest
from made_explanations import EMPTY, GRAY, hot_cell, one_explanation

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError, SelectionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes

KEY = ("gradcam", "conv:0")


@pytest.fixture(scope="module")
def found():
    scenes = demo_scenes()[:2]
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        return net.explain([scene.path for scene in scenes], [None, "ring"], ["gradcam", "guided_gradcam"])


def test_a_map_knows_what_it_explains(found):
    map = found.map("gradcam", n=1, t=1)
    ring = DEMO_CLASSES.index("ring")
    assert (map.method, map.layer, map.n, map.t) == ("gradcam", found.layers[0], 1, 1)
    assert (map.class_id, map.label, map.status, map.reason) == (ring, "ring", "ok", "")
    assert map.score == found.scores[1, 1]
    assert map.probability == found.probabilities[1, 1]
    assert map.details is found.statuses[map.method, map.layer][1][1]
    np.testing.assert_array_equal(map.values, found["gradcam"][1, 1])
    assert map.placed().shape == read_image(demo_scenes()[1].path).shape[:2]
    assert repr(map) == f"Map(gradcam at {map.layer!r}, image 1, class {ring} 'ring', ok)"


def test_all_maps_come_image_by_image(found):
    maps = list(found)
    assert len(maps) == len(found) == 8
    assert [(map.n, map.t, map.method) for map in maps[:3]] == [
        (0, 0, "gradcam"),
        (0, 0, "guided_gradcam"),
        (0, 1, "gradcam"),
    ]
    assert repr(found).startswith("Explanation(2 images, 2 targets: gradcam at 'conv5/Relu:0', guided_gradcam at ")


def test_numbers_count_from_the_end_too(found):
    np.testing.assert_array_equal(found.map("gradcam", -1, -1).values, found["gradcam"][1, 1])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("gradcam", 2), "there is no image 2: images are numbered 0 to 1 here"),
        (("gradcam", -3), "there is no image -3"),
        (("gradcam", 0, 2), "there is no target 2: targets are numbered 0 to 1 here"),
        (("gradcam", "0"), "there is no image '0'"),
        (("gradcam", True), "there is no image True"),
        (("layercam",), r"no maps of 'layercam'; computed: \[\('gradcam', 'conv5/Relu:0'\), "),
        (("gradcam", 0, 0, "conv4/Relu:0"), "no maps of 'gradcam' at layer 'conv4/Relu:0'; computed"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(found, asked, message):
    with pytest.raises(SelectionError, match=message):
        found.map(*asked)


def test_the_overlay_is_the_image_that_a_run_writes(found, tmp_path):
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        (result,) = net.visualize_imgs(demo_scenes()[1].path, str(tmp_path), "ring", ["gradcam", "guided_gradcam"])
    for record, kind in zip(result.maps, ("overlay", "pixels")):
        np.testing.assert_array_equal(found.map(record.method, 1, 1).overlay(), read_image(record.files[kind]))


def test_an_overlay_has_the_style_that_is_given():
    explanation = one_explanation({KEY: [hot_cell(0, 3)]})
    over = explanation.map("gradcam").overlay(Style(alpha=1.0), image=GRAY)
    assert over[0, 59].tolist() == [128, 0, 0]  # the red end of jet covers the image where the map is highest
    assert over[39, 0].tolist() == [128, 128, 128]


def test_bands_are_those_of_images_with_many(found):
    np.testing.assert_array_equal(found.map("gradcam").overlay(Style(bands=(9,))), found.map("gradcam").overlay())


def test_an_empty_map_leaves_the_image_as_it_is():
    explanation = one_explanation({KEY: [np.zeros((4, 4), np.float32)]}, {KEY: [EMPTY]})
    map = explanation.map("gradcam")
    assert (map.status, map.reason) == ("empty", EMPTY.reason)
    np.testing.assert_array_equal(map.overlay(image=GRAY), GRAY)


def test_an_image_that_came_fitted_must_be_given():
    scene = demo_scenes()[0]
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        map = net.explain(net.fit_image(scene.path)).map("gradcam")
    with pytest.raises(OptionError, match=r"its original is not known; give overlay\(image=...\)"):
        map.overlay()


def test_without_labels_and_probabilities_there_are_none():
    map = one_explanation({KEY: [hot_cell(0, 0)]}).map("gradcam")
    assert (map.label, map.probability, map.class_id) == (None, None, 3)


def test_maps_of_signals_are_not_drawn_over_an_image():
    from array_nets import ArrayNet

    net = ArrayNet((11,))
    with GradCamGraph(net.graph()) as graph:
        map = graph.explain(net.arrays(1)).map("gradcam")
    assert map.placed().shape == (11,)
    with pytest.raises(OptionError, match="overlay draws maps of images; use signal_figure"):
        map.overlay()
