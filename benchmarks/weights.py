"""The row of the sanity checks: maps of a net whose weights are drawn anew, layer after layer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterator, Sequence

from material import demo_net, scenes
from timing import Case, Ratio

from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.sanity.sanity_check import METHODS_CHECKED, sanity_check
from gradcam_tf1.sanity.sanity_options import SIMILARITY_NAMES, SanityOptions
from gradcam_tf1.sanity.weight_draws import draw_all
from gradcam_tf1.sanity.weight_layers import find_weight_layers

_IMAGES = 8


def _checked(methods: Sequence[str]) -> Iterator[Case]:
    """The demo net, 8 images, its 6 layers with weights: the cascade, and as many explanations of the intact net."""
    with demo_net() as net:
        layers = find_weight_layers(net.graph, net.binding).layers
        weights = net.explainers[0].engine.constants([each.name for layer in layers for each in layer.weights])
        paths = [scene.path for scene in demo_scenes()[:_IMAGES]]
        calls = f"reading, {len(layers)} x explain and the weight draws"

        def draws() -> object:
            return draw_all(weights, layers, "normal", 0)

        def explained() -> None:
            images = scenes(_IMAGES)
            draws()
            for _ in layers:
                net.explain(images, methods=methods)

        def sanity(similarities: Sequence[str]) -> Callable[[], object]:
            options = SanityOptions(modes="cascade", checks=(), similarities=similarities)
            return lambda: sanity_check(net, paths, methods=methods, options=options)

        whole = "sanity_check, cascade"
        alternatives = {
            "reading": lambda: scenes(_IMAGES),
            "the weight draws": draws,
            calls: explained,
            whole: sanity(["spearman"]),
            f"{whole}, with SSIM and HOG": sanity(SIMILARITY_NAMES),
        }
        yield Case(alternatives, [Ratio(whole, calls, 1.0)])


@contextmanager
def demo_sanity() -> Iterator[Case]:
    """Grad-CAM."""
    yield from _checked(["gradcam"])


@contextmanager
def demo_sanity_of_three() -> Iterator[Case]:
    """The methods that are checked by default."""
    yield from _checked(METHODS_CHECKED)
