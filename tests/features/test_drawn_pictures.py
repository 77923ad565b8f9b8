"""Pictures of nets whose best picture is known, and the optimiser against another one."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1 import FeatureOptions, FeatureUnit, GradCamGraph, GradientError, OptionError, load
from gradcam_tf1.features.adam import Adam
from gradcam_tf1.features.bound_units import bind_units
from gradcam_tf1.features.drawn_pictures import draw_pictures
from gradcam_tf1.features.feature_unit import as_units
from gradcam_tf1.features.unit_net import UnitNet
from gradcam_tf1.tf_runtime import tf

PLAIN = {"decay": 1, "prior": 0, "alone": False}  # the whole value, and nothing that draws the picture back
STILL = {**PLAIN, "jitter": 0, "angle": 0, "zoom": 0}  # no views: the picture itself is climbed
SIDE = 12


def opened(graph, **options):
    given = {"input": "input", "logits": "logits", "layer": "features", "preset": "inception", **options}
    return GradCamGraph(load(graph.as_graph_def()), **given)


def drawn(net, units, values=(0, 255), **options):
    chosen = FeatureOptions(values=values, **options)
    unit_net = UnitNet(net, values)
    known = bind_units(as_units(units), unit_net.explainer, unit_net.fed)
    steps = []
    found = draw_pictures(unit_net, known, chosen, lambda: steps.append(1))
    assert len(steps) == chosen.steps
    return found


ONLY = 1  # the class of a net with one logit: class 0 is its negative


def linear(graph, towards):
    """logits_c = w_c . x, with the image itself as features."""
    shape = towards.shape[1:]
    x = tf.placeholder(tf.float32, [None, *shape], name="input")
    a = tf.nn.conv2d(x, np.eye(shape[-1], dtype="f4")[None, None], [1, 1, 1, 1], "SAME", name="features")
    flat = tf.reshape(a, [-1, int(np.prod(shape))])
    tf.matmul(flat, towards.reshape(len(towards), -1).T.astype("f4"), name="logits")
    return graph


def smooth(count=2, channels=3, seed=0):
    """Random directions with blobs of some pixels."""
    coarse = np.random.RandomState(seed).normal(size=(count, SIDE // 3, SIDE // 3, channels))
    return coarse.repeat(3, axis=1).repeat(3, axis=2)


@pytest.mark.parametrize("negative", [False, True])
def test_the_picture_of_a_linear_net_has_the_signs_of_its_weights(graph, negative):
    """The best pixel of w . x is white where w > 0 and black where w < 0."""
    towards = smooth()
    with opened(linear(graph, towards)) as net:
        units = [FeatureUnit(n, negative=negative) for n in range(2)]
        found = drawn(net, units, steps=300, rate=0.05, **{**STILL, "decay": 0.5})
    for n, picture in enumerate(found):
        signs = np.sign(picture.pixels - 127.5) * (-1 if negative else 1)
        # some pixels saturate on the wrong side while all frequencies move at once; chance is 0.5
        assert (signs == np.sign(towards[n])).mean() > 0.8
        best = np.abs(towards[n]).sum()
        value = -picture.reached if negative else picture.reached
        assert 0.65 * best < value <= best
        assert picture.reached == pytest.approx(((picture.pixels / 127.5 - 1) * towards[n]).sum(), rel=1e-4)


def template_net(graph, templates):
    """logits_c = -|x - t_c|^2."""
    x = tf.placeholder(tf.float32, [None, *templates.shape[1:]], name="input")
    a = -tf.square(x[..., None] - np.moveaxis(templates, 0, -1).astype("f4"))
    tf.reduce_sum(tf.reduce_sum(a, 3, name="features"), [1, 2], name="logits")
    return graph


def test_the_picture_of_a_template_net_is_the_template(graph):
    templates = np.tanh(smooth(3)) * 0.8
    with opened(template_net(graph, templates)) as net:
        found = drawn(net, [0, 1, 2], steps=400, rate=0.05, **{**STILL, "decay": 0.5})
    for template, picture in zip(templates, found):
        off = np.abs(picture.pixels / 127.5 - 1 - template)
        assert off.mean() < 0.15, "of a range of 2"
        assert picture.start < -50
        assert picture.reached > -12


@pytest.mark.parametrize("preset", ["caffe", "zero-one"])
def test_the_picture_is_rgb_whatever_the_net_takes(graph, preset):
    """Only the net's first channel counts: blue for caffe, red for the other."""
    towards = np.zeros((1, SIDE, SIDE, 3))
    towards[..., 0] = 1
    with opened(linear(graph, towards), preset=preset) as net:
        picture = drawn(net, [ONLY], steps=300, rate=0.03, **STILL)[0].pixels
    wanted = 2 if preset == "caffe" else 0
    assert picture[..., wanted].mean() > 200
    assert picture.mean(axis=(0, 1)).argmax() == wanted


@pytest.mark.parametrize(("channels", "preset"), [(1, "gray-inception"), (5, "inception")])
def test_gray_and_bands(graph, channels, preset):
    towards = smooth(1, channels)
    with opened(linear(graph, towards), preset=preset) as net:
        found = drawn(net, [ONLY], steps=300, rate=0.02, **{**STILL, "decay": 0.5})[0]
    shown = found.pixels if channels == 5 else found.pixels[..., :1]
    assert found.pixels.shape == (SIDE, SIDE, 5 if channels == 5 else 3)
    assert (np.ptp(found.pixels, axis=2) == 0).all() == (channels == 1)
    assert (np.sign(shown - 127.5) == np.sign(towards[0]))[np.abs(towards[0]) > 0.3].mean() > 0.8


def test_values_of_another_range(graph):
    with opened(linear(graph, smooth(1)), preset="raw") as net:
        found = drawn(net, [ONLY], values=(-2, 5), steps=300, rate=0.03, **STILL)[0].pixels
    assert -2 <= found.min() < -1.5
    assert 4.5 < found.max() <= 5


def test_channels_first_makes_the_same_picture():
    pictures = []
    for first in (False, True):
        with tf.Graph().as_default() as graph:
            shape = [None, 3, SIDE, SIDE] if first else [None, SIDE, SIDE, 3]
            x = tf.placeholder(tf.float32, shape, name="input")
            x = tf.transpose(x, [0, 2, 3, 1]) if first else x
            kernel = np.random.RandomState(1).normal(size=(3, 3, 3, 4)).astype("f4")
            a = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), name="features")
            tf.reduce_mean(a, [1, 2], name="logits")
        with opened(graph) as net:
            pictures.append(drawn(net, [FeatureUnit(channel=2)], steps=30)[0].pixels)
    np.testing.assert_allclose(*pictures, atol=2)


def convolutional(graph, size=(None, None)):
    x = tf.placeholder(tf.float32, [None, *size, 3], name="input")
    kernel = np.random.RandomState(1).normal(size=(3, 3, 3, 4)).astype("f4")
    a = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 2, 2, 1], "SAME"), name="features")
    tf.reduce_mean(a, [1, 2], name="logits")
    return graph


@pytest.mark.parametrize(("size", "expected"), [((20, 31), (20, 31)), (None, (224, 224))])
def test_nets_of_any_size(graph, size, expected):
    with opened(convolutional(graph), size=size) as net:
        assert drawn(net, [FeatureUnit(channel=1)], steps=2)[0].pixels.shape == (*expected, 3)


def test_a_picture_depends_on_its_seed_and_on_no_other_unit(graph):
    with opened(convolutional(graph, (16, 16)), batch_size=2) as net:
        units = [FeatureUnit(channel=k) for k in range(3)]
        alone = drawn(net, units[1], steps=25)[0]
        among = drawn(net, units, steps=25)[1]
        other = drawn(net, units[1], steps=25, seed=1)[0]
    np.testing.assert_allclose(alone.pixels, among.pixels, atol=1)
    assert alone.reached == pytest.approx(among.reached, rel=1e-3)
    assert np.abs(alone.pixels - other.pixels).max() > 20


def test_views_make_a_picture_that_survives_them(graph):
    """A net that sees one pixel: without views one spot is white, with views its surroundings are too."""
    towards = np.zeros((1, SIDE, SIDE, 3))
    towards[:, 6, 6] = 1
    with opened(linear(graph, towards)) as net:
        moving = {**STILL, "angle": 10, "zoom": 0.1, "jitter": 2}
        still, moved = (
            drawn(net, [ONLY], steps=150, rate=0.05, **{**how, "decay": 0})[0].pixels for how in (STILL, moving)
        )
    assert still[6, 6].min() > 200
    assert moved[5:8, 5:8].mean() > still[5:8, 5:8].mean() + 20


def test_what_no_gradient_holds_fades(graph):
    """Only the first of five bands counts: the others keep the noise of the start, or lose it to the prior."""
    towards = np.zeros((1, SIDE, SIDE, 5))
    towards[..., 0] = 1
    with opened(linear(graph, towards)) as net:
        kept, faded = (
            drawn(net, [ONLY], steps=60, rate=0.1, **{**STILL, "prior": prior})[0].pixels for prior in (0, 1)
        )
    assert kept[..., 0].mean() > 200
    assert faded[..., 0].mean() > 132
    assert np.ptp(kept[..., 1:]) > 4
    assert faded[..., 1:].std() < 0.7 * kept[..., 1:].std(), "but for rounding, which both have"


def pooled(graph, hidden):
    """Two blobs' worth of features, global average pooling, and a dense head, with a hidden layer or without."""
    random = np.random.RandomState(4)
    x = tf.placeholder(tf.float32, [None, 16, 16, 3], name="input")
    a = tf.nn.relu(
        tf.nn.conv2d(x, random.normal(size=(3, 3, 3, 6)).astype("f4"), [1, 2, 2, 1], "SAME"), name="features"
    )
    found = tf.reduce_mean(a, [1, 2])
    if hidden:
        found = tf.nn.sigmoid(tf.matmul(found, random.normal(size=(6, 6)).astype("f4")))
    weights = random.normal(size=(6, 2)).astype("f4")
    tf.matmul(found, weights, name="logits")
    return weights


def test_a_class_alone_is_its_evidence_in_the_middle(graph):
    """It equals the direction of the class's weights at that position, which the layer's twin knows."""
    weights = pooled(graph, hidden=False)
    with opened(graph) as net:
        unit_net = UnitNet(net, (0, 255))
        units = [0, 1, *(FeatureUnit(direction=weights[:, n], position=(4, 4)) for n in range(2))]
        known = bind_units(as_units(units), unit_net.explainer, unit_net.fed)
        images = np.random.RandomState(0).normal(size=(2, 16, 16, 3)).astype("f4")
        alone = unit_net.climb(unit_net.alone(known[:2], images).classes, images)
        for found, expected in zip(alone, unit_net.climb(known[2:], images)):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        assert not alone[1][:, :7].any(), "outside the field of the position"
        assert alone[1][:, 8].any()


def test_a_class_alone_follows_the_weights_that_a_picture_has(graph):
    """With a hidden layer: dy/dA of the picture, by differences of the net itself."""
    pooled(graph, hidden=True)
    images = np.random.RandomState(0).normal(size=(2, 16, 16, 3)).astype("f4")
    with opened(graph) as net:
        unit_net = UnitNet(net, (0, 255))
        known = bind_units(as_units([0, 1]), unit_net.explainer, unit_net.fed)
        alone = unit_net.alone(known, images)
        values, directions = (unit_net.climb(each, images)[0] for each in alone)
        np.testing.assert_allclose(directions, values, rtol=1e-4)
        for n, image in enumerate(images):
            features = net.sess.run("features:0", {"input:0": image[np.newaxis]})
            slopes = []
            for channel in range(6):
                step = np.zeros_like(features)
                step[..., channel] = 1e-2
                up, down = (net.sess.run("logits:0", {"features:0": features + s})[0, n] for s in (step, -step))
                slopes.append((up - down) / 2e-2)
            assert values[n] == pytest.approx(np.dot(slopes, features[0, 4, 4]), rel=1e-2)


def test_a_class_that_is_no_mean_over_positions_is_drawn_everywhere(graph):
    with opened(linear(graph, smooth())) as net:
        unit_net = UnitNet(net, (0, 255))
        known = bind_units(as_units([0, 1]), unit_net.explainer, unit_net.fed)
        assert unit_net.alone(known, np.zeros((2, SIDE, SIDE, 3), np.float32)) is None


def test_a_unit_that_is_switched_off_at_the_start_is_reached(graph):
    """ReLU(x - 0.5): gray gives 0, and so does its gradient."""
    x = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
    a = tf.nn.relu(tf.identity(x - 0.5), name="features")
    tf.reduce_mean(a, [1, 2], name="logits")
    with opened(graph) as net:
        found = drawn(net, [FeatureUnit(channel=0)], steps=150, rate=0.1)[0]
    assert (found.start, found.note) == (0, "")
    assert found.reached > 0


def test_a_unit_that_no_pixel_reaches_says_so(graph):
    x = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
    a = tf.concat([x, tf.minimum(tf.abs(x[..., :1]), 0.0)], 3, name="features")
    tf.reduce_mean(a, [1, 2], name="logits")
    with opened(graph) as net:
        found = drawn(net, [FeatureUnit(channel=3), FeatureUnit(channel=0)], steps=5)
    assert found[0].note == "no pixel changes the value: its gradient was zero in every step"
    assert found[1].note == ""


def test_a_net_without_gradients_is_refused(graph):
    x = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
    a = tf.identity(tf.cast(tf.cast(x, tf.int32), tf.float32), name="features")
    tf.reduce_mean(a, [1, 2], name="logits")
    with opened(graph) as net, pytest.raises(GradientError, match=r"stops at 'Cast_1' \(Cast\), which has none"):
        drawn(net, [FeatureUnit(channel=0)], steps=1)


def test_adam_steps_as_that_of_tensorflow(graph):
    start = np.random.RandomState(0).normal(size=(1, 6)).astype("f4")
    weights = np.array([1e-3, 1, 50, 3, 0.2, 7], "f4")
    z = tf.Variable(start)
    update = tf.train.AdamOptimizer(0.1, epsilon=1e-12).minimize(tf.reduce_sum(weights * tf.square(z - 1)))
    own, adam = start.copy(), Adam(0.1)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(30):
            sess.run(update)
            own += adam.step(-2 * weights * (own - 1))
        np.testing.assert_allclose(own, sess.run(z), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": -1}, "steps is a whole number from 0, not -1"),
        ({"steps": 1.5}, "steps is a whole number"),
        ({"top": 101}, "top is a whole number from 1 to 100, not 101"),
        ({"n_images": 0}, "n_images is a whole number from 1, not 0"),
        ({"seed": -1}, "seed is a whole number from 0 to"),
        ({"rate": 0}, "rate is a number above 0 to 10, not 0"),
        ({"angle": 181}, "angle is a number from 0 to 180, not 181"),
        ({"zoom": "much"}, "zoom is a number from 0 to 0.9, not 'much'"),
        ({"decay": float("nan")}, "decay is a number"),
        ({"prior": -1}, "prior is a number from 0 to 100, not -1"),
        ({"clearing": 101}, "clearing is a number from 0 to 100, not 101"),
        ({"alone": 1}, "alone is True or False, not 1"),
        ({"values": (3, 3)}, r"values are the lowest and the highest pixel value, such as \(0, 255\)"),
        ({"values": 255}, "values are the lowest"),
        ({"progress": 1}, "progress is a function of a name and a number, not 1"),
    ],
)
def test_options_that_are_not_possible(fields, message):
    with pytest.raises(OptionError, match=message):
        FeatureOptions(**fields)
