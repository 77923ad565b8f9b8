"""All methods that run a net many times: batches, bytes, costs told beforehand, memory, the seed, the demo net."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flat_options import chosen
from perturbation_nets import ALL, CLASSES, IMAGE, LAYER, LAYER_METHODS, NET, SMALL, counted, maps_of, run_on
from small_nets import class_asks, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf


def test_nets_that_take_bytes_are_masked_where_their_floats_begin():
    """The image is uint8, A = relu(x / 51): Score-CAM masks the floats, which rounding to bytes would spoil."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.uint8, [None, 1, 3, 1], name="input")
        a = tf.nn.relu(tf.cast(x, tf.float32) / 51, name="features")
        sums = tf.reduce_sum(tf.square(a), [1, 2])
        tf.matmul(sums, tf.constant([[1.0, -1.0]]), name="logits")
    image = np.array([0, 51, 102], np.uint8).reshape((1, 1, 3, 1))
    options = {"occlusion": {"window": 1, "stride": 1, "baseline": "zero"}}
    maps = run_on(graph, image, [0], ["scorecam", "ablationcam", "occlusion"], options, channels=1, dtype="uint8")
    # masks 0, 1/2, 1: 0.5^2 + 2^2; without the only channel nothing is left; each pixel is worth its square
    np.testing.assert_allclose(maps["scorecam", LAYER][0, 0], [[0, 4.25, 8.5]], rtol=1e-6)
    np.testing.assert_allclose(maps["ablationcam", LAYER][0, 0], [[0, 1, 2]], rtol=1e-6)
    np.testing.assert_allclose(maps["occlusion", ""][0, 0], [[0, 1, 4]], rtol=1e-6)


@pytest.mark.parametrize("graph", [{}, {"batch": 1}, {"batch": 3}, {"channels_first": True}], ids=str)
def test_a_batch_equals_its_images_one_by_one_whatever_the_graph_insists_on(graph):
    images = NET.images(3)
    together = run(NET, images, CLASSES, ALL, batch_size=2, options=SMALL, **graph).maps
    assert {key[0] for key in together} == set(ALL)
    for n in range(3):
        alone = run(NET, images[n : n + 1], CLASSES, ALL, options=SMALL).maps
        for key, maps in alone.items():
            np.testing.assert_allclose(together[key][n], maps[0], atol=2e-6, err_msg=str(key))


@pytest.mark.parametrize("name", ["sscam", "rise"])
def test_chance_follows_the_seed(name):
    first, again, other = (maps_of(NET, IMAGE, name, **SMALL[name], seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


COSTS = {
    "scorecam": (6, {}),
    "fasterscorecam": (4, {"channels": 3}),
    "sscam": (16, {"samples": 3}),
    "iscam": (11, {"steps": 2}),
    "ablationcam": (6, {}),
    "occlusion": (7, {"window": 4, "stride": 4}),
    "rise": (9, {"masks": 9}),
}


@pytest.mark.parametrize("class_ids", [[0], [0, 1, 2, 3]], ids=str)
@pytest.mark.parametrize("name", ALL)
def test_the_cost_is_told_first_and_is_what_is_run_for_one_target_as_for_many(name, class_ids):
    runs, options = COSTS[name]
    images = NET.images(2)
    told, calls = [], []
    graph = NET.graph()
    with tf.Session(graph=graph) as sess, counted(calls):
        MapEngine(graph, sess, NET.binding(), 4).run(
            request(
                images,
                class_asks(class_ids, 2),
                [name],
                NET.binding().layers,
                pixels=images,
                to_batch=lambda pixels: pixels,
                options={name: options},
                report=lambda work: told.append((work, len(calls))),
            )
        )
    first, calls_before = told[0]
    assert (first.method, first.images, first.runs, first.done, calls_before) == (name, 2, runs, 0, 0)
    assert first.layer == (LAYER if name in LAYER_METHODS else "")
    assert first.unit.startswith("forward passes from the layer" if name == "ablationcam" else "forward passes of")
    assert sum(calls) == 2 * runs
    done = [work.done for work, _ in told]
    assert done == sorted(done)
    assert done[-1] == 2 * runs
    assert max(np.diff(done)) <= 4  # the batch size: progress comes with every chunk
    assert max(calls) == min(4, runs - 1)  # and no chunk is smaller than it need be


def test_the_hot_spot_lies_on_the_shape_that_was_asked_for():
    """The demo net on its scenes of two shapes: each class's peak in that class's box."""
    scenes = [scene for scene in demo_scenes() if len(scene.boxes) == 2][:2]
    methods = ["scorecam", "iscam", "ablationcam", "occlusion", "rise"]
    options = {"rise": {"masks": 200}, "iscam": {"steps": 2}}
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        for scene in scenes:
            explanation = net.explain(read_image(scene.path), list(scene.boxes), chosen(methods, options))
            for t, (top, left, bottom, right) in enumerate(scene.boxes.values()):
                for method in methods:
                    map = explanation.map(method, 0, t).placed()
                    row, column = np.unravel_index(map.argmax(), map.shape)
                    assert top <= row < bottom, (scene.path, method, t)
                    assert left <= column < right, (scene.path, method, t)


def test_the_graph_does_not_grow_with_the_calls():
    graph = NET.graph()
    binding = NET.binding()
    sizes = []
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, binding, 8)
        for class_ids in ([0, 1], [2, 3], [1, 0]):
            engine.run(
                request(
                    IMAGE,
                    class_asks(class_ids),
                    ALL,
                    binding.layers,
                    pixels=IMAGE,
                    to_batch=lambda pixels: pixels,
                    options=SMALL,
                )
            )
            sizes.append(len(graph.get_operations()))
    assert sizes[0] == sizes[1] == sizes[2]
    assert graph.finalized


MEMORY = """
import resource, sys
import numpy as np
sys.path.insert(0, {tests!r})
from small_nets import class_asks, request
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

graph = tf.Graph()
with graph.as_default(), override_map(graph):
    x = tf.placeholder(tf.float32, [None, 224, 224, 3], name="input")
    kernel = np.random.RandomState(0).randn(16, 16, 3, 512).astype(np.float32)
    a = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 16, 16, 1], "SAME"), name="features")
    tf.matmul(tf.reduce_mean(a, [1, 2]), tf.ones([512, 2]), name="logits")
layer = LayerInfo("features:0", "Relu", (None, 14, 14, 512))
binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), classes=2)
image = np.random.RandomState(1).rand(1, 224, 224, 3).astype(np.float32)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

with tf.Session(graph=graph) as sess:
    engine = MapEngine(graph, sess, binding, 8)
    def run(**options):
        name, = options
        how = dict(pixels=image, to_batch=lambda x: x, options=options)
        engine.run(request(image, class_asks([0]), [name], (layer,), **how))
    run(fasterscorecam=dict(channels=32))
    run(rise=dict(masks=32))
    before = peak()
    run(scorecam=dict())
    run(rise=dict(masks=400))
    run(ablationcam=dict())
    print(peak() - before)
"""


@pytest.mark.programs
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in KiB on Linux")
def test_memory_does_not_grow_with_the_number_of_masks():
    """512 masked images would be 308 MB; a chunk of 8, with its copies, was there before the peak was taken."""
    script = MEMORY.format(tests=str(Path(__file__).parent.parent / "support"))
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert float(done.stdout.splitlines()[-1]) < 60
