"""What TFLite's interpreter computes from an exported file is what `explain` computes; TensorFlow 2 only."""

from __future__ import annotations

import numpy as np
import pytest
from classifier_net import EARLY, classifier, images

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ExportError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

needs_tf2 = pytest.mark.skipif(not runtime.IS_TF2, reason="TFLite files are written on TensorFlow 2")


@pytest.mark.skipif(runtime.IS_TF2, reason="the refusal of TensorFlow 1.15")
def test_it_is_refused_on_1_15(tmp_path):
    net = GradCamGraph(classifier(), preset="inception")
    with net, pytest.raises(ExportError, match="TFLite files need TensorFlow 2"):
        net.export(str(tmp_path), format="tflite")
    assert not (tmp_path / "model.tflite").exists()


@needs_tf2
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_maps_for_any_batch(tmp_path):
    with GradCamGraph(classifier(), preset="inception") as net:
        net.export(str(tmp_path), "gradcam", EARLY, format="tflite")
        wanted = net.explain(images(3), methods="gradcam", layers=EARLY)
    interpreter = tf.lite.Interpreter(str(tmp_path / "model.tflite"))
    places = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    interpreter.resize_tensor_input(places["images"], [3, 17, 17, 3])
    interpreter.resize_tensor_input(places["class_ids"], [3])
    interpreter.allocate_tensors()
    interpreter.set_tensor(places["images"], images(3).astype(np.float32))
    interpreter.set_tensor(places["class_ids"], np.full(3, -1, np.int32))
    interpreter.invoke()
    found = {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}
    maps = wanted.maps[wanted.key("gradcam")][:, 0]
    assert np.abs(maps).max() > 0
    np.testing.assert_allclose(found["cam"], maps, atol=1e-4 * np.abs(maps).max(), rtol=0)
