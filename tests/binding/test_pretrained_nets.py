"""Pretrained nets bind as listed: input, logits, probabilities, layer, size, feeds."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pytest
from real_models import find_models

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.json_report import binding_report
from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.errors import BindingError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

FOLDER = find_models()
NETS = json.loads((FOLDER / "models.json").read_text()) if FOLDER else {}
# a detector with a loop, several nets and its own placeholders: it binds only with values for these
NEEDS_VALUES = [name for name, net in NETS.items() if net.get("nobatch")]

pytestmark = pytest.mark.skipif(not NETS, reason="no real nets: set GRADCAM_TF1_MODELS or put them at ../shared/models")


@pytest.fixture(scope="module", autouse=True)
def closed_at_the_end():
    yield
    opened.cache_clear()


@lru_cache(maxsize=None)
def opened(name):
    model = load(str(FOLDER / NETS[name]["path"]))
    return model, import_graph(model.graph_def, name)


def bound(name, **requested):
    model, graph = opened(name)
    return bind(
        graph, declared_inputs=model.inputs, declared_outputs=model.outputs, requested=KeyTensors(**requested)
    )  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NETS if name not in NEEDS_VALUES])
def test_bound_as_listed(name):
    net, binding = NETS[name], bound(name)
    height, width, channels = net["size"]
    assert binding.input == net["input"]
    assert binding.logits == net["logits"]
    assert binding.channels == channels
    assert binding.dtype == net.get("dtype", "float32")
    assert binding.image_size in ((height, width), (None, None))
    assert net.get("feed", {}).items() <= binding.feeds.items()
    json.dumps(binding_report(binding))
    check_layer(opened(name)[1], net, binding)
    check_probabilities(name, net, binding)


def leads_past(graph, start, end, name):
    """Return whether a path leads from one tensor to another past a third."""
    seen, stack = {name, end}, [end]
    while stack:
        for before in graph.get_tensor_by_name(stack.pop()).op.inputs:
            if before.name not in seen:
                seen.add(before.name)
                stack.append(before.name)
    return start in seen


def check_layer(graph, net, binding):
    """Check for the listed convolution, or for its map after the activation that follows, as the reason says.

    Where that is of one branch alone (a detector's finest scale): a map that all branches have, and that is said.
    """
    names = [layer.name for layer in binding.layers]
    assert net["conv"] in names
    if leads_past(graph, net["input"], net["logits"], net["conv"]):
        assert not leads_past(graph, net["input"], net["logits"], binding.layer)
        assert binding.layer in names
        assert f"'{net['conv']}'" in binding.reasons["layer"]
        return
    assert binding.layer == names[-1]
    if binding.layer != net["conv"]:
        assert (names[-2], binding.layers[-2].counted) == (net["conv"], False)
        assert f"'{net['conv']}' (Conv2D) after its activation" in binding.reasons["layer"]


def check_probabilities(name, net, binding):
    """As listed, unless that is the sigmoid of a single class; always the softmax or sigmoid of the logits."""
    if binding.probabilities != net["probs"]:
        assert binding.probabilities is None
        assert opened(name)[1].get_tensor_by_name(net["probs"]).shape.rank == 1
        return
    if binding.probabilities in (None, binding.logits):
        return
    height, width, channels = net["size"]
    batch = np.random.RandomState(0).rand(1, height, width, channels) * (255 if binding.dtype == "uint8" else 1)
    with tf.Session(graph=opened(name)[1]) as sess:
        feed = {binding.input: batch.astype(binding.dtype), **binding.feeds}
        logits, probabilities = sess.run([binding.logits, binding.probabilities], feed)
    if logits.size == probabilities.size:
        powers = np.exp(logits.reshape(-1) - logits.max())
        np.testing.assert_allclose(probabilities.reshape(-1), powers / powers.sum(), rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("name", NEEDS_VALUES)
def test_refused_in_one_sentence_without_its_values(name):
    net = NETS[name]
    with pytest.raises(BindingError, match="the scores need values for") as error:
        bound(name)
    assert all(placeholder in str(error.value) for placeholder in net["feed"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", NEEDS_VALUES)
def test_bound_with_its_values_and_the_scores_named(name):
    net = NETS[name]
    binding = bound(name, feed=net["feed"], logits=net["logits"])
    assert (binding.input, binding.logits, binding.has_batch_axis) == (net["input"], net["logits"], False)
    assert net["conv"] in [layer.name for layer in binding.layers]
    # gradients flow through its loop: checked once by finite differences, 5 to 20 % off on 32-bit scores
    assert not any("no gradient leads" in warning for warning in binding.warnings)


@pytest.mark.parametrize("name", [name for name, net in NETS.items() if net["probs"] and net["probs"] != net["logits"]])
def test_softmax_named_as_logits_is_walked_back(name):
    net = NETS[name]
    binding = bound(name, logits=net["probs"])
    if opened(name)[1].get_tensor_by_name(net["probs"]).shape.rank == 1:  # one class cut out: its own score is kept
        assert opened(name)[1].get_tensor_by_name(binding.logits).shape.rank == 1
    else:
        assert binding.logits == net["logits"]
    assert any("bound as score; using" in warning for warning in binding.warnings)
