"""Explanations go to a file and come back the same, bit for bit; other files are refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest
from stored_explanations import OTHERS, made

from gradcam_tf1 import Contrast, Explanation, OptionError
from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import demo_scenes


def same_bits(first, second):
    if first is None or second is None:
        return first is second
    return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()


def assert_same(first: Explanation, second: Explanation) -> None:
    for name in ("class_ids", "scores", "probabilities", "predicted"):
        assert same_bits(getattr(first, name), getattr(second, name)), name
    assert list(first.maps) == list(second.maps)
    assert all(same_bits(first.maps[key], second.maps[key]) for key in first.maps)
    assert len(first.images) == len(second.images)
    assert all(same_bits(*pair) for pair in zip(first.images, second.images))
    assert repr(first.top) == repr(second.top)  # NaN is not equal to itself
    for name in ("statuses", "layers", "abouts", "failures"):
        assert getattr(first, name) == getattr(second, name), name
    assert list(first.placements) == list(second.placements)
    assert dict(first.cells) == dict(second.cells)
    assert (first.labels is None) == (second.labels is None)
    if first.labels is not None:
        assert list(first.labels.names) == list(second.labels.names)
        assert (first.labels.offset, first.labels.note) == (second.labels.offset, second.labels.note)


def back(explanation: Explanation, path, **options) -> Explanation:
    explanation.save(path, **options)
    return Explanation.load(path)


def test_an_explanation_of_a_net_comes_back_and_draws_the_same(net, tmp_path):
    paths = [scene.path for scene in demo_scenes()[:2]]
    methods = ["gradcam", "guided_gradcam", "integrated_gradients"]
    explanation = net.explain(paths, ["ring", Contrast("star", "ring")], methods, [-1, -3])
    again = back(explanation, tmp_path / "e.npz")
    assert_same(explanation, again)
    for map, other in zip(explanation, again):
        assert np.array_equal(map.overlay(), other.overlay())
        assert np.array_equal(map.placed(), other.placed())
    again.maps["gradcam", "conv5/Relu:0"] *= 2  # what was read can be changed


def test_without_images_overlays_need_the_image(net, tmp_path):
    explanation = net.explain(demo_scenes()[0].path)
    again = back(explanation, str(tmp_path / "e.npz"), images=False)
    assert again.images == (None,)
    map = again.map("gradcam")
    with pytest.raises(OptionError, match="original is not known"):
        map.overlay()
    assert np.array_equal(map.overlay(image=explanation.images[0]), explanation.map("gradcam").overlay())
    assert os.path.getsize(str(tmp_path / "e.npz")) < 20_000


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_explanations_of_every_kind_come_back(name, tmp_path):
    explanation = made(**OTHERS[name])
    keys = list(explanation.maps)
    statuses = list(explanation.statuses.values())
    explanation = dataclasses.replace(explanation, statuses=dict(zip(keys, statuses)))
    again = back(explanation, tmp_path / "e.npz")
    assert_same(explanation, again)
    assert isinstance(again.map(keys[0][0]), Map)
    assert np.array_equal(again.map(keys[0][0]).placed(), explanation.map(keys[0][0]).placed())


def test_the_same_explanation_gives_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        made().save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(os.listdir(str(tmp_path))) == ["a.npz", "b.npz"]  # nothing half-written is left


def test_numpy_reads_the_file_without_pickle(tmp_path):
    made().save(tmp_path / "e.npz")
    with np.load(str(tmp_path / "e.npz"), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["map0"], made().maps["gradcam", "a/Relu:0"])
        assert json.loads(arrays["header"].tobytes().decode())["version"] == 1


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "e.npz").symlink_to(tmp_path / "precious")
    made().save(tmp_path / "e.npz")
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "e.npz").is_symlink()


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OSError, match="cannot write the explanation"):
        made().save(tmp_path / "absent" / "e.npz")
    with pytest.raises(OptionError, match="the file of an explanation is a path, not 7"):
        made().save(7)
    with pytest.raises(OptionError, match="cannot be saved: its array 'scores' is float64"):
        made(scores=np.zeros((1, 2))).save(tmp_path / "e.npz")
    with pytest.raises(OptionError, match="cannot be saved: its placements are of a kind that a file cannot hold"):
        made(placements=[object()]).save(tmp_path / "e.npz")
    assert os.listdir(str(tmp_path)) == []


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(str(tmp_path / "pipe"))
    with pytest.raises(OSError, match="cannot write the explanation: there is a device, a pipe or a socket"):
        made().save(tmp_path / "pipe")
    assert os.listdir(str(tmp_path)) == ["pipe"]
    assert not (tmp_path / "pipe").is_file()
    with pytest.raises(OptionError, match="has a character that no path can have"):
        made().save("a\0b")


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "float16"])
def test_images_of_every_dtype_can_be_shown(net, dtype):
    photo = (read_image(demo_scenes()[0].path) // 2).astype(dtype)
    map = net.explain(photo[np.newaxis]).map("gradcam")
    assert np.abs(map.shrunk(40).overlay().astype(int) - one_of(net, photo).shrunk(40).overlay()).max() <= 1


def one_of(net, photo):
    return net.explain(photo[np.newaxis].astype(np.float32)).map("gradcam")
