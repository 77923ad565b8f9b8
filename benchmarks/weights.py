"""The row of the sanity checks: maps of a net whose weights are drawn anew, layer after layer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from material import demo_net, scenes
from timing import Case, Ratio

from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.sanity.compared_maps import MapQuestion, of_engine
from gradcam_tf1.sanity.sanity_check import sanity_check
from gradcam_tf1.sanity.sanity_options import SanityOptions
from gradcam_tf1.sanity.weight_draws import draw_all, with_drawn
from gradcam_tf1.sanity.weight_layers import find_weight_layers

_IMAGES = 8


@contextmanager
def demo_sanity() -> Iterator[Case]:
    """The demo net, 8 images, its 6 layers with weights: the maps of the drawn nets, and all of the sanity check."""
    with demo_net() as net:
        images, explainer = scenes(_IMAGES), net.explainers[0]
        first = MapQuestion(explainer.prepare(images), "gradcam")
        question = first.fixed(first.ask(explainer).class_ids)
        layers = find_weight_layers(net.graph, net.binding).layers
        weights = explainer.engine.constants([each.name for layer in layers for each in layer.weights])
        paths = [scene.path for scene in demo_scenes()[:_IMAGES]]
        counts = range(1, len(layers) + 1)

        def draws() -> dict:
            return draw_all(weights, layers, "normal", 0)

        def explained() -> None:
            draws()
            for _ in counts:
                net.explain(images)

        def drawn() -> None:
            fresh = draws()
            for count in counts:
                question.ask(of_engine(explainer, with_drawn(weights, fresh, layers[:count], layers)))

        options = SanityOptions(modes="cascade", checks=())
        calls = f"{len(layers)} x explain + the weight draws"
        alternatives = {
            "explain": lambda: net.explain(images),
            "the weight draws": draws,
            calls: explained,
            "maps of the drawn nets": drawn,
            "sanity_check, cascade, with similarities": lambda: sanity_check(
                net, paths, methods="gradcam", options=options
            ),
        }
        yield Case(alternatives, [Ratio("maps of the drawn nets", calls, 1.0)])
