"""GradCamGraph: both styles of hooks, every origin of one net, and its errors."""

from __future__ import annotations

import numpy as np
import pytest
from flat_options import chosen
from small_nets import SmallNet, gradcam_twin

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.errors import BindingError, GradientError, ModelFileError, OptionError, RunError, TargetError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import IS_TF2, tf
from gradcam_tf1.types import KeyTensors

NET = SmallNet("flat")
IMAGES = np.random.RandomState(3).randint(0, 256, (3, *NET.size, 3)).astype(np.uint8)


def expected(class_ids):
    values = IMAGES.astype(np.float32) / 127.5 - 1
    features = NET.forward(values)["features"]
    cams = [gradcam_twin(features, NET.feature_grads(values, class_id)) for class_id in class_ids]
    return np.maximum(np.stack(cams, axis=1), 0)


def with_variables():
    """The net once more, its weights in variables, as a training script leaves it."""
    graph = tf.Graph()
    with graph.as_default():
        w = {name: tf.get_variable(name, initializer=value, use_resource=name == "w2") for name, value in weights()}
        x = tf.placeholder(tf.float32, [None, *NET.size, 3], name="input")
        a = tf.nn.relu(tf.nn.conv2d(x, w["w1"], [1, 1, 1, 1], "SAME") + w["b1"])
        a = tf.nn.avg_pool(a, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
        a = tf.nn.relu(tf.nn.conv2d(a, w["w2"], [1, 1, 1, 1], "SAME") + w["b2"], name="features")
        hidden = tf.nn.relu(tf.matmul(tf.reshape(a, [-1, len(NET.weights["w3"])]), w["w3"]) + w["b3"])
        logits = tf.nn.bias_add(tf.matmul(hidden, w["w4"]), w["b4"], name="logits")
        tf.nn.softmax(logits, name="prob")
        labels = tf.placeholder(tf.int32, [None], name="labels")
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels))
        tf.train.AdamOptimizer().minimize(loss)
    return graph


def weights():
    return sorted(NET.weights.items())


def frozen(folder):
    path = folder / "net.pb"
    path.write_bytes(NET.graph().as_graph_def().SerializeToString())
    return str(path), "features:0"


def text(folder):
    tf.train.write_graph(NET.graph().as_graph_def(), str(folder), "net.pbtxt")
    return str(folder / "net.pbtxt"), "features:0"


def checkpoint(folder):
    with with_variables().as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return tf.train.Saver().save(sess, str(folder / "model.ckpt")), "features:0"


def saved_model(folder):
    graph = with_variables()
    with graph.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        inputs, outputs = ({key: graph.get_tensor_by_name(name)} for key, name in (("x", "input:0"), ("y", "prob:0")))
        tf.saved_model.simple_save(sess, str(folder / "saved"), inputs, outputs)
    return str(folder / "saved"), "features:0"


def live_session(_folder):
    graph = with_variables()
    with graph.as_default():
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
    return sess, "features:0"


@pytest.mark.parametrize("origin", [frozen, text, checkpoint, saved_model, live_session])
def test_every_origin_of_the_net_gives_the_same_map(origin, tmp_path):
    model, layer = origin(tmp_path)
    with GradCamGraph(model, preset="inception", layer=layer) as net:
        assert (net.binding.input, net.binding.logits) == ("input:0", "logits:0")
        explanation = net.explain(IMAGES, targets=[0, 2], methods=["gradcam", "guided_backprop"])
    np.testing.assert_allclose(explanation["gradcam"], expected([0, 2]), atol=1e-5)
    guided = NET.pixel_grads(IMAGES / np.float32(127.5) - 1, 2, guided=True)
    np.testing.assert_allclose(explanation["guided_backprop"][:, 1], guided, atol=1e-5)


def test_a_live_session_is_left_as_it_was():
    sess, _ = live_session(None)
    before = sess.graph.as_graph_def().SerializeToString(deterministic=True)
    with GradCamGraph(sess, preset="inception") as net:
        net.explain(IMAGES)
    assert sess.graph.as_graph_def().SerializeToString(deterministic=True) == before
    assert not sess.graph.finalized
    assert sess.run("logits:0", {"input:0": IMAGES}).shape == (3, 4)


class NewStyle(GradCamGraph):
    def __init__(self, model):
        super().__init__(model)
        self.half = 127.5  # hooks run at first use, so this exists by then

    def preprocess(self, images):
        return images / self.half - 1

    def fetch_key_tensors(self):
        return KeyTensors(input="input", logits=self.graph.get_tensor_by_name("logits:0"), layer="features")


class OlderStyle(GradCamGraph):
    def preprocess(self, images):
        return images / 127.5 - 1

    def fetch_key_tensors(self):
        graph = self.sess.graph
        self.X = graph.get_tensor_by_name("input:0")
        self.logit = graph.get_tensor_by_name("logits:0")
        self.layer = graph.get_tensor_by_name("features:0")
        self.feed_dict = {self.X: None}


@pytest.mark.parametrize("build", [NewStyle, lambda path: OlderStyle(path, 4)], ids=["new", "older"])
def test_subclasses_of_both_styles(build, tmp_path):
    with build(frozen(tmp_path)[0]) as net:
        explanation = net.explain(IMAGES, targets=1)
    np.testing.assert_allclose(explanation["gradcam"], expected([1]), atol=1e-5)
    assert explanation.layers == ("features:0",)


def test_an_older_hook_that_assigns_nothing_is_told_what_to_do(tmp_path):
    class Forgetful(GradCamGraph):
        def fetch_key_tensors(self):
            return None

    with Forgetful(frozen(tmp_path)[0]) as net, pytest.raises(BindingError, match=r"self\.X and self\.logit"):
        net.explain(IMAGES)


def test_the_hook_may_add_ops_of_its_own(tmp_path):
    class Doubled(GradCamGraph):
        def preprocess(self, images):
            return images / 127.5 - 1

        def fetch_key_tensors(self):
            return KeyTensors(logits=self.graph.get_tensor_by_name("logits:0") * 2.0, layer="features:0")

    with Doubled(frozen(tmp_path)[0]) as net:
        np.testing.assert_allclose(net.explain(IMAGES, 3)["gradcam"], 2 * expected([3]), atol=1e-5)


def test_nb_classes_that_do_not_fit_are_named(tmp_path):
    with GradCamGraph(frozen(tmp_path)[0], 10) as net, pytest.raises(BindingError, match="10, but .* have 4 classes"):
        net.explain(IMAGES)


def test_values_are_never_prepared_by_guessing(tmp_path):
    with GradCamGraph(frozen(tmp_path)[0]) as net, pytest.raises(OptionError, match=r"(?s)give a preset.*inception"):
        net.explain(IMAGES)


def test_images_of_any_size_are_fitted_and_maps_placed_back(tmp_path):
    with GradCamGraph(frozen(tmp_path)[0], preset="inception") as net:
        images = [np.zeros((50, 70, 3), np.uint8), np.full((9, 31), 200, np.uint8)]
        explanation = net.explain(images, methods=["hirescam", "guided_backprop"])
        assert explanation.map("hirescam", 0).placed().shape == (50, 70)
        assert explanation.map("guided_backprop", 1).placed().shape == (9, 31, 3)
        with pytest.raises(KeyError, match="no maps of 'gradcam'"):
            explanation["gradcam"]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no images"),
        (np.zeros((1, 4, 4, 4)), r"float64 \[4, 4, 4\]; expected RGB"),
        (np.array([["a", "b"]]), "expected RGB"),
    ],
)
def test_what_is_no_image_is_refused(images, message, tmp_path):
    with GradCamGraph(frozen(tmp_path)[0], preset="raw") as net, pytest.raises(OptionError, match=message):
        net.explain(images)


def test_preprocessing_to_a_wrong_shape_is_named(tmp_path):
    with GradCamGraph(frozen(tmp_path)[0], preset="gray-raw") as net, pytest.raises(OptionError, match="the net takes"):
        net.explain(IMAGES)


def test_a_size_against_the_graphs_own_is_refused(tmp_path):
    path = frozen(tmp_path)[0]
    with GradCamGraph(path, preset="raw", size=(8, 13)) as net, pytest.raises(OptionError, match="width 12, not 13"):
        net.explain(IMAGES)


@pytest.mark.parametrize(("size", "fitted"), [((None, None), (224, 448)), ((32, None), (32, 64))])
def test_a_net_of_any_size_takes_images_by_their_shorter_side(size, fitted):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        a = tf.nn.relu(tf.nn.conv2d(x, np.ones((3, 3, 3, 4), np.float32), [1, 2, 2, 1], "SAME"), name="features")
        tf.nn.softmax(tf.matmul(tf.reduce_mean(a, [1, 2]), np.eye(4, dtype=np.float32), name="logits"))
    with GradCamGraph(graph.as_graph_def(), preset="raw", fit="short-side", size=size) as net:
        explanation = net.explain(np.zeros((100, 200, 3), np.uint8))
        assert explanation["gradcam"].shape[2:] == (fitted[0] // 2, fitted[1] // 2)
        assert explanation.map("gradcam", 0).placed().shape == (100, 200)


@pytest.mark.parametrize("preset", ["raw", "raw-bgr"])
def test_pixel_maps_are_rgb_whatever_the_net_takes(preset):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        # the net looks at its first channel only: red when fed RGB, blue when fed BGR
        kernel = np.zeros((1, 1, 3, 2), np.float32)
        kernel[0, 0, 0] = 1
        a = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), name="features")
        tf.nn.softmax(tf.matmul(tf.reduce_mean(a, [1, 2]), [[1.0, 0.0], [0.0, 1.0]], name="logits"))
    with GradCamGraph(graph.as_graph_def(), preset=preset, layer="features") as net:
        explanation = net.explain(np.full((8, 8, 3), 9), 0, methods=["guided_backprop", "guided_gradcam"])
    for method in ("guided_backprop", "guided_gradcam"):
        colours = explanation[method][0, 0].sum((0, 1))
        assert np.flatnonzero(colours).tolist() == ([0] if preset == "raw" else [2])


def test_an_image_too_small_for_the_net_is_one_error():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        a = tf.nn.relu(tf.nn.conv2d(x, np.ones((5, 5, 3, 2), np.float32), [1, 2, 2, 1], "VALID"), name="features")
        tf.nn.softmax(tf.matmul(tf.reduce_mean(a, [1, 2]), [[1.0, 0.0], [0.0, 1.0]], name="logits"))
    with GradCamGraph(graph.as_graph_def(), preset="raw", layer="features") as net:
        assert net.explain(np.full((9, 60, 3), 100))["gradcam"].shape == (1, 1, 3, 28)
        ours = r"'features:0' comes out as \[0, 28\].*too small for the net"
        # TensorFlow 2 may fail at the logits by itself
        with pytest.raises(RunError, match=f"{ours}|the net failed at 'logits'" if IS_TF2 else ours):
            net.explain(np.full((3, 60, 3), 100))


def test_labels_name_targets_and_must_fit(tmp_path):
    path = frozen(tmp_path)[0]
    with GradCamGraph(path, preset="raw", labels=["cat", "dog", "star", "ring"]) as net:
        np.testing.assert_array_equal(net.explain(IMAGES, "star").class_ids, [[2]] * 3)
        with pytest.raises(TargetError, match="no class 4"):
            net.explain(IMAGES, 4)
    with GradCamGraph(path, preset="raw", labels=["a", "b"]) as net, pytest.raises(OptionError, match=r"2.*4|4.*2"):
        net.explain(IMAGES)


def test_methods_that_cannot_work_are_told_apart():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        a = tf.tanh(tf.nn.conv2d(x, np.ones((3, 3, 3, 4), np.float32), [1, 1, 1, 1], "SAME"), name="features")
        tf.nn.softmax(tf.matmul(tf.reduce_mean(a, [1, 2]), np.eye(4, dtype=np.float32), name="logits"))
    with GradCamGraph(graph.as_graph_def(), preset="raw", layer="features") as net:
        usable, reasons = net.usable_methods(["gradcam", "guided_gradcam"])
        assert usable == ["gradcam"]
        assert "found there: 1 Tanh" in reasons["guided_gradcam"]
        with pytest.raises(GradientError, match="a plain gradient"):
            net.explain(np.zeros((8, 8, 3)), methods="guided_gradcam")


def test_a_graph_this_runtime_cannot_build_is_one_error():
    graph_def = tf.GraphDef()
    graph_def.node.add(name="x", op="NoSuchOpAnywhere")
    with pytest.raises(ModelFileError, match=r"'strange\.pb': TensorFlow .* cannot build this graph"):
        import_graph(graph_def, "strange.pb")


def two_inputs():
    """logits = mean(features) * gain, where `gain` is a second input, one number per image."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        gain = tf.placeholder(tf.float32, [None, 1], name="gain")
        a = tf.nn.relu(tf.nn.conv2d(x, np.eye(3, dtype=np.float32)[None, None], [1, 1, 1, 1], "SAME"), name="features")
        tf.multiply(tf.matmul(tf.reduce_mean(a, [1, 2]), np.eye(3, dtype=np.float32)), gain, name="logits")
    return graph.as_graph_def()


def test_further_inputs_have_a_value_for_each_image():
    images = np.random.RandomState(4).randint(1, 256, (3, 4, 4, 3)).astype(np.uint8)
    gains = np.array([[1], [2], [-3]])
    options = {"preset": "raw", "logits": "logits", "layer": "features", "feed": {"gain": [[1.0]]}, "batch_size": 2}
    each = {"window": 1, "stride": 1, "baseline": "zero"}
    with GradCamGraph(two_inputs(), **options) as net:
        explanation = net.explain(
            images,
            1,
            methods=["hirescam", *chosen("occlusion", {"occlusion": each})],
            options=ExplainOptions(inputs={"gain": gains}),
        )
        plain = net.explain(images[:1], 1, methods="hirescam")
    expected = images[..., 1] * gains[:, :, None] / 16
    np.testing.assert_allclose(explanation["hirescam"][:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(plain["hirescam"][:, 0], expected[:1], rtol=1e-5)
    np.testing.assert_allclose(explanation["occlusion"][:, 0], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({"gain": [[1], [2]]}, OptionError, r"inputs\['gain'\] is \[2, 1\]; give one row for each of the 3 images"),
        ({"gian": [[1], [2], [3]]}, BindingError, "gain"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs, error, message):
    options = {"preset": "raw", "logits": "logits", "layer": "features", "feed": {"gain": [[1.0]]}}
    with GradCamGraph(two_inputs(), **options) as net, pytest.raises(error, match=message):
        net.explain(np.full((3, 4, 4, 3), 100), 1, options=ExplainOptions(inputs=inputs))
