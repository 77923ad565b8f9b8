"""What an exported graph computes is what `explain` computes; a plain session runs it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1 import METHODS, GradCamGraph, Preprocessing, Style, method
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export import self_check
from gradcam_tf1.export.averaged_gradients import AVERAGED
from gradcam_tf1.export.export_request import ExportRequest, is_symbolic
from gradcam_tf1.export.exported_graph import exported_graph
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model
from gradcam_tf1.tf_runtime import tf

SIZE = (96, 128)


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as opened:
        yield opened


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(3).randint(0, 256, (3, *SIZE, 3)).astype(np.uint8)


def exported_run(net, images, class_ids=None, **request):
    """The outputs of an exported graph in a session that holds nothing else."""
    exported = exported_graph(net, ExportRequest(**request))
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as sess:
        tf.import_graph_def(exported.graph_def, name="")
        feed = {next(iter(exported.inputs.values())).name: images}
        if class_ids is not None:
            feed[exported.class_ids.name] = class_ids
        return sess.run(exported.outputs, feed)


def assert_equal(net, images, found, methods, targets=None, style=None):
    explanation = net.explain(list(images), targets, methods, None)
    for map in explanation:
        name = map.method if map.method in found else "cam"
        largest = max(np.abs(map.values).max(), 1e-6)
        assert np.abs(map.values - found[name][map.n]).max() <= 1e-5 * largest, map
        if name == "cam":
            assert map.class_id == found["class_ids"][map.n]
            assert abs(map.score - found["scores"][map.n]) <= 1e-5 * max(1, abs(map.score))
            assert np.abs(map.placed() - found["heat_map"][map.n]).max() <= 1e-5 * largest
            if map.placed().ndim == 2:
                drawn = map.overlay() if style is None else map.overlay(style)
                assert np.abs(drawn.astype(int) - found["overlay"][map.n]).max() <= 1


def test_the_top_class_and_given_classes(net, images):
    for count in (1, 3):
        assert_equal(net, images[:count], exported_run(net, images[:count]), "gradcam")
    found = exported_run(net, images, [2, 0, -2])
    second = np.argsort(-found["logits"][2])[1]
    assert found["class_ids"].tolist() == [2, 0, second]
    assert_equal(net, images, found, "gradcam", [[2], [0], [int(second)]])


def test_one_class_for_all_and_an_id_out_of_range(net, images):
    assert exported_run(net, images, [4])["class_ids"].tolist() == [4, 4, 4]
    for wrong in (7, -8):
        with pytest.raises(tf.errors.InvalidArgumentError, match="class_ids are 0 to 6, or -1 for the top class"):
            exported_run(net, images, [wrong])


def test_a_batch_that_rounding_decides_is_followed_by_another(net, monkeypatch):
    exported, runs = exported_graph(net, ExportRequest()), []

    def differing(most):
        def run(*given):
            runs.append(plain(*given))
            return {name: value * (1.01 if len(runs) <= most else 1) for name, value in runs[-1].items()}

        return run

    plain = self_check._run
    monkeypatch.setattr(self_check, "_run", differing(1))
    assert self_check.check_export(net, exported, ExportRequest()) <= 1e-6
    assert len(runs) == 2
    monkeypatch.setattr(self_check, "_run", differing(100))
    with pytest.raises(ExportError, match=r"of the exported graph differ from those of the net by 1.0e-02"):
        self_check.check_export(net, exported, ExportRequest())


def test_an_image_whose_scores_are_nan_has_no_class(net, images):
    values = images.astype(np.float32)
    values[1] = np.nan
    found = exported_run(net, values)  # TensorFlow optimizes this session; 2.x makes zeros of NaN in some nets
    assert ((found["class_ids"] == -1) == np.isnan(found["logits"]).any(axis=1)).all()
    assert not np.isnan(found["heat_map"]).any()


@pytest.mark.parametrize(
    "name",
    [name for name, row in METHODS.items() if is_symbolic(row) and name not in ("gradcam", "cam", *AVERAGED)],
)
def test_methods(net, images, name):
    assert_equal(net, images, exported_run(net, images, method=name), name)


def test_guided_maps_beside_the_map(net, images):
    found = exported_run(net, images, guided=True)
    assert_equal(net, images, found, ["gradcam", "guided_backprop", "guided_gradcam"])


def test_layers_scores_options_and_styles(net, images):
    style = Style("diverging", 0.7, style="blend")
    explanation = net.explain(list(images), 1, method("finercam", rivals=2), -3, score="logit")
    found = exported_run(net, images, [1], method=method("finercam", rivals=2), layer=-3, style=style)
    for map in explanation:
        assert np.abs(map.values - found["cam"][map.n]).max() <= 1e-5 * np.abs(map.values).max()
        assert np.abs(map.overlay(style).astype(int) - found["overlay"][map.n]).max() <= 1
    probable = net.explain(list(images), 1, score="probability")
    found = exported_run(net, images, [1], score="probability")
    assert np.allclose(probable.scores[:, 0], found["scores"], atol=1e-6)
    assert np.allclose(next(iter(probable.maps.values()))[:, 0], found["cam"], atol=1e-8)


@pytest.mark.parametrize("preset", [Preprocessing("own", 1 / 255, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), "bgr"), "raw"])
def test_preprocessing_is_a_part_of_the_model(images, preset):
    with GradCamGraph(demo_model(), preset=preset) as net:
        assert_equal(net, images, exported_run(net, images, guided=True), ["gradcam", "guided_backprop"])


def test_values_that_are_prepared_already(images):
    class Own(GradCamGraph):
        def preprocess(self, values):
            return np.tanh(values / 100 - 1)

    with Own(demo_model()) as net:
        found = exported_run(net, np.tanh(images / np.float32(100) - 1))
        assert "overlay" not in found
        for map in net.explain(list(images)):
            assert np.abs(map.values - found["cam"][map.n]).max() <= 1e-5 * np.abs(map.values).max()


def encoded(image, kind):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("fit", ["stretch", "center-crop", "letterbox"])
def test_encoded_images_of_any_size(fit, tmp_path):
    random = np.random.RandomState(5)
    large = Image.fromarray(random.randint(0, 256, (40, 30, 3)).astype(np.uint8)).resize((301, 200), Image.BICUBIC)
    seen = large.convert("RGBA")
    seen.putalpha(large.convert("L"))
    kinds = [(large, "JPEG"), (large.resize((60, 90)), "PNG"), (large.convert("L"), "PNG"), (seen, "PNG")]
    files = [encoded(*each) for each in kinds]
    paths = [str(tmp_path / f"{number}.img") for number in range(len(files))]
    for path, data in zip(paths, files):
        with open(path, "wb") as file:
            file.write(data)
    with GradCamGraph(demo_model(), preset="inception", fit=fit) as net:
        found = exported_run(net, files, input_bytes=True)
        for map in net.explain(paths):
            assert map.class_id == found["class_ids"][map.n]
            assert abs(map.score - found["scores"][map.n]) <= 1e-3  # cv2 and TensorFlow round differently
            assert np.abs(map.values - found["cam"][map.n]).max() <= 1e-3 * np.abs(map.values).max()


def test_an_image_without_an_answer_has_an_empty_map(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    features = tf.nn.relu(tf.nn.conv2d(images, tf.ones([3, 3, 3, 4]), strides=1, padding="SAME"))
    tf.matmul(tf.reduce_mean(features, [1, 2]), tf.constant(1e36, tf.float32, [4, 2]), name="logits")
    pixels = np.full((3, 8, 8, 3), 2, np.float32)
    pixels[1] = 255  # its scores are infinite
    with GradCamGraph(graph, preset="raw") as net:
        found = exported_run(net, pixels)
        explanation = net.explain(pixels)
    assert found["class_ids"].tolist() == explanation.class_ids[:, 0].tolist() == [0, -1, 0]
    assert [bool(map.any()) for map in found["cam"]] == [True, False, True]
    assert np.array_equal(found["overlay"][1], np.full((8, 8, 3), 255))
