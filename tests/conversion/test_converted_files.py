"""Files that `convert` wrote on TensorFlow 2.21, from SavedModels of Keras 3.15, load and run on either TensorFlow.

The scores are those of Keras 3 itself, before the conversion. The nets: patches with attention, layer norm and GELU;
swish, depthwise convolution, squeeze and excitation, normalisation in the graph.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

DATA = Path(__file__).parent.parent / "data"
WRITTEN = {
    "converted_attention.pb": (
        ("keras_tensor:0", "Func/StatefulPartitionedCall/output/_17:0"),
        [
            [-0.8073613047599792, 1.218833327293396, 0.7351590991020203, 0.4028175473213196, -0.31789156794548035],
            [-0.8320193886756897, 1.2699171304702759, 0.8095546960830688, 0.3941791355609894, -0.30402037501335144],
        ],
    ),
    "converted_gated.pb": (
        ("keras_tensor_9:0", "Identity:0"),
        [
            [0.20683395862579346, 0.17885157465934753, 0.18473878502845764, 0.18761299550533295, 0.241962730884552],
            [0.20683637261390686, 0.17884519696235657, 0.1847338080406189, 0.18761207163333893, 0.24197259545326233],
        ],
    ),
}


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_file_of_the_newer_runtime(name):
    (images, scores), wanted = WRITTEN[name]
    values = np.random.RandomState(0).rand(2, 32, 32, 3).astype(np.float32)
    graph_def = tf.GraphDef.FromString((DATA / name).read_bytes())
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        np.testing.assert_allclose(session.run(scores, {images: values}), wanted, atol=2e-6)
    with GradCamGraph(str(DATA / name), preset="raw") as net:
        assert net.binding.input == images
        assert np.ptp(net.explain(np.uint8(values * 255), 0)["gradcam"]) > 0
