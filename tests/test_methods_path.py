"""Integrated gradients and their relatives, XRAI and FullGrad: exact cases, completeness, the saliency package."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
from small_nets import SmallNet, conv_same_backward
from test_methods_pixel import explain, linear_net, pictures, square_net

from gradcam_tf1.errors import OptionError
from gradcam_tf1.guided import override_map
from gradcam_tf1.methods.baselines import BASELINES, baseline_input
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.methods.xrai import felzenszwalb_segments, rank_regions, regions_of, widened
from gradcam_tf1.runner import session_config
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

PATHS = ["integrated_gradients", "blur_ig", "guided_ig"]


def the_map(graph, binding, images, method, class_ids=(1,), **options):
    how = {name: options.pop(name) for name in ("pixels", "to_batch", "batch_size") if name in options}
    answer = explain(graph, binding, images, list(class_ids), [method], options={method: options}, **how)
    return answer["maps"][method, ""]


def small(images, method, net=None, **options):
    net = net or SmallNet("flat")
    return the_map(net.graph(), net.binding(), images, method, **options)


# integrated gradients


@pytest.mark.parametrize("rule", ["midpoint", "gauss-legendre"])
@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("channels", [1, 3])
def test_on_a_linear_net_integrated_gradients_is_the_gradient_times_the_way(rule, steps, channels):
    graph, binding, kernel = linear_net(channels)
    images = pictures(2, channels=channels)
    maps = the_map(graph, binding, images, "integrated_gradients", (2, 0), steps=steps, rule=rule, batch_size=3)
    for place, class_id in enumerate((2, 0)):
        # black pixels come to -1 in the net
        np.testing.assert_allclose(maps[:, place], (images + 1) * kernel[..., class_id], rtol=1e-5, atol=1e-6)


def test_midpoints_are_exact_for_a_quadratic_score():
    """y = x^2 / 2: x * integral of a x = x^2 / 2 from zero, for any number of midpoints."""
    images = pictures(1, (4, 4))
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
    images = pictures(1, (4, 4))
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
        map = answer["maps"][method, ""][0, target]
        (note,) = answer["statuses"][method, ""][0][target].notes
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
        pictures(1, (4, 4)),
        [1],
        ["integrated_gradients"],
        options={"integrated_gradients": {"steps": 1, "baseline": "zero"}},
    )
    (note,) = answer["statuses"]["integrated_gradients", ""][0][0].notes
    assert note.endswith("from zero, 50.0% off")


class Picture:
    """What `baseline_input` asks of a probe."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.image = pixels / 255

    def to_input(self, pixels):
        return pixels / 255


def test_baselines_are_pictures():
    pixels = np.random.RandomState(0).uniform(0, 255, (20, 30, 3)).astype(np.float32)
    found = {name: baseline_input(Picture(pixels), name, seed=4) * 255 for name in BASELINES}
    np.testing.assert_array_equal(found["black"], 0)
    np.testing.assert_array_equal(found["zero"], 0)
    np.testing.assert_array_equal(found["white"], 255)
    np.testing.assert_allclose(found["mean"], np.broadcast_to(pixels.mean((0, 1)), pixels.shape), rtol=1e-5)
    assert found["blur"].std() < pixels.std() / 3
    np.testing.assert_allclose(found["blur"].mean((0, 1)), pixels.mean((0, 1)), rtol=0.1)
    np.testing.assert_allclose(found["random"], np.random.RandomState(4).uniform(0, 255, pixels.shape), rtol=1e-4)
    np.testing.assert_allclose(baseline_input(Picture(pixels), pixels[::-1]) * 255, pixels[::-1], rtol=1e-5)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("integrated_gradients", {"baseline": "grey"}, "no baseline 'grey'; possible: .*black, white"),
        (
            "integrated_gradients",
            {"baseline": np.zeros((3, 3))},
            r"the baseline is .*\[3, 3\]; it must be a .*\[8, 12, 3\]",
        ),
        ("integrated_gradients", {"rule": "simpson"}, "no rule 'simpson'; possible: midpoint, gauss-legendre"),
        ("integrated_gradients", {"steps": 0}, "steps=0: at least one"),
        ("guided_ig", {"steps": 0}, "steps=0: at least one"),
        ("guided_ig", {"rule": "right"}, "no rule 'right'; possible: trapezoid, left"),
        ("guided_ig", {"fraction": 0}, "fraction=0, max_dist=0.02: shares"),
        ("guided_ig", {"max_dist": 2}, "fraction=0.25, max_dist=2: shares"),
        ("blur_ig", {"steps": -1}, "steps=-1: at least one"),
        ("blur_ig", {"max_sigma": 0}, "max_sigma=0, border='nearest': above 0"),
        ("blur_ig", {"border": "wrap"}, "border='wrap': .* one of nearest, reflect, constant"),
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
    images = pictures(1, (4, 4))
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
    assert works[-1].done == works[0].pictures * works[0].runs > 0


def test_guided_ig_from_the_picture_itself_is_zero():
    net = SmallNet("flat")
    pixels = np.random.RandomState(0).uniform(0, 255, (1, 8, 12, 3)).astype(np.float32)
    images = (pixels / 127.5 - 1).astype(np.float32)
    maps = small(images, "guided_ig", net, steps=3, baseline=pixels[0], pixels=pixels)
    np.testing.assert_array_equal(maps, 0)


# XRAI


def test_regions_are_ranked_by_what_they_add_worked_by_hand():
    """Left half holds 3, right half 1, the middle, which covers half of each, 2 + 4 = 6 in its left part."""
    attribution = np.full((20, 20), 1.0)
    attribution[:, :10] = 3.0
    attribution[:, 5:10] = 6.0
    columns = np.arange(20)
    regions = np.stack(
        [np.tile(where, (20, 1)) for where in (columns < 10, columns >= 10, (columns >= 5) & (columns < 15))]
    )
    values = rank_regions(attribution, regions)
    # the left half has the highest mean, 4.5; what the middle adds then, and the right half, are 1
    np.testing.assert_allclose(values, np.tile(np.where(columns < 10, 4.5, 1.0), (20, 1)))
    values = rank_regions(attribution, regions[1:])
    # the middle comes first, (6 + 1) / 2; then the rest of the right half; what no region covers keeps its mean
    expected = np.where(columns < 5, 3.0, np.where(columns < 15, 3.5, 1.0))
    np.testing.assert_allclose(values, np.tile(expected, (20, 1)))


@pytest.mark.parametrize("seed", range(3))
def test_ranking_equals_the_saliency_package(seed):
    saliency = pytest.importorskip("saliency.core")
    random = np.random.RandomState(seed)
    attribution = random.randn(24, 30)
    labels = np.stack([random.randint(0, 6, (3, 3)).repeat(8, 0).repeat(10, 1) for _ in range(4)])
    regions = widened(regions_of(labels), radius=1)
    theirs = saliency.XRAI().GetMask(
        np.zeros((24, 30, 3)),
        None,
        segments=list(regions),
        base_attribution=np.repeat(attribution[..., None], 3, axis=2),
    )
    np.testing.assert_allclose(rank_regions(attribution, regions), theirs, rtol=1e-5, atol=1e-6)


def blobs():
    """A gray picture with a red square and a blue one."""
    pixels = np.full((64, 80, 3), 120, np.float32)
    pixels[10:34, 10:34] = (230, 20, 20)
    pixels[30:60, 44:76] = (20, 20, 230)
    return pixels


def test_segments_follow_the_edges_of_the_picture():
    labels = felzenszwalb_segments(blobs())
    assert labels.shape == (6, 64, 80)
    for each in labels[:3]:
        assert len({each[12, 12], each[50, 60], each[5, 5]}) == 3
        assert (each[12:32, 12:32] == each[12, 12]).mean() > 0.95


def test_widening_adds_a_disk():
    region = np.zeros((1, 15, 15), bool)
    region[0, 7, 7] = True
    rows, columns = np.mgrid[:15, :15] - 7
    np.testing.assert_array_equal(widened(region)[0], rows**2 + columns**2 <= 25)


def colour_net():
    """Class 0 sums red, class 1 blue: logits = sum of x over a channel."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 64, 80, 3], name="input")
        features = tf.nn.relu(x, name="features")
        tf.reduce_sum(tf.gather(features, [0, 2], axis=3), [1, 2], name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 64, 80, 3))
    return graph, Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(64, 80), classes=2)


def test_xrai_lights_up_the_region_of_the_class():
    pixels = blobs()[np.newaxis]
    maps = the_map(*colour_net(), pixels / 255, "xrai", (0, 1), pixels=pixels, to_batch=lambda rgb: rgb / 255, steps=3)[
        0
    ]
    assert maps.shape == (2, 64, 80)
    red, blue, gray = np.s_[12:32, 12:32], np.s_[34:56, 48:72], np.s_[40:60, 5:30]
    assert maps[0][red].min() > maps[0][blue].max()
    assert maps[0][red].min() > maps[0][gray].max()
    assert maps[1][blue].min() > maps[1][red].max()


def test_xrai_equals_the_saliency_package_on_the_same_regions():
    saliency = pytest.importorskip("saliency.core")
    net = SmallNet("flat", size=(24, 32))
    pixels = np.random.RandomState(0).uniform(0, 255, (1, 24, 32, 3)).astype(np.float32)
    images = pixels / 127.5 - 1
    labels = np.arange(12).reshape(3, 4).repeat(8, 0).repeat(8, 1)
    how = {"pixels": pixels, "steps": 50}
    ours = small(images, "xrai", net, class_ids=(1,), segments=labels, **how)[0, 0]
    black, white = (
        small(images, "integrated_gradients", net, class_ids=(1,), baseline=name, **how)[0, 0]
        for name in ("black", "white")
    )
    theirs = saliency.XRAI().GetMask(
        images[0], None, segments=list(regions_of(labels[None])), base_attribution=(black + white) / 2
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


def test_without_scikit_image_xrai_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(OptionError, match=r"scikit-image, which is not installed: pip install 'gradcam_tf1\[xrai\]'"):
        small(SmallNet().images(1), "xrai")
    maps = small(SmallNet().images(1), "xrai", segments=np.arange(96).reshape(8, 12) // 48)
    assert len(np.unique(maps)) == 1  # two regions of 48 pixels: fewer than 50 is left out


# FullGrad


def test_fullgrad_equals_the_twin():
    net = SmallNet("flat")
    images = net.images(2)
    maps = small(images, "fullgrad", net, class_ids=(1, 3))
    for place, class_id in enumerate((1, 3)):
        expected = sum(spread_out(part) for part in fullgrad_parts(net, images, class_id)[:3])
        np.testing.assert_allclose(maps[:, place], expected, rtol=1e-3, atol=1e-4)


def fullgrad_parts(net, images, class_id):
    """x * dy/dx and b * dy/dz of the four bias layers, in float64."""
    w = {name: value.astype(np.float64) for name, value in net.weights.items()}
    state = net.forward(images)
    at_features = net.feature_grads(images, class_id) * (state["features"] > 0)
    below = np.broadcast_to(w["w4"][:, class_id], state["hidden"].shape) * (state["hidden"] > 0)
    pooled = conv_same_backward(at_features, w["w2"])
    at_first = np.repeat(np.repeat(pooled, 2, axis=1), 2, axis=2) / 4 * (state["a1"] > 0)
    return [
        images * net.pixel_grads(images, class_id, guided=False),
        at_first * w["b1"],
        at_features * w["b2"],
        below * w["b3"],
        np.full((len(images), 1), w["b4"][class_id]),
    ]


def spread_out(part):
    """psi, summed over the channels: magnitudes to 0..1 within each image, half-pixel bilinear to 8 x 12."""
    sizes = np.abs(part)
    low, high = sizes.min((1, 2, 3), keepdims=True), sizes.max((1, 2, 3), keepdims=True)
    summed = ((sizes - low) / (high - low)).sum(-1)
    return np.stack([cv2.resize(each, (12, 8), interpolation=cv2.INTER_LINEAR) for each in summed])


def test_the_parts_of_fullgrad_add_up_to_the_score_exactly():
    net = SmallNet("flat")
    images = net.images(2)
    for class_id in range(4):
        total = sum(part.reshape(2, -1).sum(1) for part in fullgrad_parts(net, images, class_id))
        np.testing.assert_allclose(total, net.forward(images)["logits"][:, class_id], rtol=1e-9)
    answer = explain(net.graph(), net.binding(), images, [2], ["fullgrad"])
    for n in range(2):
        (note,) = answer["statuses"]["fullgrad", ""][n][0].notes
        assert note.startswith("completeness: the input and 4 biases add up to ")
        assert note.endswith("0.0% off")


def test_batch_norms_and_every_activation_are_in_the_sum():
    """Implicit biases: beta - mean gamma / deviation of a batch norm, f(x) - f'(x) x of curved activations."""
    random = np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], name="input")
        a = (x - np.float32(0.3)) * np.float32(2)
        for activation in (tf.nn.relu6, tf.nn.elu, tf.nn.softplus, tf.tanh, tf.sigmoid, tf.nn.selu, tf.nn.leaky_relu):
            a = tf.nn.conv2d(a, random.randn(3, 3, 3, 3).astype(np.float32), [1, 1, 1, 1], "SAME")
            numbers = [random.uniform(0.5, 1.5, 3).astype(np.float32) for _ in range(4)]
            a = tf.nn.fused_batch_norm(a, *numbers, is_training=False)[0]
            # not right behind the batch norm: TensorFlow 2.21 fuses the two into an op that it does not have
            a = activation(tf.nn.max_pool(a, [1, 1, 1, 1], [1, 1, 1, 1], "SAME"))
        a = tf.clip_by_value(a, -0.5, 4.0) + tf.nn.max_pool(a, [1, 3, 3, 1], [1, 1, 1, 1], "SAME")
        features = tf.identity(a, name="features")
        tf.reduce_mean(features, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Identity", (None, 6, 6, 3))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(6, 6), classes=3)
    status = explain(graph, binding, pictures(1, (6, 6)), [1], ["fullgrad"])["statuses"]["fullgrad", ""][0][0]
    # 1 subtraction, 7 batch norms, 6 activations with a bias, 2 bounds of the clip
    assert "the input and 16 biases add up" in status.notes[0]
    assert status.notes[0].endswith("0.0% off")


def test_channels_first_gives_the_fullgrad_of_channels_last():
    net = SmallNet("flat")
    images = net.images(1)
    last = small(images, "fullgrad", net)
    first = the_map(net.graph(channels_first=True), net.binding(channels_first=True), images, "fullgrad")
    np.testing.assert_allclose(first, last, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("taken", [False, True])
def test_biases_in_conditions_count_where_their_branch_is_taken(taken):
    """y = sum of (x + 0.5) + 1 or of (2 x - 3) + 4 - 5 + 1, the inner condition in the outer one's second branch."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        outer, inner = (tf.placeholder(tf.bool, [], name=name) for name in ("outer", "inner"))
        first, second = tf.raw_ops.Switch(data=x, pred=outer)
        # as tf.cond does: what the inner condition reads comes through the outer one
        inner_pred = tf.raw_ops.Switch(data=inner, pred=outer)[1]
        inner_first, inner_second = tf.raw_ops.Switch(data=second * 2.0 - 3.0, pred=inner_pred)
        inner_both = tf.raw_ops.Merge(inputs=[inner_first + 4.0, inner_second * 7.0 - 1.0])[0]
        both = tf.raw_ops.Merge(inputs=[first + 0.5, inner_both - 5.0])[0]
        features = tf.identity(tf.reshape(both, [-1, 4, 4, 3]) + 1.0, name="features")
        tf.reduce_sum(features, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Identity", (None, 4, 4, 3))
    fields = {"layers": (layer,), "image_size": (4, 4), "classes": 3, "feeds": {"outer:0": taken, "inner:0": False}}
    binding = Binding("input:0", "logits:0", "features:0", **fields)
    images = pictures(2, (4, 4))
    answer = explain(graph, binding, images, [1], ["fullgrad"])
    count, rise = (4, 2 * images[..., 1] - 3) if taken else (2, images[..., 1] + 1.5)
    for n, score in enumerate(rise.sum((1, 2))):
        note = answer["statuses"]["fullgrad", ""][n][0].notes[0]
        assert f"input and {count} biases add up to {score:.4g}, the score is {score:.4g}, 0.0% off" in note


def test_biases_of_channels_first_ops_are_summed_over_their_channels():
    """y = sum of relu(x + b) over class channels: the parts are x and b where that is above zero."""
    graph = tf.Graph()
    bias = np.array([0.5, -0.25, 0.0], np.float32)
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 3, 4, 6], name="input")
        features = tf.nn.relu(tf.nn.bias_add(x, bias, data_format="NCHW"), name="features")
        tf.reduce_sum(features * features / 2, [2, 3], name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 3, 4, 6), False)
    fields = {"layers": (layer,), "image_size": (4, 6), "classes": 3, "input_channels_last": False}
    binding = Binding("input:0", "logits:0", "features:0", **fields)
    images = pictures(1, (4, 6))
    # class 0: its gradient is relu(x_0 + 0.5), on channel 0 alone, so that each part is one channel of magnitudes
    grad = np.maximum(images[0, ..., 0] + 0.5, 0)
    parts = [np.abs(grad * images[0, ..., 0]), grad * 0.5]
    expected = sum(part / part.max() for part in parts)
    np.testing.assert_allclose(the_map(graph, binding, images, "fullgrad", (0,))[0, 0], expected, rtol=1e-4, atol=1e-5)


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
    np.testing.assert_allclose(around["maps"]["gradient_x_input", ""][:, 0], 2 * expected, rtol=1e-4)
    # y = sum of x^2, x dy/dx = 2 y: squares have no bias, so the sum is twice the score
    (note,) = explain(graph, binding, images, [1], ["fullgrad"], **how)["statuses"]["fullgrad", ""][0][0].notes
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
