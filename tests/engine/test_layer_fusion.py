"""Maps of several layers made one: by hand, and against the parts that `explain` gives without fusing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import command, manifest
from flat_options import grouped

from gradcam_tf1.engine.layer_fusion import FUSED, FUSIONS, fuse_layers
from gradcam_tf1.engine.map_request import BestClasses, MapAnswer
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import demo_model, demo_scenes

SCENES = demo_scenes()


def answer(*maps, method="hirescam"):
    layers = {(method, f"{name}:0"): np.asarray(map, np.float32)[None, None] for name, map in zip("abc", maps)}
    none = np.zeros((1, 1))
    return MapAnswer(none, none, None, none[0], ("",), (), BestClasses(none, none, None), maps=layers)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [[0.75, 0.0, -1.0, 0.0]]), ("max", [[1.0, 0.5, -1.0, 0.0]]), ("product", [[0.5, 0.0, -1.0, 0.0]])],
)
def test_by_hand_with_signs(how, expected):
    # at the second place the two are as strong and of opposite sign: the first layer counts
    found = answer([[2.0, 1.0, -2.0, 0.0]], [[10.0, -10.0, -20.0, 0.0]])
    fuse_layers(found, how)
    np.testing.assert_allclose(found.maps["hirescam", FUSED][0, 0], expected)
    (status,) = found.statuses["hirescam", FUSED][0]
    assert (status.state, status.notes) == ("ok", (f"{how} of 2 layers, each scaled to 1",))


def test_layercams_fusion_lifts_the_finer_maps_only():
    """Maps of 0..1 on 1 x 2 and on 1 x 4 cells, and one more on 1 x 2: tanh(2 M / max M) of the second alone."""
    coarse, fine, other = [[4.0, 1.0]], [[0.0, 3.0, 1.5, 0.75]], [[0.0, 0.6]]
    found = answer(coarse, fine, other, method="layercam")
    fuse_layers(found, "layercam")
    on_fine = [np.array([1.0, 0.8125, 0.4375, 0.25]), np.array([0.0, 0.25, 0.75, 1.0])]
    lifted = np.tanh(2 * np.array([0.0, 1.0, 0.5, 0.25]))
    expected = np.max([*on_fine, lifted], axis=0)
    assert expected[1] == lifted[1] > on_fine[0][1]
    assert expected[2] == lifted[2] > 0.75 > 0.5  # without the lift the third map would win
    np.testing.assert_allclose(found.maps["layercam", FUSED][0, 0], [expected], rtol=1e-6)
    same = answer(coarse, other, method="layercam")
    fuse_layers(same, "layercam")
    np.testing.assert_allclose(same.maps["layercam", FUSED][0, 0], [[1.0, 1.0]])


def test_zero_maps_stay_zero_and_say_so():
    for how in FUSIONS:
        found = answer(np.zeros((2, 2)), np.zeros((4, 4)))
        fuse_layers(found, how)
        assert not found.maps["hirescam", FUSED].any()
        assert found.statuses["hirescam", FUSED][0][0].state == "empty"
    found = answer(np.eye(2), 1 - np.eye(2))
    fuse_layers(found, "product")
    assert found.statuses["hirescam", FUSED][0][0].reason == "the layers' maps are zero, or agree nowhere"


def test_methods_with_one_map_are_left_alone():
    found = answer(np.eye(2))
    fuse_layers(found, "mean")
    assert list(found.maps) == [("hirescam", "a:0")]


@pytest.mark.parametrize("how", sorted({*FUSIONS} - {"polycam"}))
def test_fused_equals_the_parts(net, how):
    images = [read_image(scene.path) for scene in SCENES[:2]]
    methods = ["layercam", "zoomcam", "hirescam", "guided_gradcam"]
    asked = {"targets": ["star", "ring"], "methods": methods, "layers": [-1, -2, -4]}
    parts, fused = net.explain(images, **grouped(**asked)), net.explain(images, **grouped(fuse=how, **asked))
    assert [key for key in fused.maps if key[1] != FUSED] == list(parts.maps)
    for method in asked["methods"]:
        maps = fused.maps[method, FUSED]
        finest = max((m.shape[2:] for (name, _), m in parts.maps.items() if name == method), key=np.prod)
        assert maps.shape == (2, 2, *finest)
        for n in range(2):
            for t in range(2):
                scaled, grids = [], []
                for key in parts.maps:
                    if key[0] == method:
                        part = parts.maps[key][n, t]
                        grids.append(part.size)
                        part = cv2.resize(part, finest[1::-1]) if method != "guided_gradcam" else part
                        scaled.append(part / np.abs(part).max() if part.any() else part)
                lifted = [np.tanh(2 * part) if g > min(grids) else part for part, g in zip(scaled, grids)]
                twin = {
                    "layercam": lambda _, s=lifted: np.take_along_axis(
                        np.array(s), np.abs(s).argmax(axis=0)[np.newaxis], axis=0
                    )[0],
                    "mean": lambda s: np.mean(s, axis=0),
                    "max": lambda s: np.where(
                        np.max(s, axis=0) >= -np.min(s, axis=0), np.max(s, axis=0), np.min(s, axis=0)
                    ),
                    "product": lambda s: (
                        np.prod(np.maximum(s, 0), axis=0) - np.prod(np.maximum(-np.array(s), 0), axis=0)
                    ),
                }[how](scaled)
                np.testing.assert_allclose(maps[n, t], twin, atol=2e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fuse": "sum", "layers": [-1, -2]}, "fuse is one of mean, .*, layercam, polycam, or None, not 'sum'"),
        ({"fuse": "mean"}, "give more than one layer"),
    ],
)
def test_what_cannot_be_fused_is_said(net, options, message):
    with pytest.raises(OptionError, match=message):
        net.explain(read_image(SCENES[0].path), **grouped(**options))


def test_a_fused_map_has_its_own_files(tmp_path):
    shutil.copy(SCENES[0].path, str(tmp_path / "a.png"))
    words = ["run", demo_model(), str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--preset", "inception"]
    words += ["--layer", "-1", "--layer", "-2", "--fuse", "product", "--method", "gradcam", "--figure", "layers"]
    command(*words, "--figure", "top3-worst", "--aug-smooth", "--eigen-smooth")
    (line,) = manifest(tmp_path / "out")
    maps = line["targets"][0]["maps"]
    assert [map["layer"] for map in maps] == ["conv5/Relu:0", "conv4/Relu:0", "fused"]
    assert [Path(map["files"]["overlay"]).name.split("gradcam")[1] for map in maps] == [
        ".l1-conv5-Relu-0.png",
        ".l2-conv4-Relu-0.png",
        ".fused.png",
    ]
    settings = json.loads(Path(tmp_path, "out", "run.json").read_text())
    assert (settings["fuse"], settings["aug_smooth"], settings["eigen_smooth"]) == ("product", True, True)
