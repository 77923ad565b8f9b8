"""Small nets in training: batch norm with moving averages and dropout behind a switch, in variables of every kind."""

from __future__ import annotations

from typing import Any, Dict, Optional

import numpy as np

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

SIDE, CLASSES = 16, 3


def scores(images: tf.Tensor, training: Any) -> tf.Tensor:
    """Two convolutions, the first with batch norm, dropout, a dense head; `training` is a bool or a tensor."""
    tf.set_random_seed(5)
    kernel = tf.get_variable("conv1/kernel", [3, 3, 3, 8])
    features = tf.nn.conv2d(images, kernel, strides=1, padding="SAME")
    features = tf.nn.relu(batch_norm(features, training), name="relu1")
    features = tf.nn.conv2d(features, tf.get_variable("conv2/kernel", [3, 3, 8, 16]), strides=2, padding="SAME")
    features = tf.nn.relu(features + tf.get_variable("conv2/bias", [16]), name="relu2")
    pooled = dropped(tf.reduce_mean(features, axis=[1, 2]), training)
    return tf.matmul(pooled, tf.get_variable("head", [16, CLASSES]), name="logits")


def chosen(training: Any, on: Any, off: Any) -> Any:
    if isinstance(training, bool):
        return on() if training else off()
    return tf.cond(training, on, off)


def batch_norm(features: tf.Tensor, training: Any) -> tf.Tensor:
    shape = [features.shape[-1]]
    zeros, ones = tf.zeros_initializer(), tf.ones_initializer()
    with tf.variable_scope("bn") as scope:
        scope.set_partitioner(None)
        gamma = tf.get_variable("gamma", shape, initializer=ones)
        beta = tf.get_variable("beta", shape, initializer=zeros)
        moving = [
            tf.get_variable("moving_mean", shape, initializer=zeros, trainable=False),
            tf.get_variable("moving_variance", shape, initializer=ones, trainable=False),
        ]

    def of_batch() -> Any:
        return tf.nn.fused_batch_norm(features, gamma, beta)

    def of_training() -> Any:
        return tf.nn.fused_batch_norm(features, gamma, beta, moving[0], moving[1], is_training=False)

    if training is not False:
        _, mean, variance = of_batch()
        for variable, value in zip(moving, (mean, variance)):
            update = variable.assign(0.7 * variable.read_value() + 0.3 * value)
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    return chosen(training, lambda: of_batch()[0], lambda: of_training()[0])


def dropped(pooled: tf.Tensor, training: Any) -> tf.Tensor:
    return chosen(training, lambda: tf.nn.dropout(pooled, rate=0.5), lambda: tf.identity(pooled))


def training_net(images: tf.Tensor, labels: tf.Tensor, training: Any) -> tf.Operation:
    """Add a loss and an optimizer; return the op of one step."""
    logits = scores(images, training)
    tf.nn.softmax(logits, name="probabilities")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.get_or_create_global_step()
        return tf.train.AdamOptimizer(0.01).minimize(loss, global_step=step)


def fed_net(resource: bool = False, parts: Optional[int] = None) -> tf.Operation:
    """The training step of a net with placeholders and a switch, in reference, resource or partitioned variables."""
    partitioner = tf.fixed_size_partitioner(parts, axis=-1) if parts else None
    images = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="images")
    labels = tf.placeholder(tf.int32, [None], name="labels")
    training = tf.placeholder_with_default(False, [], name="is_training")
    with tf.variable_scope("", use_resource=resource, partitioner=partitioner):
        return training_net(images, labels, training)


def piped_net(training: Any = True) -> tf.Operation:
    """The same, fed by an iterator, in training mode without a switch."""
    images, labels = tf.data.make_one_shot_iterator(batches()).get_next()
    return training_net(images, labels, training)


def batches() -> Any:
    """A data set of one batch, again and again."""
    feed = batch(0)
    data = tf.data.Dataset.from_tensors((feed["images:0"].astype(np.float32), feed["labels:0"].astype(np.int32)))
    return data.repeat()


def for_inference() -> Dict[str, Any]:
    """Build the net without its training mode."""
    images = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="images")
    tf.nn.softmax(scores(images, False), name="probabilities")
    return {"input": images, "logits": "logits"}


def batch(seed: int, training: bool = True) -> Dict[str, Any]:
    """What a step of `fed_net` is fed."""
    rng = np.random.RandomState(seed)
    images = rng.uniform(0, 1, (8, SIDE, SIDE, 3))
    return {"images:0": images, "labels:0": rng.randint(0, CLASSES, 8), "is_training:0": training}


def photos(count: int = 3, seed: int = 0) -> np.ndarray:
    """uint8 [count, 16, 16, 3]."""
    return np.random.RandomState(seed).randint(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)


class NotingNet(GradCamGraph):
    """Keeps what it explained, and how many ops it had then."""

    def __init__(self, model: Any, **options: Any) -> None:
        super().__init__(model, preset="zero-one", **options)
        self.made = []
        self.ops = []
        opened.append(self)

    def explain(self, *args: Any, **options: Any) -> Any:
        self.made.append(super().explain(*args, **options))
        self.ops.append(len(self.graph.get_operations()))
        return self.made[-1]


opened = []  # the nets that were opened, cleared by the tests
