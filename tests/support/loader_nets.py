"""One small net in every form the loaders know, and its logits as its own session computes them."""

from __future__ import annotations

import os
from contextlib import contextmanager

import numpy as np

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.tf_runtime import tf

IMAGES = np.random.RandomState(0).rand(2, 12, 10, 3).astype(np.float32)
INPUT, LOGITS, LAYER = "images:0", "head/logits:0", "conv/relu:0"


def build_net(resource=True, training=False, partitions=None):
    """conv, batch norm with moving statistics, relu, dense; with `training` an optimiser and summaries on top."""
    images = tf.placeholder(tf.float32, [None, 12, 10, 3], "images")
    partitioner = tf.fixed_size_partitioner(partitions, axis=3) if partitions else None
    with tf.variable_scope("conv", use_resource=resource, initializer=tf.random_normal_initializer(seed=1)):
        kernel = tf.get_variable("kernel", [3, 3, 3, 8], partitioner=partitioner)
        channels = tf.nn.conv2d(images, tf.convert_to_tensor(kernel), [1, 2, 2, 1], "SAME", name="conv")
        stats = {
            name: tf.get_variable(name, [8], initializer=tf.random_uniform_initializer(0.5, 1.5, seed=seed))
            for seed, name in enumerate(["gamma", "beta", "mean", "variance"])
        }
        normal = tf.nn.fused_batch_norm(
            channels, stats["gamma"], stats["beta"], stats["mean"], stats["variance"], is_training=False
        )[0]
        features = tf.nn.relu(normal, name="relu")
    with tf.variable_scope("head", use_resource=resource):
        flat = tf.reshape(features, [-1, 6 * 5 * 8])
        weights = tf.get_variable("weights", [240, 4], initializer=tf.random_normal_initializer(seed=7))
        bias = tf.get_variable("bias", [4], initializer=tf.random_normal_initializer(seed=8))
        logits = tf.nn.bias_add(tf.matmul(flat, weights), bias, name="logits")
    if training:
        step = tf.train.get_or_create_global_step()
        labels = tf.placeholder(tf.int64, [None], "labels")
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels))
        tf.summary.scalar("loss", loss)
        update = tf.assign(stats["mean"], 0.9 * stats["mean"] + 0.1 * tf.reduce_mean(channels, [0, 1, 2]))
        with tf.control_dependencies([update]):
            tf.train.AdamOptimizer(0.01).minimize(loss, global_step=step)
    return images, logits


@contextmanager
def net_session(**options):
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        build_net(**options)
        session.run(tf.global_variables_initializer())
        yield session


@contextmanager
def control_flow(version):
    """The old control flow (Switch, Merge, Enter) or the new one (If, While with functions), put back afterwards."""
    switch = {1: tf.disable_control_flow_v2, 2: tf.enable_control_flow_v2}
    switch[version]()
    try:
        yield
    finally:
        switch[2 if runtime.IS_TF2 else 1]()


def logits_of(model, images=IMAGES, input_name=INPUT, logits=LOGITS, feed=None):
    """Import a LoadedModel into a fresh graph and run it."""
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        tf.import_graph_def(model.graph_def, name="")
        return session.run(logits, {input_name: images, **(feed or {})})


def op_types(model):
    return {node.op for node in model.graph_def.node}


def save_checkpoint(session, folder, name="model.ckpt", meta=True):
    with session.graph.as_default():
        return tf.train.Saver().save(session, os.path.join(str(folder), name), global_step=7, write_meta_graph=meta)


def save_saved_model(session, folder, tags=("serve",), key="serving_default"):
    graph = session.graph
    with graph.as_default():
        info = {n: tf.saved_model.utils.build_tensor_info(graph.get_tensor_by_name(n)) for n in (INPUT, LOGITS)}
        signature = tf.saved_model.signature_def_utils.build_signature_def({"x": info[INPUT]}, {"y": info[LOGITS]})
        builder = tf.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(session, list(tags), {key: signature})
        builder.save()
    return str(folder)


def freeze(session):
    return tf.graph_util.convert_variables_to_constants(session, session.graph.as_graph_def(), ["head/logits"])
