"""Small nets with the tensor names and the ends of well-known ones, for the page of recipes."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict

import numpy as np

from gradcam_tf1.tf_runtime import tf


def kernel(*shape: int) -> Any:
    fan_in = int(np.prod(shape[:-1]))
    return tf.constant((np.random.RandomState(fan_in).randn(*shape) / np.sqrt(fan_in)).astype(np.float32))


def conv(x: Any, channels: int, stride: int = 2, size: int = 3) -> Any:
    return tf.nn.conv2d(x, kernel(size, size, int(x.shape[-1]), channels), [1, stride, stride, 1], "SAME")


def features(x: Any, name: str) -> Any:
    """Return the layer of this name after two convolutions: the kind of op that its last part says."""
    x = conv(tf.nn.relu(conv(x, 6)), 8)
    kind = name.split("/")[-1]
    if kind in ("concat", "join"):
        return tf.concat([tf.nn.relu(x), tf.nn.relu(conv(x, 4, 1))], 3, name=name)
    if kind == "add":
        return tf.add(tf.nn.relu(x), tf.nn.relu(conv(x, 8, 1)), name=name)
    return {"Relu": tf.nn.relu, "Relu6": tf.nn.relu6}[kind](x, name=name)


def scores(x: Any, name: str, classes: int = 5) -> Any:
    """Return the class scores of this name, made by the kind of head that its last part says."""
    kind = name.split("/")[-1]
    if "Squeeze" in kind:
        pooled = tf.reduce_mean(x, [1, 2], keepdims=True)
        return tf.squeeze(tf.nn.bias_add(conv(pooled, classes, 1, 1), tf.zeros([classes])), [1, 2], name=name)
    dense = tf.reduce_mean(x, [1, 2])
    weights = kernel(int(dense.shape[-1]), classes)
    if kind == "MatMul":
        return tf.matmul(dense, weights, name=name)
    add = {"BiasAdd": tf.nn.bias_add, "add": tf.add}[kind]
    return add(tf.matmul(dense, weights), tf.zeros([classes]), name=name)


def classifier(input: str, logits: str, layer: str) -> None:
    """Build a classifier with these tensor names; its images have 64 pixels a side."""
    images = tf.placeholder(tf.float32, [None, 64, 64, 3], name=input.split(":")[0])
    tf.nn.softmax(scores(features(images, layer.split(":")[0]), logits.split(":")[0]))


def inception_2015() -> None:
    """Build the ends of classify_image_graph_def.pb, retrained: encoded images in, the bottleneck in the middle."""
    image = tf.image.decode_jpeg(
        tf.placeholder(tf.string, [], name="DecodeJpeg/contents"), channels=3, name="DecodeJpeg"
    )
    batch = tf.expand_dims(tf.cast(image, tf.float32, name="Cast"), 0, name="ExpandDims")
    resized = tf.image.resize_bilinear(batch, [75, 75], name="ResizeBilinear")
    x = features(tf.multiply(tf.subtract(resized, 128.0, name="Sub"), 1 / 128.0, name="Mul"), "mixed_10/join")
    pooled = tf.reshape(tf.reduce_mean(x, [1, 2]), [1, 12], name="pool_3/_reshape")
    bottleneck = tf.placeholder_with_default(pooled, [None, 12], name="input/BottleneckInputPlaceholder")
    logits = tf.add(tf.matmul(bottleneck, kernel(12, 5)), tf.zeros([5]), name="final_training_ops/Wx_plus_b/add")
    tf.nn.softmax(logits, name="final_result")


def ssd() -> None:
    """Build the ends of an SSD of the Object Detection API: uint8 in, resized in a loop, suppression at the end."""
    images = tf.cast(tf.placeholder(tf.uint8, [None, None, None, 3], name="image_tensor"), tf.float32)
    resized = tf.map_fn(lambda image: tf.image.resize_images(image, [96, 96]), images, name="Preprocessor/map")
    resized.set_shape([None, 96, 96, 3])
    x = tf.subtract(tf.multiply(resized, 2 / 255.0, name="Preprocessor/mul"), 1.0, name="Preprocessor/sub")
    x = features(x, "FeatureExtractor/MobilenetV1/MobilenetV1/Conv2d_13_pointwise/Relu6")
    predictions = []
    for index, level in enumerate([x, tf.nn.relu(conv(x, 8))]):
        name = f"BoxPredictor_{index}/ClassPredictor/BiasAdd"
        found = tf.nn.bias_add(conv(level, 3 * 4, 1), tf.zeros([12]), name=name)
        predictions.append(tf.reshape(found, [-1, 3 * int(level.shape[1]) * int(level.shape[2]), 4]))
    logits = tf.concat(predictions, 1, name="concat_1")
    best = tf.reduce_max(tf.sigmoid(logits, name="Postprocessor/convert_scores")[:, :, 1:], 2)
    boxes = tf.zeros([tf.shape(best)[1], 4])
    kept = tf.image.non_max_suppression(boxes, best[0], 5)
    tf.gather(best[0], kept, name="detection_scores")


def deeplab() -> None:
    """Build the ends of a DeepLab: uint8 in, argmax of resized logits out."""
    images = tf.placeholder(tf.uint8, [1, None, None, 3], name="ImageTensor")
    x = features(tf.cast(images, tf.float32) / 127.5 - 1.0, "concat_projection/Relu")
    logits = tf.nn.bias_add(conv(x, 5, 1, 1), tf.constant([0, 0, 0.5, 0, 0]), name="logits/semantic/BiasAdd")
    large = tf.image.resize_bilinear(logits, tf.shape(images)[1:3], align_corners=True)
    tf.nn.softmax(large, name="SemanticProbabilities")
    tf.argmax(large, 3, name="SemanticPredictions")


def facenet() -> None:
    """Build the ends of a frozen facenet: a queue in front of the input, an embedding of length 1 at the end."""
    queue = tf.queue.FIFOQueue(10, [tf.float32], [[160, 160, 3]], name="batch_join/fifo_queue")
    images = tf.identity(
        tf.identity(queue.dequeue_many(tf.placeholder(tf.int32, [], "batch_size")), "image_batch"), "input"
    )
    training = tf.placeholder(tf.bool, [], name="phase_train")
    x = features(images, "InceptionResnetV1/Block8/add")
    pooled = tf.reduce_mean(x, [1, 2])
    pooled = tf.cond(training, lambda: tf.nn.dropout(pooled, rate=0.2), lambda: pooled)
    bottleneck = tf.matmul(pooled, kernel(8, 16), name="InceptionResnetV1/Bottleneck/MatMul")
    tf.nn.l2_normalize(bottleneck, 1, name="embeddings")


def covid_net() -> None:
    """Build the ends of a COVID-Net checkpoint: Keras names, and the placeholders of its training."""
    images = tf.placeholder(tf.float32, [None, 64, 64, 3], name="input_1")
    x = features(images, "conv5_block3_out/add")
    dense = tf.get_variable("norm_dense_1/kernel", initializer=lambda: kernel(8, 3))
    logits = tf.matmul(tf.reduce_mean(x, [1, 2]), dense, name="norm_dense_1/MatMul")
    tf.nn.softmax(logits, name="norm_dense_1/Softmax")
    target = tf.placeholder(tf.float32, [None, 3], name="norm_dense_1_target")
    weights = tf.placeholder(tf.float32, [None], name="norm_dense_1_sample_weights")
    loss = tf.nn.softmax_cross_entropy_with_logits_v2(labels=target, logits=logits)
    tf.multiply(tf.reduce_mean(loss * weights), 1.0, name="loss/mul")


def multispectral() -> None:
    """Build a classifier of four bands."""
    images = tf.placeholder(tf.float32, [None, 64, 64, 4], name="bands")
    tf.nn.softmax(scores(features(images, "last/Relu"), "logits/BiasAdd"))


def xray() -> None:
    """Build a classifier of one gray channel."""
    images = tf.placeholder(tf.float32, [None, 64, 64, 1], name="scan")
    tf.nn.softmax(scores(features(images, "last/Relu"), "logits/BiasAdd"))


SPECIAL: Dict[str, Callable[[], None]] = {
    "inception_2015": inception_2015,
    "ssd_mobilenet": ssd,
    "deeplab": deeplab,
    "facenet": facenet,
    "multispectral": multispectral,
    "xray": xray,
}


def write_frozen(build: Callable[[], Any], path: str) -> None:
    with tf.Graph().as_default() as graph:
        build()
    with open(path, "wb") as file:
        file.write(graph.as_graph_def().SerializeToString())


def write_covid_net(folder: str) -> None:
    """Write the checkpoint of a COVID-Net."""
    os.makedirs(folder)
    with tf.Graph().as_default(), tf.Session() as session:
        covid_net()
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, os.path.join(folder, "model"))


def write_saved_model(folder: str, tags: Any, key: str, images: Any, scores_: Any) -> None:
    """Write the default graph as a SavedModel with one signature, from these images to these scores."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        signature = tf.saved_model.signature_def_utils.predict_signature_def({"images": images}, {"scores": scores_})
        builder = tf.saved_model.builder.SavedModelBuilder(folder)
        builder.add_meta_graph_and_variables(session, tags, {key: signature})
        builder.save()


def write_export(folder: str) -> None:
    """Write what an Estimator exports: a SavedModel whose input is serialized examples."""
    with tf.Graph().as_default():
        examples = tf.placeholder(tf.string, [None], name="input_example_tensor")
        parsed = tf.parse_example(examples, {"image": tf.FixedLenFeature([64, 64, 3], tf.float32)})
        logits = scores(features(parsed["image"], "last/Relu"), "dense/BiasAdd")
        probabilities = tf.nn.softmax(logits, name="softmax_tensor")
        write_saved_model(folder, ["serve"], "serving_default", examples, probabilities)


def write_hub_module(folder: str) -> None:
    """Write a module of TF-Hub: a SavedModel without tags, whose output is the scores."""
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, 64, 64, 3], name="hub_input/images")
        weights = tf.get_variable("weights", initializer=lambda: kernel(8, 5))
        pooled = tf.reduce_mean(features(images, "MobilenetV2/Conv_1/Relu6"), [1, 2])
        logits = tf.matmul(pooled, weights, name="MobilenetV2/Logits/output")
        write_saved_model(folder, [], "default", images, logits)
    with open(os.path.join(folder, "tfhub_module.pb"), "wb") as file:
        file.write(b"\x08\x03")
