"""The gradient by the pixels is that of the bound input, whatever its shape says, or there is none."""

from __future__ import annotations

import numpy as np
import pytest
from flat_options import chosen

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.float_images import FloatImages, float_images
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.attention import AttentionMethod
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

RANDOM = np.random.RandomState(0)
KERNELS = [RANDOM.randn(3, 3, 3, 3).astype(np.float32) for _ in range(2)]
DENSE = RANDOM.randn(48, 3).astype(np.float32)
PHOTOS = np.random.RandomState(1).randint(0, 255, (2, 8, 8, 3)).astype(np.uint8)
# what a net of 3 -> 3 channels leaves to choose wrongly; CAM's condition does not hold here
NAMES = [
    name for name, row in METHODS.items() if name not in ("cam", "cameras") and not isinstance(row, AttentionMethod)
]
SOME = ["gradient", "guided_gradcam", "smoothgrad", "fullgrad", "integrated_gradients", "xrai"]


def net(shape, dtype=np.float32, start=lambda x: x / 255):
    """Images - start - conv 3 -> 3 - relu - conv of stride 2 - relu - dense: the issue's net."""
    graph = tf.Graph()
    with graph.as_default():
        a = start(tf.placeholder(dtype, shape, name="x"))
        for number, (kernel, stride) in enumerate(zip(KERNELS, (1, 2))):
            a = tf.nn.relu(tf.nn.conv2d(a, kernel, [1, stride, stride, 1], "SAME"), name=f"relu{number}")
        tf.matmul(tf.reshape(a, [-1, 48]), DENSE, name="logits")
    return graph.as_graph_def()


def maps(graph_def, methods=NAMES, input="x", photos=PHOTOS):
    options = {name: {"steps": 4} for name in ("integrated_gradients", "blur_ig", "guided_ig") if name in methods}
    given = {"logits": "logits", "layer": "relu1", "preset": "raw", "size": photos.shape[1:3]}
    with GradCamGraph(graph_def, input=input, **given) as opened:
        found = opened.explain(photos, targets=[1], methods=chosen(methods, options))
    return {name: found[name] for name in methods}


@pytest.fixture(scope="module")
def known():
    """The maps of the net whose input says what it takes."""
    return maps(net([None, 8, 8, 3]))


def assert_same(found, expected):
    for name, map in found.items():
        np.testing.assert_allclose(
            map, expected[name], rtol=1e-3, atol=1e-4 * np.abs(expected[name]).max(), err_msg=name
        )


def test_the_gradient_is_that_of_tensorflow_in_the_net_itself(known):
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as sess:
        tf.import_graph_def(net([None, 8, 8, 3]), name="")
        x, logits = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("logits:0")
        slope = sess.run(tf.gradients(logits[:, 1], x)[0], {x: PHOTOS})
    np.testing.assert_allclose(known["gradient"][:, 0], slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [None, [None] * 4], ids=["unknown rank", "unknown sides"])
def test_an_input_of_unknown_shape_gives_the_maps_of_one_that_is_known(known, shape):
    assert_same(maps(net(shape), NAMES if shape is None else SOME), known)


def test_an_input_that_the_net_turns_first(known):
    def channels_first(x):
        return tf.transpose(x, [0, 2, 3, 1]) / 255

    assert_same(maps(net([None, 3, 8, 8], start=channels_first), SOME), known)


@pytest.mark.parametrize("shape", [None, [None, 8, 8, 3]], ids=["unknown rank", "known"])
def test_floats_cast_from_integers_are_the_pixels(known, shape):
    assert_same(maps(net(shape, np.uint8, lambda x: tf.cast(x, tf.float32) / 255), SOME), known)


def test_a_loop_that_makes_the_images_may_be_the_input(known):
    """The result of map_fn has no static rank, and feeding it leaves the loop out."""

    def prepared(x):
        a = tf.identity(tf.map_fn(lambda one: one / 255, x), name="images")
        return tf.placeholder_with_default(a, None, name="fed")

    names = SOME[:-1]
    for start in ("images", "fed"):
        found = maps(net(None, start=prepared), names, input=start, photos=PHOTOS)
        straight = maps(net([None, 8, 8, 3], start=lambda x: x), names)
        assert_same(found, straight)


# chains of integers: (shape of x, ops, the float tensor, its layout)
CHAINS = {
    "cast": ([None, 8, 8, 3], lambda x: tf.cast(x, tf.float32, name="f"), (True, True)),
    "to int32 first": (
        [None, 8, 8, 3],
        lambda x: tf.cast(tf.cast(x, tf.int32) - 128, tf.float32, name="f"),
        (True, True),
    ),
    "sizes are read": (
        [None, None, None, 3],
        lambda x: tf.cast(x, tf.float32, name="f") * tf.cast(tf.shape(x)[1], tf.float32),
        (True, True),
    ),
    "batch of one": ([8, 8, 3], lambda x: tf.cast(tf.expand_dims(x, 0), tf.float32, name="f"), (True, True)),
    "reshaped": ([8, 8, 3], lambda x: tf.cast(tf.reshape(x, [1, 8, 8, 3]), tf.float32, name="f"), (True, True)),
    "no batch": ([8, 8, 3], lambda x: tf.expand_dims(tf.cast(x, tf.float32, name="f"), 0), (False, True)),
    "no batch any more": ([1, 8, 8, 3], lambda x: tf.cast(tf.squeeze(x, 0), tf.float32, name="f"), (False, True)),
    "channels to the front": (
        [None, 8, 8, 3],
        lambda x: tf.cast(tf.transpose(x, [0, 3, 1, 2]), tf.float32, name="f"),
        (True, False),
    ),
    "resized": (
        [None, 16, 16, 3],
        lambda x: tf.image.resize_nearest_neighbor(tf.cast(x, tf.int32), [8, 8]),
        (True, True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_integers_are_followed_to_their_floats(name):
    shape, chain, layout = CHAINS[name]
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.uint8, shape, name="x")
        floats = tf.cast(chain(x), tf.float32, name="end")
        tf.identity(floats, name="logits")
        tf.cast(x, tf.float64, name="unused")  # leads nowhere
    found = float_images(graph, Binding("x:0", "logits:0", "z:0", has_batch_axis=len(shape) == 4))
    names = {each.name for each in graph.get_operations()}
    assert found == FloatImages(graph.get_tensor_by_name("f:0" if "f" in names else "end:0"), *layout)


# what is no longer the image pixel by pixel: (ops, what is said)
BROKEN = {
    "cropped": (lambda x: tf.cast(x[:, 2:, 2:], tf.float32, name="f"), r"StridedSlice.*Bind 'f:0' as the input"),
    "turned to BGR": (lambda x: tf.cast(x[..., ::-1], tf.float32, name="f"), r"StridedSlice.*Bind 'f:0' as the input"),
    "split by colour": (
        lambda x: tf.concat([tf.cast(part, tf.float32) for part in tf.split(x, 3, 3)], 3, name="f"),
        r"\(Split\).*Bind 'f:0' as the input",
    ),
    "two ways": (
        lambda x: tf.cast(x, tf.float32) + tf.sqrt(tf.cast(x, tf.float32)),
        r"'Cast' \(Cast\) and 'Cast_1' \(Cast\) first",
    ),
    "a loop": (lambda x: tf.map_fn(lambda one: tf.cast(one, tf.float32), x, dtype=tf.float32), "a loop at"),
    "never floats": (lambda x: x, "no op on a path to 'logits:0' follows it"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_other_integers_are_refused_with_what_may_be_bound(name):
    chain, message = BROKEN[name]
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.uint8, [None, 8, 8, 3], name="x")
        found = chain(x)
        tf.identity(found if name != "never floats" else tf.zeros([1, 3]), name="logits")
    with pytest.raises(GradientError, match=message):
        float_images(graph, Binding("x:0", "logits:0", "z:0", dtype="uint8"))


def test_what_the_refusal_names_works_when_it_is_bound():
    def cropped(x):
        return tf.cast(tf.pad(x[:, :8, :8], [[0, 0]] * 4), tf.float32, name="floats") / 255

    with pytest.raises(GradientError, match="Bind 'floats:0' as the input"):
        maps(net([None, 10, 10, 3], np.uint8, cropped), ["gradient"], photos=np.zeros((1, 10, 10, 3)))
    found = maps(net([None, 10, 10, 3], np.uint8, lambda x: tf.ensure_shape(cropped(x), [None, 8, 8, 3])), ["gradient"],
                 input="floats")  # fmt: skip
    assert_same(found, maps(net([None, 8, 8, 3]), ["gradient"]))


def test_the_layout_of_a_bias_is_that_of_its_layer_not_of_its_sides():
    """A map of height 3 and 5 channels looks like [N, C, H, W] of images, and the constant comes first in the sum."""
    random = np.random.RandomState(4)
    kernel, bias, dense = (random.randn(*s).astype(np.float32) for s in ((1, 1, 3, 5), (5,), (5, 2)))
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 3, 6, 3], name="x")
        a = tf.nn.relu(tf.add(bias, tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME")), name="relu1")
        tf.matmul(tf.reduce_sum(a, [1, 2]), dense, name="logits")
    photos = random.randint(0, 255, (1, 3, 6, 3)).astype(np.uint8)
    found = maps(graph.as_graph_def(), ["fullgrad"], photos=photos)["fullgrad"][0, 0]

    active = (photos[0].astype(float) @ kernel[0, 0].astype(float) + bias) > 0
    slope = active * dense[:, 1].astype(float)
    parts = [photos[0] * (slope @ kernel[0, 0].astype(float).T), bias * slope]
    sizes = [np.abs(part) for part in parts]
    expected = sum(((s - s.min()) / (s.max() - s.min())).sum(axis=2) for s in sizes)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
