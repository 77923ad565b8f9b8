"""What onnxruntime computes from an exported ONNX file is what `explain` computes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("tf2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from classifier_net import EARLY, LATE, SIZE, classifier, images  # noqa: E402
from loop_nets import KINDS, build  # noqa: E402

from gradcam_tf1.errors import ExportError  # noqa: E402
from gradcam_tf1.export import forward_form  # noqa: E402
from gradcam_tf1.graph import GradCamGraph  # noqa: E402
from gradcam_tf1.tf_runtime import tf  # noqa: E402

TARGETS = [0, 4, 2]


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(classifier(), preset="inception") as net:
        yield net


@pytest.fixture
def exported(net, tmp_path):
    def export(*args, **options):
        net.export(str(tmp_path), *args, format="onnx", **options)
        return onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])

    return export


def run(session, **inputs):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def of_own_class(values):
    """Of the maps of all targets for each image, the first target's of the first image, and so on."""
    return values[np.arange(3), np.arange(3)]


def assert_close(found, wanted, tolerance=1e-4):
    assert found.shape == wanted.shape
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(found, wanted, atol=tolerance * np.abs(wanted).max(), rtol=0)


LAYER_METHODS = (
    "gradcam",
    "gradcampp",
    "hirescam",
    "layercam",
    "xgradcam",
    "elementwise",
    "counterfactual",
    "finercam",
)


@pytest.mark.parametrize("method", [*LAYER_METHODS, "positive"])
def test_maps_of_given_classes_are_those_of_explain(method, net, exported):
    layer = EARLY if method in LAYER_METHODS else LATE  # the others need a head that they know
    wanted = net.explain(images(3), targets=TARGETS, methods=method, layers=layer)
    found = run(exported(method, layer), images=images(3).astype(np.float32), class_ids=np.array(TARGETS, np.int32))
    assert_close(found["cam"], of_own_class(wanted.maps[wanted.key(method)]))
    assert_close(found["scores"], of_own_class(wanted.scores))
    assert found["class_ids_out"].tolist() == TARGETS
    assert found["heat_map"].shape == (3, SIZE, SIZE)
    assert found["overlay"].dtype == np.uint8


def test_any_batch_and_the_top_class_by_default(net, exported):
    session = exported("gradcam", EARLY)
    assert list(session.get_inputs()[0].shape) == ["N", SIZE, SIZE, 3]
    for count in (1, 2, 5):
        found = run(session, images=images(count).astype(np.float32))
        wanted = net.explain(images(count), methods="gradcam", layers=EARLY)
        assert found["class_ids_out"].tolist() == wanted.class_ids[:, 0].tolist()
        np.testing.assert_allclose(found["cam"], wanted.maps[wanted.key("gradcam")][:, 0], atol=1e-6)


def test_a_pixel_method(net, exported):
    wanted = net.explain(images(3), targets=TARGETS, methods="guided_backprop")
    found = run(exported("guided_backprop"), images=images(3).astype(np.float32), class_ids=np.array(TARGETS, np.int32))
    assert_close(found["cam"], of_own_class(wanted.maps[wanted.key("guided_backprop")]))


def test_a_class_that_the_net_does_not_have_ends_the_run(exported):
    session = exported("gradcam", LATE)
    with pytest.raises(Exception, match="indice = 5"):
        run(session, images=images(1).astype(np.float32), class_ids=np.array([5], np.int32))


def test_a_gradient_without_a_forward_form_is_named(tmp_path):
    net = GradCamGraph(classifier(training=True), preset="inception")
    with net, pytest.raises(ExportError, match=r"FusedBatchNormGrad.*training mode.*format saved_model"):
        net.export(str(tmp_path), "gradcam", EARLY, format="onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize("kind", ["recurrent", "branching", "within_branch"])
def test_a_gradient_in_a_loop_or_conditional_is_refused(kind, tmp_path):
    net = GradCamGraph(build(KINDS[kind]).frozen, preset="raw", layer="features:0")
    with net, pytest.raises(ExportError, match=r"'\w+/(Enter|Switch)' runs as the images decide.* saved_model$"):
        net.export(str(tmp_path), format="onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize("score", ["margin", "down", "probability"])
def test_other_scores(score, net, exported):
    wanted = net.explain(images(3), targets=TARGETS, methods="gradcam", layers=EARLY, score=score)
    found = run(
        exported("gradcam", EARLY, score=score),
        images=images(3).astype(np.float32),
        class_ids=np.array(TARGETS, np.int32),
    )
    assert_close(found["cam"], of_own_class(wanted.maps[wanted.key("gradcam")]))
    assert_close(found["scores"], of_own_class(wanted.scores))


def test_the_one_warning_of_onnxruntime_is_hidden_as_documented(net, tmp_path, capfd):
    net.export(str(tmp_path), "gradcam", LATE, format="onnx")
    capfd.readouterr()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), options, providers=["CPUExecutionProvider"])
    assert "class_ids" not in capfd.readouterr().err
    assert [each.name for each in session.get_overridable_initializers()] == ["class_ids"]


def test_encoded_images_are_refused(net, tmp_path):
    with pytest.raises(ExportError, match="no ops that decode images"):
        net.export(str(tmp_path), format="onnx", input_bytes=True)


def test_a_wrong_conversion_leaves_no_file(net, tmp_path, monkeypatch):
    monkeypatch.setitem(forward_form.FORWARD_ROWS, "Relu6Grad", lambda op: tf.identity(op.inputs[0]))
    with pytest.raises(ExportError, match="onnxruntime computes something else than TensorFlow.*cam of a random image"):
        net.export(str(tmp_path), "gradcam", EARLY, format="onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize("layer", [None, "MobilenetV1/MobilenetV1/Conv2d_7_pointwise/Relu6:0"])
def test_a_real_net_on_photographs(layer, models_dir, tmp_path):
    path = models_dir / "pb" / "mobilenet_v1_0.25_128_2018" / "mobilenet_v1_0.25_128_frozen.pb"
    with GradCamGraph(str(path), preset="inception") as net:
        # at the earlier layer a unit of cat_dog lies within 1e-6 of zero: its gradient comes and goes in TensorFlow too
        names = ("eagle.jpg",) if layer else ("cat_dog_224.png", "eagle.jpg")
        photographs = [
            cv2.resize(cv2.imread(str(models_dir / "photos" / name)), (128, 128))[..., ::-1] for name in names
        ]
        wanted = net.explain(photographs, methods="gradcam", layers=layer)
        net.export(str(tmp_path), "gradcam", layer, format="onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    found = run(session, images=np.array(photographs, np.float32))
    assert_close(found["cam"], wanted.maps[wanted.key("gradcam")][:, 0])
