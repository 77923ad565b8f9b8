"""Methods from outside the package: registered, they work wherever a method name is taken."""

from __future__ import annotations

import json
from unittest import mock

import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import (
    METHODS,
    IteratedMethod,
    LayerMethod,
    NumpyMethod,
    Option,
    PixelMethod,
    ProductMethod,
    choose_methods,
    method,
    register,
    without_gradients,
)
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.tf_runtime import tf

PAPER = "https://example.org/paper"


@pytest.fixture(autouse=True)
def _table_restored():
    with mock.patch.dict(METHODS):
        yield


def powered(features, grads, *, power):
    return tf.reduce_sum(tf.nn.relu(grads * features) ** power, axis=-1)


def loudest(features, _grads, *, share):
    return features.max(axis=-1) * share


def centre(probe, _layer, *, weight):
    maps = np.zeros((probe.targets, *probe.image.shape[:-1]), np.float32)
    maps[:, probe.image.shape[0] // 2, probe.image.shape[1] // 2] = weight * probe.scores(probe.image[None])[0]
    return maps


ROWS = (
    LayerMethod("mycam", "powers of the evidence", PAPER, powered, options=(Option("power", 1.0, above=0),)),
    NumpyMethod("loudest", "the highest feature", PAPER, loudest, options=(Option("share", 1.0, low=0, high=1),)),
    PixelMethod("squared", "squared gradient", PAPER, compute=lambda _images, grads: grads**2),
    IteratedMethod(
        "centre",
        "the score at the centre",
        PAPER,
        centre,
        runs=lambda _probe, _layer, **_options: 1,
        options=(Option("weight", 1.0),),
    ),
)


def test_a_method_of_each_family_works_in_explain_with_its_options(net):
    for row in ROWS:
        register(row)
    register(ProductMethod("mine", "product", PAPER, METHODS["squared"], METHODS["mycam"]))
    image = demo_scenes()[0].path
    names = [*(row.name for row in ROWS), "mine"]
    assert net.usable_methods(names) == (names, {})
    found = net.explain(image, 1, ["elementwise", "gradient", *names])
    np.testing.assert_array_equal(found["mycam"], found["elementwise"])
    np.testing.assert_allclose(found["squared"], found["gradient"] ** 2, rtol=1e-6)
    assert found["loudest"].max() > 0
    assert np.abs(found["centre"]).max() == pytest.approx(abs(float(found.scores[0, 0])), rel=1e-5)
    assert found["mine"].shape == found["squared"].shape
    changed = net.explain(
        image, 1, [method("mycam", power=2.0), method("loudest", share=0.5), method("centre", weight=2)]
    )
    assert np.abs(changed["mycam"] - found["mycam"]).max() > 1e-6
    np.testing.assert_allclose(changed["loudest"], found["loudest"] / 2, rtol=1e-5)
    np.testing.assert_allclose(changed["centre"], found["centre"] * 2, rtol=1e-6)
    assert "loudest" in without_gradients()
    assert "mycam" not in without_gradients()


def test_it_works_in_visualize_imgs_with_its_options(net, tmp_path):
    register(ROWS[0])
    net.visualize_imgs(demo_scenes()[0].path, str(tmp_path), targets=1, methods=[method("mycam", power=2.0), "gradcam"])
    (line,) = [json.loads(text) for text in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert [record["method"] for record in line["targets"][0]["maps"]] == ["mycam", "gradcam"]
    assert any("mycam" in path for path in line["targets"][0]["maps"][0]["files"].values())
    assert json.loads((tmp_path / "run.json").read_text())["options"] == {"mycam": {"power": 2.0}}


@pytest.mark.parametrize("name", ["MyCam", "my-cam", "my cam", "2cam", "", "../cam", "_cam", 5, None])
def test_a_name_that_makes_no_file_name_is_refused(name):
    with pytest.raises(OptionError, match="a method cannot be named .* take a lower-case identifier such as 'mycam'"):
        register(LayerMethod(name, "summary", PAPER, powered))


@pytest.mark.parametrize("name", ["gradcam", "positive_negative"])
def test_a_name_that_is_taken_is_refused(name):
    with pytest.raises(OptionError, match=f"there is a method '{name}' already; take another name than gradcam, "):
        register(LayerMethod(name, "summary", PAPER, powered))


def test_defaults_out_of_their_own_bounds_are_refused():
    row = LayerMethod("mycam", "summary", PAPER, powered, options=(Option("power", 0.0, above=0),))
    with pytest.raises(OptionError, match=r"mycam.power is a number above 0, not 0.0; its default is 0.0"):
        register(row)
    assert "mycam" not in METHODS


def test_what_is_no_row_is_refused():
    with pytest.raises(OptionError, match="register takes a row such as LayerMethod"):
        register(powered)


def test_a_method_that_was_not_registered_is_not_there():
    with pytest.raises(OptionError, match="no method 'mycam'"):
        choose_methods("mycam")
