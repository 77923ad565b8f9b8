"""Nets that take file bytes and serialized examples are bound at their decoded images.

The oracle is the net itself: fed the bytes of an image, or what was bound fed its pixels, it gives the same scores.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from binding_graphs import classifier, conv_relu, dense, pooled, two_layers
from PIL import Image

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.errors import FeedError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

PIXELS = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.uint8)


def png():
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG")
    return stream.getvalue()


def example(**features):
    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=value))

    parts = {name: feature(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=parts)).SerializeToString()


def spec(**more):
    return {"image": tf.FixedLenFeature([], tf.string), **more}


def text(*shape):
    return tf.placeholder(tf.string, list(shape), name="given")


def scaled(image):
    return tf.image.resize_images(tf.cast(image, tf.float32), [16, 16])


def one_example():
    """A single example is decoded, resized and scaled in the graph."""
    image = tf.image.decode_png(tf.parse_single_example(text(), spec())["image"], channels=3)
    classifier(tf.expand_dims(scaled(image) / 127.5 - 1.0, 0))
    return example(image=png()), PIXELS


def examples_in_a_loop():
    parsed = tf.parse_example(text(None), spec())["image"]
    images = tf.map_fn(lambda data: scaled(tf.image.decode_png(data, channels=3)), parsed, dtype=tf.float32)
    classifier(images / 255.0)
    return [example(image=png())], PIXELS[None]


def examples_parsed_in_a_loop():
    def one(serialized):
        pixels = tf.decode_raw(tf.parse_single_example(serialized, spec())["image"], tf.uint8)
        return tf.cast(tf.reshape(pixels, [16, 16, 3]), tf.float32)

    classifier(tf.map_fn(one, text(None), dtype=tf.float32) - 100.0)
    return [example(image=PIXELS.tobytes())], PIXELS[None]


def raw_bytes():
    pixels = tf.decode_raw(tf.parse_example(text(None), spec())["image"], tf.uint8)
    classifier(tf.cast(tf.reshape(pixels, [-1, 16, 16, 3]), tf.float32) / 255.0)
    return [example(image=PIXELS.tobytes())], PIXELS[None]


def numbers_of_an_example():
    parsed = tf.parse_example(text(None), {"image": tf.FixedLenFeature([16 * 16 * 3], tf.float32)})
    classifier(tf.reshape(parsed["image"], [-1, 16, 16, 3]) / 255.0)
    return [example(image=PIXELS.reshape(-1).astype(float))], PIXELS[None]


def base64_text():
    data = tf.decode_base64(text(None))
    classifier(tf.map_fn(lambda one: scaled(tf.image.decode_png(one, channels=3)), data, dtype=tf.float32))
    return [base64.urlsafe_b64encode(png()).rstrip(b"=")], PIXELS[None]


def any_format():
    """decode_image has, on TensorFlow 1, a decoder in each branch of nested conditions, and no shape after them."""
    image = tf.cast(tf.image.decode_image(text(), channels=3), tf.float32)
    classifier(tf.reshape(image, [1, 16, 16, 3]) / 255.0)
    return png(), PIXELS[None]


def any_format_with_an_axis_added():
    image = tf.cast(tf.image.decode_image(text(), channels=3), tf.float32)
    classifier(tf.expand_dims(image, 0) - 100.0)
    return png(), PIXELS[None]


def reshaped_after_decoding():
    image = tf.cast(tf.image.decode_png(text(), channels=3), tf.float32) / 255.0
    classifier(tf.reshape(image, [1, 16, 16, 3]))
    return png(), PIXELS


BUILDERS = [
    one_example,
    examples_in_a_loop,
    examples_parsed_in_a_loop,
    raw_bytes,
    numbers_of_an_example,
    base64_text,
    any_format,
    any_format_with_an_axis_added,
    reshaped_after_decoding,
]


def imported(build):
    """Return the graph as loaded from a file, without the shapes known to Python, what it is fed, and the pixels."""
    with tf.Graph().as_default() as graph:
        given, pixels = build()
    again = tf.Graph()
    with again.as_default():
        tf.import_graph_def(graph.as_graph_def(), name="")
    return again, given, pixels


@pytest.mark.parametrize("build", BUILDERS)
def test_pixels_give_the_scores_that_the_bytes_give(build):
    graph, given, pixels = imported(build)
    binding = bind(graph, declared_inputs=("given:0",))
    assert (binding.feeds, binding.warnings[:1]) == ({}, binding.warnings[:1])
    assert not any("changes values" in warning for warning in binding.warnings)
    assert "'given:0'" in binding.reasons["input"]
    assert binding.has_batch_axis == (pixels.ndim == 4)
    with tf.Session(graph=graph) as sess:
        wanted = sess.run(binding.logits, {"given:0": given})
        np.testing.assert_allclose(sess.run(binding.logits, {binding.input: pixels}), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "size"),
    [(raw_bytes, (16, 16)), (reshaped_after_decoding, (16, 16)), (any_format, (16, 16)), (one_example, (None, None))],
)
def test_a_known_size_is_kept(build, size):
    """If the graph resizes, images of any size can be fed."""
    assert bind(imported(build)[0]).image_size == size


def test_values_that_a_loop_changes_are_said(graph):
    def unit(data):
        return tf.image.convert_image_dtype(tf.image.decode_png(data, channels=3), tf.float32)

    classifier(tf.reshape(tf.map_fn(unit, text(None), dtype=tf.float32), [-1, 16, 16, 3]))
    (warning,) = [each for each in bind(graph).warnings if "changes values" in each]
    assert "map/while" in warning


def test_a_convolution_is_never_taken_for_a_decoder():
    """Its three channels look like an image; its input has no shape."""

    def build():
        def one(data):
            return tf.cast(tf.image.decode_image(data, channels=3), tf.float32)

        images = tf.map_fn(one, text(None), dtype=tf.float32)
        classifier(conv_relu(tf.identity(images, name="images"), 3, name="first"))
        return [png()], PIXELS[None]

    graph, given, pixels = imported(build)
    binding = bind(graph)
    with tf.Session(graph=graph) as sess:
        wanted = sess.run(binding.logits, {"given:0": given})
        np.testing.assert_allclose(sess.run(binding.logits, {binding.input: pixels}), wanted, rtol=1e-5)
        assert not binding.input.startswith("first/")


def test_numbers_beside_the_image_in_an_example_are_asked_for(graph):
    parsed = tf.parse_example(text(None), spec(age=tf.FixedLenFeature([2], tf.float32)))
    images = tf.map_fn(lambda data: scaled(tf.image.decode_png(data, channels=3)), parsed["image"], dtype=tf.float32)
    dense(tf.concat([pooled(two_layers(images)), parsed["age"]], 1), 5, 10, "logits")
    with pytest.raises(FeedError, match=r"need values for '(ParseExample/ParseExample(V2)?:0)' \(float32") as caught:
        bind(graph)
    name = str(caught.value).split("'")[3]
    binding = bind(graph, requested=KeyTensors(feed={name: [0.5, -2]}))
    serialized = [example(image=png(), age=[0.5, -2])]
    with tf.Session(graph=graph) as sess:
        wanted = sess.run(binding.logits, {"given:0": serialized})
        found = sess.run(binding.logits, {binding.input: PIXELS[None], **binding.feeds})
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_saved_model_of_an_estimator_explains_images(tmp_path):
    folder = str(tmp_path / "export")
    with tf.Graph().as_default(), tf.Session() as sess:
        given, _ = examples_in_a_loop()
        examples, logits = (sess.graph.get_tensor_by_name(name) for name in ("given:0", "dense/BiasAdd:0"))
        wanted = sess.run(logits, {examples: given})
        tf.saved_model.simple_save(sess, folder, {"examples": examples}, {"logits": logits})
    with GradCamGraph(folder) as net:
        found = net.explain([PIXELS], [0, 1, 2, 3, 4])
        assert net.binding.preprocessing == "raw"
    np.testing.assert_allclose(found.scores, wanted, rtol=1e-5)
