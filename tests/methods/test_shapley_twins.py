"""DeepLIFT, DeepSHAP and GradientSHAP equal captum and shap, whose maps `scripts/shapley_twins.py` has stored."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from pixel_nets import explain

from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

ROOT = Path(__file__).resolve().parent.parent.parent
STORED = dict(np.load(ROOT / "tests" / "data" / "shapley_twins.npz"))


@pytest.fixture(scope="module")
def script():
    """The script, with empty modules in place of the packages that it takes from its own environment."""
    peers = {name: types.ModuleType(name) for name in ("shap", "torch", "captum", "captum.attr")}
    peers["torch"].nn = types.SimpleNamespace(Module=object)
    peers["torch"].Tensor = object
    for name in ("DeepLift", "DeepLiftShap", "GradientShap", "IntegratedGradients"):
        setattr(peers["captum.attr"], name, None)
    hidden = {name: sys.modules.get(name) for name in (*peers, "importlib.metadata")}
    peers["importlib.metadata"] = types.SimpleNamespace(version=None)
    sys.modules.update(peers)
    try:
        spec = importlib.util.spec_from_file_location("shapley_twins", str(ROOT / "scripts" / "shapley_twins.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        for name, module in hidden.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


# the activation, the pool and the activation of the second convolution
KINDS = {
    "rectified": ("relu", "MAX", "relu"),
    "averaged": ("relu", "AVG", "relu"),
    "smooth": ("elu", "AVG", "sigmoid"),
}


def net(script, kind):
    values = {name: value.astype(np.float32) for name, value in script.drawn().items()}
    activation, pool, last = KINDS[kind]
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, *script.SIDES, script.CHANNELS], name="input")
        hidden = getattr(tf.nn, activation)(tf.nn.conv2d(x, values["kernel"], 1, "SAME") + values["bias"])
        pooled = tf.nn.pool(hidden, [2, 2], pool, "VALID", strides=[2, 2])
        layer = tf.identity(pooled, name="features")
        second = tf.nn.bias_add(tf.nn.conv2d(layer, values["inner"], 1, "SAME"), values["bias"])
        mean = tf.reduce_mean(getattr(tf.nn, last)(second), [1, 2])
        tf.nn.bias_add(tf.matmul(mean, values["dense"]), values["offset"], name="logits")
    layer = LayerInfo("features:0", "Identity", (None, 4, 3, script.HIDDEN))
    fields = {"layers": (layer,), "image_size": script.SIDES, "channels": script.CHANNELS, "classes": script.CLASSES}
    return graph, Binding("input:0", "logits:0", "features:0", **fields)


def ours(script, kind, method, batch_size=8, **options):
    """The map of the stored image. Baselines are as the net takes them: nothing is preprocessed."""
    image = script.drawn()["image"].astype(np.float32)[np.newaxis]
    how = {"pixels": image, "to_batch": lambda pixels: pixels.astype(np.float32)}
    answer = explain(
        *net(script, kind), image, [script.CLASS], [method], options={method: options}, batch_size=batch_size, **how
    )
    ((_, maps),) = answer.maps.items()
    return maps[0, 0]


def starts(script):
    return script.drawn()["baselines"].astype(np.float32)


def assert_near(found, expected, share=2e-5):
    assert np.abs(found - expected).max() < share * np.abs(expected).max()


PEERS = [("shap", "rectified"), *((peer, kind) for peer in ("captum", "shap") for kind in ("averaged", "smooth"))]


@pytest.mark.parametrize(("peer", "kind"), PEERS)
def test_deeplift_equals_captum_and_shap(script, peer, kind):
    found = ours(script, kind, "deeplift", baseline=starts(script)[0])
    assert_near(found, STORED[f"{peer}_deeplift_{kind}"])


@pytest.mark.parametrize(("peer", "kind"), PEERS)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_deepshap_equals_captum_and_shap_in_batches_of_any_size(script, peer, kind, batch_size):
    found = ours(script, kind, "deepshap", batch_size, baselines=starts(script))
    assert_near(found, STORED[f"{peer}_deepshap_{kind}"])


@pytest.mark.parametrize("kind", ["averaged", "smooth"])
def test_liftcam_is_made_of_captums_deeplift_of_the_features(script, kind):
    assert_near(ours(script, kind, "liftcam"), np.maximum(STORED[f"captum_liftcam_{kind}"], 0))


def test_expected_gradients_come_to_integrated_gradients_of_all_baselines(script):
    """captum's integrated gradients of 400 steps, averaged over the baselines."""
    found = ours(script, "smooth", "expected_gradients", baselines=starts(script), samples=3000)
    assert_near(found, STORED["captum_paths"], 0.003)


@pytest.mark.parametrize(
    ("stored", "method", "options"),
    [
        ("plain", "gradient_shap", {"level": 0.0}),
        ("plain", "expected_gradients", {}),
        ("noisy", "gradient_shap", {"level": 1.5}),
    ],
)
def test_gradient_shap_comes_to_captums_mean_of_20000_samples(script, stored, method, options):
    """captum's deviation is 1.5 in the image's units, ours a share of the image's range."""
    image = script.drawn()["image"]
    if options.get("level"):
        options = {"level": options["level"] / float(image.max() - image.min())}
    found = ours(script, "smooth", method, baselines=starts(script), samples=6000, **options)
    off = {name: np.abs(found - STORED[f"captum_gradient_shap_{name}"]).max() for name in ("plain", "noisy")}
    largest = np.abs(found).max()
    assert off.pop(stored) < (0.08 if stored == "noisy" else 0.01) * largest
    assert min(off.values()) > 0.25 * largest
