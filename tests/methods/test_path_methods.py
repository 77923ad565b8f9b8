"""Integrated gradients, Blur IG and Guided IG: exact cases, completeness, the saliency package."""

from __future__ import annotations

import numpy as np
import pytest
from pixel_nets import explain, linear_net, random_images, small, square_net, the_map
from small_nets import SmallNet

from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.errors import OptionError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

PATHS = ["integrated_gradients", "blur_ig", "guided_ig"]


@pytest.mark.parametrize("rule", ["midpoint", "gauss-legendre"])
@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("channels", [1, 3])
def test_on_a_linear_net_integrated_gradients_is_the_gradient_times_the_way(rule, steps, channels):
    graph, binding, kernel = linear_net(channels)
    images = random_images(2, channels=channels)
    maps = the_map(graph, binding, images, "integrated_gradients", (2, 0), steps=steps, rule=rule, batch_size=3)
    for place, class_id in enumerate((2, 0)):
        # black pixels come to -1 in the net
        np.testing.assert_allclose(maps[:, place], (images + 1) * kernel[..., class_id], rtol=1e-5, atol=1e-6)


def test_midpoints_are_exact_for_a_quadratic_score():
    """y = x^2 / 2: x * integral of a x = x^2 / 2 from zero, for any number of midpoints."""
    images = random_images(1, (4, 4))
    maps = the_map(*square_net(), images, "integrated_gradients", (0,), steps=3, baseline="zero")
    np.testing.assert_allclose(maps[0, 0], images[0] ** 2 / 2 * [1, 0, 0], rtol=1e-5, atol=1e-7)


def fourth_power_net():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        squares = tf.multiply(x, x, name="features")
        tf.reduce_sum(squares * squares, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Mul", (None, 4, 4, 3))
    return graph, Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(4, 4), classes=3)


def test_gauss_legendre_is_exact_where_midpoints_are_not():
    """The gradient is a cubic: two Gauss-Legendre points integrate it exactly, two midpoints do not."""
    images = random_images(1, (4, 4))
    expected = images[0] ** 4 * [0, 1, 0]
    how = {"steps": 2, "baseline": "zero"}
    gauss = the_map(*fourth_power_net(), images, "integrated_gradients", rule="gauss-legendre", **how)[0, 0]
    np.testing.assert_allclose(gauss, expected, rtol=1e-4, atol=1e-7)
    middle = the_map(*fourth_power_net(), images, "integrated_gradients", **how)[0, 0]
    # midpoints at 1/4 and 3/4: 4 (1/64 + 27/64) / 2 = 7/8 of it
    np.testing.assert_allclose(middle, expected * 7 / 8, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("method", PATHS)
def test_the_map_adds_up_to_the_rise_of_the_score_and_the_note_says_so(method):
    net = SmallNet("flat")
    images = net.images(1)
    options = {"steps": 800, "max_sigma": 5.0} if method == "blur_ig" else {"steps": 400}
    answer = explain(net.graph(), net.binding(), images, [0, 3], [method], options={method: options})
    for target, class_id in enumerate((0, 3)):
        map = answer.maps[method, ""][0, target]
        (note,) = answer.statuses[method, ""][0][target].notes
        said = [float(word) for word in note.replace(",", " ").replace("%", "").split() if is_number(word)]
        assert note.startswith("completeness: the map adds up to ")
        np.testing.assert_allclose(said[0], map.sum(dtype=np.float64), rtol=1e-3)
        np.testing.assert_allclose(said[0], said[1], rtol=0.02, atol=0.01)
        if method != "blur_ig":
            start = np.full_like(images, -1)
            rise = net.forward(images)["logits"] - net.forward(start)["logits"]
            np.testing.assert_allclose(said[1], rise[0, class_id], rtol=1e-3)


def is_number(word):
    return word.replace("-", "").replace(".", "").replace("e", "").isdigit()


def test_a_poor_sum_is_told_as_poor():
    """One midpoint of y = x^4 from zero: 4 (1/2)^3 = half of it."""
    answer = explain(
        *fourth_power_net(),
        random_images(1, (4, 4)),
        [1],
        ["integrated_gradients"],
        options={"integrated_gradients": {"steps": 1, "baseline": "zero"}},
    )
    (note,) = answer.statuses["integrated_gradients", ""][0][0].notes
    assert note.endswith("from zero, 50.0% off")


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("integrated_gradients", {"baseline": "grey"}, "baseline is one of zero, black, white, .* not 'grey'"),
        (
            "integrated_gradients",
            {"baseline": np.zeros((3, 3))},
            r"the baseline is .*\[3, 3\]; it must be a .*\[8, 12, 3\]",
        ),
        ("integrated_gradients", {"rule": "simpson"}, "rule is one of midpoint, gauss-legendre, not 'simpson'"),
        ("integrated_gradients", {"steps": 0}, "steps is a whole number at least 1 and at most 1000000, not 0"),
        (
            "guided_ig",
            {"steps": 0},
            "guided_ig.steps is a whole number at least 1 and at most 1000000, not 0; its default is 200",
        ),
        ("guided_ig", {"rule": "right"}, "rule is one of trapezoid, left, not 'right'"),
        ("guided_ig", {"fraction": 0}, "fraction is a number above 0 and at most 1, not 0"),
        ("guided_ig", {"max_dist": 2}, "max_dist is a number at least 0 and at most 1, not 2"),
        ("blur_ig", {"steps": -1}, "steps is a whole number at least 1 and at most 1000000, not -1"),
        ("blur_ig", {"max_sigma": 0}, "max_sigma is a number above 0, not 0"),
        ("blur_ig", {"border": "wrap"}, "border is one of nearest, reflect, constant, not 'wrap'"),
        ("xrai", {"segments": np.zeros((2, 3), int)}, r"segments are int64 \[1, 2, 3\]; .*\[8, 12\]"),
        ("xrai", {"segments": np.zeros((8, 12))}, r"segments are float64 \[1, 8, 12\]; they must be whole numbers"),
    ],
)
def test_wrong_options_are_errors(method, options, message):
    with pytest.raises(OptionError, match=message):
        small(SmallNet().images(1), method, **options)


# peers: the saliency package on the same graph, from the same start


def peer_mask(name, net, images, class_id, **options):
    saliency = pytest.importorskip("saliency.tf1")
    graph = net.graph()
    with graph.as_default(), tf.Session(graph=graph, config=session_config()) as sess:
        x, logits = graph.get_tensor_by_name("input:0"), graph.get_tensor_by_name("logits:0")
        peer = getattr(saliency, name)(graph, sess, logits[:, class_id], x)
        return peer.GetMask(images[0], **options)


def near(ours, theirs, share):
    """Whether two maps agree to a share of the largest magnitude."""
    return np.abs(ours - theirs).max() < share * np.abs(theirs).max()


def test_integrated_gradients_equals_the_saliency_package():
    """Theirs weighs both ends like the middle, which many steps make small."""
    net = SmallNet("flat")
    images = net.images(1)
    theirs = peer_mask("IntegratedGradients", net, images, 2, x_steps=2000, batch_size=50)
    ours = small(images, "integrated_gradients", net, class_ids=(2,), steps=500, baseline="zero")[0, 0]
    assert near(ours, theirs, 0.01)
    assert not near(np.roll(ours, 1, axis=1), theirs, 0.5)


def test_blur_ig_equals_the_saliency_package():
    net = SmallNet("flat")
    images = net.images(1)
    theirs = peer_mask("BlurIG", net, images, 2, max_sigma=4, steps=1000, grad_step=1e-4, batch_size=1)
    ours = small(images, "blur_ig", net, class_ids=(2,), max_sigma=4, steps=500, border="constant")[0, 0]
    assert near(ours, theirs, 0.02)
    assert not near(small(images, "blur_ig", net, class_ids=(2,), max_sigma=4, steps=500)[0, 0], theirs, 0.02)


@pytest.mark.parametrize("how", [{}, {"fraction": 0.1, "max_dist": 0.2}, {"max_dist": 1.0}, {"max_dist": 0.0}])
def test_guided_ig_equals_the_saliency_package(how, monkeypatch):
    quantile = np.quantile
    # it says interpolation=, which newer numpy calls method=
    name = "method" if int(np.__version__.split(".")[0]) >= 2 else "interpolation"
    monkeypatch.setattr(np, "quantile", lambda a, q, interpolation: quantile(a, q, **{name: interpolation}))
    net = SmallNet("flat")
    images = net.images(1)
    theirs = peer_mask("GuidedIG", net, images, 2, x_steps=20, **how)
    ours = small(images, "guided_ig", net, class_ids=(2,), steps=20, baseline="zero", rule="left", **how)[0, 0]
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_guided_ig_that_may_not_leave_the_line_is_integrated_gradients():
    net = SmallNet("flat")
    images = net.images(1)
    straight = small(images, "integrated_gradients", net, steps=400)[0, 0]
    assert near(small(images, "guided_ig", net, steps=400, max_dist=0.0)[0, 0], straight, 0.02)
    assert not near(small(images, "guided_ig", net, steps=400, max_dist=0.5)[0, 0], straight, 0.02)


def test_the_trapezoid_of_guided_ig_is_exact_for_a_quadratic_score():
    images = random_images(1, (4, 4))
    how = {"steps": 3, "max_dist": 1.0, "baseline": "zero"}
    expected = images[0] ** 2 / 2 * [1, 0, 0]
    maps = the_map(*square_net(), images, "guided_ig", (0,), **how)
    np.testing.assert_allclose(maps[0, 0], expected, rtol=1e-5, atol=1e-7)
    left = the_map(*square_net(), images, "guided_ig", (0,), rule="left", **how)[0, 0]
    assert left.sum() < expected.sum() / 2


@pytest.mark.parametrize("method", [*PATHS, "xrai", "fullgrad", "smoothgrad"])
def test_what_is_told_beforehand_is_what_is_run(method):
    net = SmallNet("flat")
    works = []
    options = {"steps": 5} if method in (*PATHS, "xrai") else {"samples": 5} if method == "smoothgrad" else {}
    how = {"options": {method: options}, "report": works.append, "batch_size": 2}
    explain(net.graph(), net.binding(), net.images(2), [0, 1, 2], [method], **how)
    assert works[0].done == 0
    assert works[-1].done == works[0].images * works[0].runs > 0


def test_guided_ig_from_the_image_itself_is_zero():
    net = SmallNet("flat")
    pixels = np.random.RandomState(0).uniform(0, 255, (1, 8, 12, 3)).astype(np.float32)
    images = (pixels / 127.5 - 1).astype(np.float32)
    maps = small(images, "guided_ig", net, steps=3, baseline=pixels[0], pixels=pixels)
    np.testing.assert_array_equal(maps, 0)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_baked_batch_size_changes_nothing(batch):
    net = SmallNet("flat")
    images = net.images(2)
    for method in [*PATHS, "fullgrad"]:
        options = {} if method == "fullgrad" else {"steps": 2}
        free = small(images, method, net, **options)
        baked = the_map(net.graph(batch=batch), net.binding(batch=batch), images, method, **options)
        np.testing.assert_allclose(baked, free, atol=1e-5)


def test_a_net_that_computes_with_sizes_and_drops_the_batch_axis():
    """As exported detectors and segmenters do: uint8 [1, H, W, 3], floats without a batch axis, sizes on the way."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.uint8, [1, None, None, 3], name="input")
        floats = tf.cast(tf.squeeze(x, 0), tf.float32)
        sides = tf.shape(floats)[:2] + 2 - 2
        features = tf.nn.relu(tf.image.resize_nearest_neighbor(floats[tf.newaxis], sides), name="features")
        tf.reduce_mean(features * features, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Relu", (1, None, None, 3))
    fields = {"layers": (layer,), "classes": 3, "dtype": "uint8", "batch_size": 1}
    binding = Binding("input:0", "logits:0", "features:0", **fields)
    images = np.random.RandomState(0).randint(0, 255, (2, 4, 6, 3)).astype(np.uint8)
    how = {"pixels": images.astype(np.float32), "to_batch": lambda rgb: rgb.astype(np.uint8)}
    expected = images.astype(float) ** 2 / 24 * [0, 1, 0]
    maps = the_map(graph, binding, images, "integrated_gradients", steps=3, **how)
    np.testing.assert_allclose(maps[:, 0], expected, rtol=1e-4)
    around = explain(graph, binding, images, [1], ["gradient_x_input"], Noise(samples=2, level=0.0), **how)
    np.testing.assert_allclose(around.maps["gradient_x_input", ""][:, 0], 2 * expected, rtol=1e-4)
    # y = sum of x^2, x dy/dx = 2 y: squares have no bias, so the sum is twice the score
    (note,) = explain(graph, binding, images, [1], ["fullgrad"], **how).statuses["fullgrad", ""][0][0].notes
    assert note.endswith("100.0% off")


def test_a_uint8_net_starts_from_pixels_after_the_cast():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.uint8, [None, 4, 4, 3], name="input")
        features = tf.nn.relu(tf.cast(x, tf.float32), name="features")
        tf.reduce_sum(features * features, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 4, 4, 3))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(4, 4), classes=3, dtype="uint8")
    images = np.random.RandomState(0).randint(0, 255, (1, 4, 4, 3)).astype(np.uint8)
    how = {"pixels": images.astype(np.float32), "to_batch": lambda rgb: rgb.astype(np.uint8)}
    for method in ("integrated_gradients", "guided_ig"):
        steps = 20 if method == "integrated_gradients" else 2000
        maps = the_map(graph, binding, images, method, (0,), steps=steps, **how)
        expected = images[0].astype(float) ** 2 * [1, 0, 0]
        np.testing.assert_allclose(maps[0, 0], expected, atol=0.002 * expected.max())
