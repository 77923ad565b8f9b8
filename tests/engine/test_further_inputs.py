"""Values of inputs beside the images give what the same net gives with the values baked in."""

from __future__ import annotations

import numpy as np
import pytest
from flat_options import chosen, grouped
from further_nets import SIDE, gradcam_by_hand, noise, siamese, with_meta

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import BindingError, OptionError, TargetError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.targets import Similar

METHODS = ["gradcam", "gradient", "integrated_gradients", "scorecam", "occlusion"]
IMAGES = noise(5)
OPTIONS = {"integrated_gradients": {"steps": 4}, "occlusion": {"window": 8, "stride": 8}}


def explained(graph_def, inputs=None, methods="gradcam", images=IMAGES, batch_size=2, **options):
    with GradCamGraph(load(graph_def), preset="zero-one", batch_size=batch_size, **options) as net:
        methods = chosen(methods, OPTIONS if methods is METHODS else {})
        return net.explain(images, [0, 2], methods=methods, options=ExplainOptions(inputs=inputs))


def same(found, wanted):
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-5, atol=1e-6)
    for key, maps in wanted.maps.items():
        np.testing.assert_allclose(found.maps[key], maps, rtol=1e-4, atol=1e-6 * np.abs(maps).max() + 1e-9)


@pytest.mark.parametrize(
    ("value", "baked"),
    [
        (0.5, [0.5, 0.5]),
        ([0.5, -2], [0.5, -2]),
        ([[0.5, -2]], [0.5, -2]),
        (np.array([3, 4], np.int64), [3, 4]),
        ([[7]], [7, 7]),
    ],
)
@pytest.mark.parametrize("batch_size", [2, 8])
def test_a_constant_goes_to_every_image_of_every_batch(value, baked, batch_size):
    wanted = explained(with_meta(baked), batch_size=batch_size)
    same(explained(with_meta(), feed={"meta": value}, batch_size=batch_size), wanted)


def test_methods_that_run_the_net_many_times_have_it_too():
    wanted = explained(with_meta([0.5, -2]), methods=METHODS, images=IMAGES[:3])
    same(explained(with_meta(), feed={"meta": [0.5, -2]}, methods=METHODS, images=IMAGES[:3]), wanted)


def test_an_input_of_unknown_shape_is_repeated_too():
    wanted = explained(with_meta([0.5, -2]))
    same(explained(with_meta(shape=None), feed={"meta": [[0.5, -2]]}), wanted)


@pytest.mark.parametrize("dtype", ["float16", "int32", "uint8", "float64"])
def test_the_dtype_of_the_tensor_is_respected(dtype):
    same(explained(with_meta(dtype=dtype), feed={"meta": [1.0, 3.0]}), explained(with_meta([1, 3])))
    rows = np.repeat([[1.0, 3.0]], 5, axis=0)
    same(explained(with_meta(dtype=dtype), inputs={"meta": rows}), explained(with_meta([1, 3])))


def test_each_image_its_own_value_and_no_constant_beside_it():
    rows = np.random.RandomState(3).randn(5, 2).astype(np.float32)
    methods = ["gradcam", "scorecam"]
    found = explained(with_meta(), inputs={"meta": rows}, methods=methods)
    for n, row in enumerate(rows):
        alone = explained(with_meta(row), images=IMAGES[n : n + 1], methods=methods)
        np.testing.assert_allclose(found["gradcam"][n], alone["gradcam"][0], rtol=1e-4, atol=1e-8)
        np.testing.assert_allclose(found["scorecam"][n], alone["scorecam"][0], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("how", [{"noise": Noise(samples=2)}, {"aug_smooth": True}, {"eigen_smooth": True}])
def test_smoothed_maps_have_each_images_value_too(how):
    rows = [[0.5, -2], [0.5, -2]]
    with GradCamGraph(load(with_meta()), preset="zero-one") as net:
        found = net.explain(IMAGES[:2], 1, **grouped(inputs={"meta": rows}, **how))
    with GradCamGraph(load(with_meta(rows[0])), preset="zero-one") as net:
        same(found, net.explain(IMAGES[:2], 1, **grouped(**how)))


def test_rows_are_broadcast_to_the_tensor():
    found = explained(with_meta(), inputs={"meta": [0.5, 1, 2, 3, 4]})
    same(explained(with_meta(), inputs={"meta": [[each, each] for each in (0.5, 1, 2, 3, 4)]}), found)


def test_rows_go_before_a_constant_and_it_stays_for_the_next_question():
    with GradCamGraph(load(with_meta()), preset="zero-one", feed={"meta": 9}) as net:
        before = net.explain(IMAGES, 1)
        net.explain(IMAGES, 1, options=ExplainOptions(inputs={"meta:0": np.zeros((5, 2))}))
        np.testing.assert_array_equal(net.explain(IMAGES, 1).scores, before.scores)


def test_what_has_no_value_is_asked_for_whatever_was_asked_before():
    with GradCamGraph(load(with_meta()), preset="zero-one") as net:
        for _ in range(2):
            with pytest.raises(BindingError, match=r"need values for 'meta:0' \(float32, shape \(\S+, 2\)\)"):
                net.explain(IMAGES, 1)
            net.explain(IMAGES, 1, options=ExplainOptions(inputs={"meta": np.zeros((5, 2))}))
        assert net.binding.per_image == ("meta:0",)
        with pytest.raises(TargetError, match="a likeness needs the net's output for another image"):
            net.explain(IMAGES, Similar(IMAGES[0]), options=ExplainOptions(inputs={"meta": np.zeros((5, 2))}))


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({"meta": 0.5}, OptionError, r"inputs\['meta'\] is \[\]; give one row for each of the 5 images"),
        ({"meta": "ab"}, OptionError, "give one row for each of the 5 images"),
        ({"meta": [[1, 2, 3]] * 5}, BindingError, r"feed for 'meta:0' has shape \(3,\), the tensor \(2,\); give"),
        ({"meta": ["x"] * 5}, BindingError, "feed 'x' for 'meta:0' is not float32"),
        ({"input": [1] * 5}, BindingError, "'input:0' takes the images"),
        ({"nope": [1] * 5}, BindingError, "no tensor 'nope' in the graph"),
    ],
)
def test_rows_that_do_not_fit_are_refused(inputs, error, message):
    with pytest.raises(error, match=message):
        explained(with_meta(), inputs=inputs)


def test_one_value_for_the_whole_batch_cannot_differ():
    with pytest.raises(BindingError, match=r"'meta:0' has shape \(2,\) and takes one value for all images of a batch"):
        explained(with_meta(shape=[2]), inputs={"meta": [[1, 2]] * 5})


def test_a_value_that_is_no_number_is_found_where_it_enters():
    rows = [[1, 2], [np.nan, 2], [3, 4], [5, 6], [7, 8]]
    found = explained(with_meta(), inputs={"meta": rows})
    assert [bool(reason) for reason in found.failures] == [False, True, False, False, False]
    assert "'meta' (Placeholder) makes the first NaN values" in found.failures[1]


# two images


def by_hand(images, seconds, explained_name="left", fed_name="right"):
    feed = {f"{explained_name}:0": images / 255.0, f"{fed_name}:0": seconds / 255.0}
    return gradcam_by_hand(siamese(), feed, f"tower_{explained_name}/Relu:0", 2)


@pytest.mark.parametrize(("name", "other"), [("left", "right"), ("right", "left")])
def test_maps_of_either_of_two_images_are_those_of_tf_gradients(name, other):
    seconds = noise(5, seed=9)
    with GradCamGraph(load(siamese()), preset="zero-one", input=name, batch_size=2) as net:
        fitted = [net.fit_image(image, other) for image in seconds]
        found = net.explain(IMAGES, 2, options=ExplainOptions(inputs={other: fitted}))
        assert net.binding.layer == f"tower_{name}/Relu:0"
    np.testing.assert_allclose(found["gradcam"][:, 0], by_hand(IMAGES, seconds, name, other), rtol=1e-4, atol=1e-8)


def test_the_image_that_is_not_fed_is_explained():
    second = noise(1, seed=9)
    with GradCamGraph(load(siamese()), preset="zero-one", feed={"left": second / 255.0}) as net:
        found = net.explain(IMAGES, 2)
        assert net.binding.input == "right:0"
    wanted = by_hand(IMAGES, np.repeat(second, 5, axis=0), "right", "left")
    np.testing.assert_allclose(found["gradcam"][:, 0], wanted, rtol=1e-4, atol=1e-8)


def test_a_second_image_of_another_size_is_fitted_to_its_own_input():
    seconds = noise(5, 2 * SIDE, seed=9)
    with GradCamGraph(load(siamese(sides=(SIDE, 2 * SIDE))), preset="raw", input="left") as net:
        fitted = [net.fit_image(image, "right") for image in seconds]
        assert {item.pixels.shape for item in fitted} == {(2 * SIDE, 2 * SIDE, 3)}
        found = net.explain(IMAGES, 2, options=ExplainOptions(inputs={"right": fitted}))
    feed = {"left:0": IMAGES, "right:0": seconds}
    wanted = gradcam_by_hand(siamese(sides=(SIDE, 2 * SIDE)), feed, "tower_left/Relu:0", 2)
    np.testing.assert_allclose(found["gradcam"][:, 0], wanted, rtol=1e-4, atol=1e-6)


def test_no_image_goes_into_numbers():
    with GradCamGraph(load(with_meta()), preset="zero-one") as net, pytest.raises(BindingError, match="no images fit"):
        net.fit_image(IMAGES[0], "meta")
