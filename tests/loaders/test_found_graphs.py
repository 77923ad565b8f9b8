"""Graphs of usual training programs: input pipelines, several devices, training batch norm, TF2 SavedModels."""

from __future__ import annotations

import os

import numpy as np
import pytest
from loader_nets import IMAGES, INPUT, LOGITS, build_net, control_flow, logits_of

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


def queue_pipeline():
    """File names -> TFRecord reader -> decoded images -> batch queue, as TF-Slim writes it."""
    names = tf.train.string_input_producer(["/gone/train-00000.tfrecord"])
    _, record = tf.TFRecordReader().read(names)
    parsed = tf.parse_single_example(record, {"image": tf.FixedLenFeature([], tf.string)})
    pixels = tf.image.resize_images(tf.image.decode_jpeg(parsed["image"], channels=3), [12, 10])
    return tf.train.batch([tf.reshape(pixels, [12, 10, 3])], 2, name="batch")


def dataset_pipeline():
    data = tf.data.TFRecordDataset(["/gone/train-00000.tfrecord"])
    data = data.map(lambda record: tf.reshape(tf.decode_raw(record, tf.float32), [12, 10, 3])).repeat().batch(2)
    return tf.data.make_initializable_iterator(data).get_next()


@pytest.mark.parametrize(("pipeline", "fed"), [(queue_pipeline, "batch:0"), (dataset_pipeline, "IteratorGetNext:0")])
def test_checkpoint_of_a_training_graph_with_its_input_pipeline(pipeline, fed, tmp_path):
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        batch = pipeline()
        with tf.device("/job:worker/replica:0/gpu:1"):
            kernel = tf.get_variable("kernel", [3, 3, 3, 4], initializer=tf.random_normal_initializer(seed=1))
            features = tf.nn.relu(tf.nn.conv2d(batch, kernel, [1, 1, 1, 1], "SAME"))
        logits = tf.reduce_mean(features, [1, 2], name="logits")
        loss = tf.losses.sparse_softmax_cross_entropy(tf.zeros([2], tf.int32), logits)
        tf.train.RMSPropOptimizer(0.1).minimize(loss, tf.train.get_or_create_global_step())
        saver = tf.train.Saver()
        soft = tf.ConfigProto(allow_soft_placement=True)
    with tf.Session(graph=clear_devices(graph), config=soft) as session:
        session.run("init")
        wanted = session.run("logits:0", {fed: IMAGES})
        prefix = session.run("save/control_dependency:0", {"save/Const:0": str(tmp_path / "model").encode()})
        prefix = prefix.decode()
    with graph.as_default():
        saver.export_meta_graph(prefix + ".meta")
    model = load(prefix)
    np.testing.assert_allclose(logits_of(model, IMAGES, fed, "logits:0"), wanted, rtol=1e-6)
    assert not [node.name for node in model.graph_def.node if node.device or "RMSProp" in node.name]


def clear_devices(graph):
    """The same graph, runnable here, with an initialiser called init."""
    with graph.as_default():
        tf.group(tf.global_variables_initializer(), name="init")
    copy = tf.Graph()
    graph_def = graph.as_graph_def()
    for node in graph_def.node:
        node.device = ""
    with copy.as_default():
        tf.import_graph_def(graph_def, name="")
    return copy


@pytest.mark.parametrize("version", [1, 2])
def test_training_batch_norm_by_placeholder(version, tmp_path):
    """The usual conv + batch_normalization(training=placeholder): both modes compute the same as its own session."""
    graph = tf.Graph()
    with control_flow(version), graph.as_default(), tf.Session(graph=graph) as session:
        images = tf.placeholder(tf.float32, [None, 12, 10, 3], "images")
        training = tf.placeholder(tf.bool, [], "is_training")
        gamma, beta = tf.get_variable("gamma", [3], initializer=tf.ones_initializer()), tf.get_variable("beta", [3])
        with tf.variable_scope("moving", use_resource=version == 2):  # functions cannot take references
            mean, variance = tf.get_variable("mean", [3]), tf.get_variable("var", initializer=np.float32([1, 2, 3]))

        def batch_statistics():
            result, batch_mean, batch_variance = tf.nn.fused_batch_norm(images, gamma, beta, is_training=True)
            updates = [tf.assign_sub(mean, 0.1 * (mean - batch_mean)), tf.assign(variance, batch_variance)]
            with tf.control_dependencies(updates):
                return tf.identity(result)

        def moving_statistics():
            return tf.nn.fused_batch_norm(images, gamma, beta, mean, variance, is_training=False)[0]

        tf.reduce_sum(tf.cond(training, batch_statistics, moving_statistics), [1, 2], name="out")
        session.run(tf.global_variables_initializer())
        wanted = session.run("out:0", {images: IMAGES, training: False})
        prefix = tf.train.Saver().save(session, str(tmp_path / "model"))
    got = logits_of(load(prefix), logits="out:0", feed={"is_training:0": False})
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_towers_that_share_variables(tmp_path):
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph, config=tf.ConfigProto(allow_soft_placement=True)) as session:
        images = tf.placeholder(tf.float32, [4, 3], "images")
        towers = []
        for number, part in enumerate(tf.split(images, 2)):
            with tf.device(f"/gpu:{number}"), tf.variable_scope("net", reuse=tf.AUTO_REUSE), tf.name_scope(
                f"tower_{number}"
            ):
                towers.append(tf.matmul(part, tf.get_variable("kernel", [3, 2])))
        tf.concat(towers, 0, name="out")
        session.run(tf.global_variables_initializer())
        photos = IMAGES[0, :4, 0]
        wanted = session.run("out:0", {images: photos})
        prefix = tf.train.Saver(sharded=True).save(session, str(tmp_path / "model"))
    np.testing.assert_allclose(logits_of(load(prefix), photos, logits="out:0"), wanted, rtol=1e-6)


def test_saved_model_of_tensorflow_2(tmp_path):
    if not runtime.IS_TF2:
        pytest.skip("flattened on TensorFlow 2 only")
    save_with_functions(tmp_path)
    model = load(tmp_path)
    assert len(model.inputs) == len(model.outputs) == 1
    vectors = IMAGES[0, 0, :2]
    wanted = np.maximum(vectors @ np.arange(12).reshape(3, 4), 0)
    np.testing.assert_allclose(logits_of(model, vectors, model.inputs[0], model.outputs[0]), wanted, rtol=1e-6)
    assert not {node.op for node in model.graph_def.node} & {
        "PartitionedCall",
        "StatefulPartitionedCall",
        "VarHandleOp",
    }


def save_with_functions(folder):
    import tensorflow as tensorflow2

    module = tensorflow2.Module()
    module.kernel = tensorflow2.Variable(np.float32(np.arange(12).reshape(3, 4)))

    @tensorflow2.function(input_signature=[tensorflow2.TensorSpec([None, 3], tensorflow2.float32, name="images")])
    def serve(images):
        return {"logits": tensorflow2.nn.relu(tensorflow2.matmul(images, module.kernel), name="act")}

    module.serve = serve
    tensorflow2.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def hollow_saved_model(folder):
    """The outer part of a TF2 SavedModel: a signature whose output is a function call, and an object graph."""
    saved = runtime.saved_model_message()(saved_model_schema_version=1)
    meta = saved.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.object_graph_def.SetInParent()
    call = meta.graph_def.node.add(name="call", op="StatefulPartitionedCall")
    call.attr["f"].func.name = "gone"
    meta.signature_def["serving_default"].outputs["y"].name = "call:0"
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def test_saved_model_of_tensorflow_2_that_cannot_be_loaded(tmp_path):
    hollow_saved_model(tmp_path)
    message = (
        "TensorFlow cannot load this SavedModel"
        if runtime.IS_TF2
        else "written by TensorFlow 2 .*open it with the toolkit"
    )
    with pytest.raises(ModelFileError, match=message):
        load(tmp_path)


def test_saved_model_without_a_default_signature(tmp_path):
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        images, logits = build_net()
        session.run(tf.global_variables_initializer())
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        builder = tf.saved_model.builder.SavedModelBuilder(str(tmp_path / "export"))
        define = tf.saved_model.signature_def_utils.predict_signature_def
        signatures = {key: define({"x": images}, {"y": logits}) for key in ("classify", "detect")}
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save(as_text=True)
    assert os.path.exists(str(tmp_path / "export" / "saved_model.pbtxt"))
    model = load(tmp_path / "export")
    assert model.inputs == ()
    assert model.notes[-1].startswith("no signature chosen (possible: 'classify', 'detect')")
    np.testing.assert_array_equal(logits_of(model), wanted)
