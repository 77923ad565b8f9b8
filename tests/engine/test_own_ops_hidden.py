"""The ops that we add to a net are nobody's layers: no message shows them, and no name finds them."""

from __future__ import annotations

import pytest

from gradcam_tf1 import BindingError, GradCamGraph
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes


@pytest.fixture(scope="module")
def used():
    """A net that has a method of each family among its ops."""
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        net.explain(demo_scenes()[0].path, methods=["gradcam", "guided_gradcam", "eigengradcam", "hirescam"])
        yield net


@pytest.mark.parametrize("name", ["nope", "Sum", "Mean", "gradcam_tf1", "Softmax_1", "grad", "mul"])
def test_names_find_the_same_before_and_after_ops_were_added(used, name):
    def told(net):
        try:
            return net.explain(demo_scenes()[0].path, layers=name).layers
        except BindingError as error:
            return str(error)

    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as fresh:
        wanted = told(fresh)
    assert told(used) == wanted
    assert "gradcam_tf1" not in str(wanted).replace(repr(name), "")


def test_our_own_ops_cannot_be_named_in_full(used):
    own = next(op for op in used.graph.get_operations() if op.name.startswith("gradcam_tf1/") and op.outputs)
    with pytest.raises(BindingError, match="no tensor"):
        used.explain(demo_scenes()[0].path, layers=own.outputs[0].name)


def test_a_wrong_layer_lists_the_layers_and_near_names(used):
    last = used.binding.layers[-1].name
    with pytest.raises(BindingError) as error:
        used.explain(demo_scenes()[0].path, layers="nope")
    assert f"layers, last one first: '{last}'" in str(error.value)
    near = last.split(":")[0].upper()
    with pytest.raises(BindingError, match=f"similar: .*'{last}'"):
        used.explain(demo_scenes()[0].path, layers=near)
    with pytest.raises(BindingError, match=f"layers, last one first: '{last}'"):
        GradCamGraph(demo_model(), layer="nope").binding  # noqa: B018
