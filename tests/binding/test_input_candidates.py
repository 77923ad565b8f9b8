"""The image input."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import classifier, conv_relu, dense, images, pooled, two_layers, weights

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def test_one_placeholder_is_the_input(graph):
    classifier(images())
    binding = bind(graph)
    assert (binding.input, binding.image_size, binding.channels, binding.dtype) == ("input:0", (16, 16), 3, "float32")
    assert binding.input_channels_last
    assert binding.has_batch_axis
    assert binding.batch_size is None
    assert "2 convolutions" in binding.reasons["input"]


def test_labels_masks_and_rates_are_not_mistaken_for_images(graph):
    labels = images(None, 5, name="y_true")
    images(None, 16, 16, 3, name="unused_images")
    prob = classifier(images())
    tf.reduce_mean(tf.squared_difference(prob, labels))
    binding = bind(graph)
    assert binding.input == "input:0"
    assert binding.feeds == {}


def test_unknown_shape_is_read_off_the_first_kernel(graph):
    x = tf.placeholder(tf.float32, name="anything")
    tf.nn.softmax(dense(pooled(two_layers(x, inputs=1)), 5, 8))
    binding = bind(graph)
    assert (binding.input, binding.channels, binding.image_size) == ("anything:0", 1, (None, None))
    assert binding.has_batch_axis


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_first_is_seen_by_shape_and_by_data_format(graph, channels):
    x = images(None, channels, 20, 12)
    y = tf.nn.conv2d(x, weights(3, 3, channels, 6), [1, 1, 1, 1], "SAME", data_format="NCHW", name="conv")
    y = tf.nn.relu(y, name="relu")
    dense(tf.reduce_mean(y, [2, 3]), 4, 6)
    binding = bind(graph)
    assert (binding.input_channels_last, binding.channels, binding.image_size) == (False, channels, (20, 12))
    assert (binding.layer, binding.layers[-1].channels_last) == ("relu:0", False)


def test_transposed_inside_is_channels_last_outside(graph):
    x = images(None, None, None, None)
    y = tf.transpose(x, [0, 3, 1, 2])
    y = tf.nn.relu(tf.nn.conv2d(y, weights(3, 3, 3, 6), [1, 1, 1, 1], "SAME", data_format="NCHW"), name="relu")
    dense(tf.reduce_mean(y, [2, 3]), 4, 6)
    binding = bind(graph)
    assert binding.input_channels_last
    assert not binding.layers[-1].channels_last
    back = tf.Graph()
    with back.as_default():
        y = tf.nn.relu(tf.transpose(conv_relu(images(None, 16, 16, 3), 6), [0, 3, 1, 2]), name="turned")
        dense(tf.reduce_mean(y, [2, 3]), 4, 6)
    assert bind(back).layers[-1].channels_last


def test_the_shape_is_believed_before_a_far_convolution(graph):
    x = images(None, 3, 16, 16)
    classifier(tf.stack(tf.unstack(x, axis=1), axis=-1))
    binding = bind(graph)
    assert (binding.input_channels_last, binding.channels, binding.image_size) == (False, 3, (16, 16))


def test_uint8_images_resized_in_the_graph(graph):
    x = images(1, None, None, 3, dtype=tf.uint8)
    small = tf.image.resize_bilinear(tf.cast(x, tf.float32), [16, 16])
    classifier(small / 127.5 - 1.0)
    binding = bind(graph)
    assert (binding.input, binding.dtype, binding.image_size) == ("input:0", "uint8", (None, None))
    assert (binding.batch_size, binding.preprocessing) == (1, "raw")


def test_one_image_without_batch_axis(graph):
    x = images(None, None, 3, name="image")
    classifier(tf.expand_dims(x, 0))
    binding = bind(graph)
    assert (binding.input, binding.has_batch_axis, binding.batch_size) == ("image:0", False, 1)


def test_flat_rows_are_bound_where_they_have_become_images(graph):
    x = images(None, 784, name="x")
    classifier(tf.reshape(x, [-1, 28, 28, 1], name="image"), inputs=1)
    binding = bind(graph)
    assert (binding.input, binding.image_size, binding.channels) == ("image:0", (28, 28), 1)
    assert "'x:0'" in binding.reasons["input"]
    with tf.Session() as sess:  # what was bound can be fed, and nothing else has to be
        scores = sess.run(binding.logits, {binding.input: np.ones([2, 28, 28, 1])})
    assert scores.shape == (2, 5)


def test_values_skipped_by_feeding_later_are_said(graph):
    x = images(None, 784, name="x")
    classifier(tf.reshape(tf.multiply(x, 1 / 255.0, name="scaled"), [-1, 28, 28, 1], name="image"), inputs=1)
    binding = bind(graph)
    assert binding.input == "image:0"
    assert any("'scaled'" in warning for warning in binding.warnings)


def test_rank_three_gray_gets_its_channel_first(graph):
    x = images(None, 28, 28, name="gray")
    classifier(tf.expand_dims(x, -1, name="image"), inputs=1)
    assert bind(graph).input == "image:0"


def test_file_bytes_are_bound_where_they_are_decoded(graph):
    content = tf.placeholder(tf.string, name="DecodeJpeg/contents")
    x = tf.image.decode_jpeg(content, channels=3, name="DecodeJpeg")
    x = tf.image.resize_bilinear(tf.expand_dims(tf.cast(x, tf.float32), 0), [16, 16])
    classifier((x - 128.0) * 0.0078125)
    binding = bind(graph)
    assert (binding.input, binding.dtype, binding.has_batch_axis) == ("DecodeJpeg:0", "uint8", False)
    assert binding.preprocessing == "raw"
    assert binding.feeds == {}


def test_decoding_in_a_loop_is_bound_behind_the_loop(graph):
    content = tf.placeholder(tf.string, [None], name="image_bytes")

    def decode(item):
        return tf.image.resize_images(tf.image.decode_jpeg(item, channels=3), [16, 16])

    classifier(tf.map_fn(decode, content, dtype=tf.float32))
    binding = bind(graph)
    assert graph.get_tensor_by_name(binding.input).op.type.startswith(("TensorArrayGather", "TensorListStack"))
    assert binding.dtype == "float32"


def test_placeholder_with_an_iterator_as_default(graph):
    dataset = tf.data.Dataset.from_tensors((np.zeros([16, 16, 3], np.float32), 0)).batch(1)
    handle = tf.placeholder(tf.string, [], name="handle")
    iterator = tf.data.Iterator.from_string_handle(
        handle, tf.data.get_output_types(dataset), tf.data.get_output_shapes(dataset)
    )
    x, _ = iterator.get_next()
    classifier(tf.placeholder_with_default(x, [None, 16, 16, 3], name="img"))
    assert bind(graph).input == "img:0"


def test_end_of_an_input_pipeline_is_fed_itself(graph):
    queue = tf.FIFOQueue(4, [tf.float32, tf.int64], [[16, 16, 3], []])
    x, label = queue.dequeue_many(8)
    tf.losses.sparse_softmax_cross_entropy(label, tf.log(classifier(x)))
    binding = bind(graph)
    assert graph.get_tensor_by_name(binding.input).op.type == "QueueDequeueManyV2"
    assert binding.batch_size == 8
    assert binding.feeds == {}


def test_size_of_the_batch_is_no_image(graph):
    """FaceNet: the batch size of a queue has an unknown shape and carries no image."""
    size = tf.placeholder(tf.int32, name="batch_size")
    x, _ = tf.FIFOQueue(4, [tf.float32, tf.int64], [[16, 16, 3], []]).dequeue_up_to(size)
    classifier(tf.placeholder_with_default(x, [None, 16, 16, 3], name="image_batch"))
    binding = bind(graph)
    assert (binding.input, binding.feeds, binding.batch_size) == ("image_batch:0", {}, None)


def test_of_two_towers_the_calm_one_is_bound(graph):
    with tf.name_scope("train"):
        x = images(None, 16, 16, 3, name="images")
        logits = dense(tf.nn.dropout(pooled(two_layers(x)), keep_prob=0.5), 5, 8)
        tf.losses.sparse_softmax_cross_entropy(tf.placeholder(tf.int64, [None]), logits)
    with tf.name_scope("eval"):
        dense(pooled(two_layers(images(None, 16, 16, 3, name="images"))), 5, 8)
    binding = bind(graph)
    assert (binding.input, binding.logits) == ("eval/images:0", "eval/dense/BiasAdd:0")


def test_the_source_with_most_convolutions_wins_and_the_rest_is_named(graph):
    x, y = images(name="left"), images(name="right")
    both = pooled(two_layers(x)) + pooled(conv_relu(y, 8, name="small"))
    tf.nn.softmax(dense(both, 5, 8))
    with pytest.raises(BindingError, match=r"'right:0' \(float32, shape \(\?, 16, 16, 3\)|\(None, 16, 16, 3\)"):
        bind(graph)
    binding = bind(graph, requested=KeyTensors(feed={"right": np.zeros([1, 16, 16, 3])}))
    assert binding.input == "left:0"
    assert "right:0" in binding.reasons["input"]


def test_declared_input_goes_first(graph):
    x, y = images(name="left"), images(name="right")
    tf.nn.softmax(dense(pooled(two_layers(x)) + pooled(conv_relu(y, 8, name="small")), 5, 8))
    feed = {"left": np.zeros([1, 16, 16, 3])}
    binding = bind(graph, declared_inputs=("right:0",), requested=KeyTensors(feed=feed))
    assert binding.input == "right:0"
    assert "declares" in binding.reasons["input"]


def test_requested_input_goes_before_everything(graph):
    classifier(tf.identity(images(), name="inner"))
    assert bind(graph, requested=KeyTensors(input="inner")).input == "inner:0"


# sizes known from the head only


def strided(x, padding, stride, inputs):
    return tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, inputs, 8), [1, stride, stride, 1], padding))


@pytest.mark.parametrize("side", [224, 97])
def test_size_from_the_rows_of_the_dense_layer(graph, side):
    """The net runs at the size found: the rows of its dense layer fit."""

    def body(x):
        x = strided(tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]), "VALID", 2, 3)
        x = strided(tf.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "VALID"), "SAME", 2, 8)
        return tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")

    with tf.Graph().as_default():
        rows = int(np.prod(body(images(1, side, side, 3)).shape.as_list()))
    flat = tf.reshape(body(tf.placeholder(tf.float32, name="anything")), [-1, rows])
    tf.nn.softmax(dense(tf.nn.relu(dense(flat, 6, rows, name="fc1")), 5, 6))
    binding = bind(graph)
    height, width = binding.image_size
    assert height == width
    assert abs(height - side) < 16  # flooring lets several sizes fit
    assert side != 224 or height == 224
    assert f"{height}x{width} follows from the dense layer 'fc1/MatMul'" in binding.reasons["input"]
    with tf.Session() as sess:
        assert sess.run(binding.logits, {binding.input: np.zeros([2, height, width, 3])}).shape == (2, 5)


def test_size_stays_free_where_the_head_pools(graph):
    classifier(images(None, None, None, 3))
    assert bind(graph).image_size == (None, None)


def test_size_stays_open_behind_an_op_that_is_not_understood(graph):
    x = tf.depth_to_space(conv_relu(images(None, None, None, 3), 8), 2)
    dense(tf.reshape(x, [-1, 512]), 5, 512)
    assert bind(graph).image_size == (None, None)


# errors


def test_no_images_at_all(graph):
    tf.nn.softmax(dense(images(None, 8, name="rows"), 3, 8))
    with pytest.raises(BindingError, match="no image input found.*'rows:0' float32"):
        bind(graph)


def test_requested_input_of_strings(graph):
    x = tf.image.decode_jpeg(tf.placeholder(tf.string, name="bytes"), channels=3, name="decoded")
    classifier(tf.expand_dims(tf.cast(x, tf.float32), 0))
    with pytest.raises(BindingError, match="takes string, not images; name its decoded images, 'decoded:0'"):
        bind(graph, requested=KeyTensors(input="bytes:0"))


def test_requested_input_of_rows(graph):
    x = images(None, 784, name="x")
    classifier(tf.reshape(x, [-1, 28, 28, 1], name="image"), inputs=1)
    with pytest.raises(BindingError, match=r"images need \[N, H, W, C\].*name 'image:0'"):
        bind(graph, requested=KeyTensors(input="x"))


def test_requested_input_behind_the_logits(graph):
    classifier(images())
    with pytest.raises(BindingError, match="no image input leads to the logits 'conv1/BiasAdd:0'.*'conv2/Relu:0'"):
        bind(graph, requested=KeyTensors(input="conv2/Relu", logits="conv1/BiasAdd"))


def test_a_size_that_fits_the_dense_layer_is_the_users_to_choose(graph):
    """Of sides 9 and 10 a stride of 2 makes 5 cells; the smaller one is found first."""
    x = tf.placeholder(tf.float32, name="anything")
    tf.nn.softmax(dense(tf.reshape(strided(x, "SAME", 2, 3), [-1, 5 * 5 * 8]), 5, 200))
    assert bind(graph).image_size == (9, 9)
    assert bind(graph, size=(10, 9)).image_size == (10, 9)
    assert bind(graph, size=(12, 12)).image_size == (9, 9)
    definition = graph.as_graph_def()
    photo = np.random.RandomState(0).randint(0, 255, (10, 10, 3)).astype(np.uint8)
    with GradCamGraph(definition, size=10, preset="raw") as net:
        gradient = net.explain(photo, 1, "gradient")["gradient"][0, 0]
    x, scores = graph.get_tensor_by_name("anything:0"), graph.get_tensor_by_name("dense/BiasAdd:0")
    with tf.Session() as sess:
        slope = sess.run(tf.gradients(scores[:, 1], x)[0], {x: photo[np.newaxis]})
    np.testing.assert_allclose(gradient, slope[0], rtol=1e-4, atol=1e-7)
    with GradCamGraph(definition, size=12, preset="raw") as net, pytest.raises(OptionError, match="has height 9, not"):
        net.explain(photo, 1, "gradient")
