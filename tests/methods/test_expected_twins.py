"""Expected gradients and GradientSHAP against a float64 twin that draws the same points."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import SmallNet

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import method

NET = SmallNet("flat", seed=4)
IMAGES = np.random.RandomState(5).rand(2, 8, 12, 3).astype(np.float32) * 255
STARTS = np.random.RandomState(6).rand(3, 8, 12, 3).astype(np.float32) * 255


def twin(image, class_id, count, level, seed):
    """Mean over the starts of the mean over a point in each part of the way, one point after the other."""
    random = np.random.RandomState(seed)
    means = []
    for parts in [3, 2, 2] if count == 7 else [1, 1, 1]:
        start, terms = STARTS[len(means)].astype(np.float64), []
        for part in range(parts):
            noise = random.standard_normal(image.shape) * level * np.ptp(image) if level else 0
            way = image.astype(np.float64) + noise - start
            at = start + way * random.uniform(part / parts, (part + 1) / parts)
            terms.append(way * NET.pixel_grads(at[np.newaxis], class_id, guided=False)[0])
        means.append(np.mean(terms, axis=0))
    return np.mean(means, axis=0)


@pytest.mark.parametrize("samples", [1, 7])
@pytest.mark.parametrize(("name", "level"), [("expected_gradients", 0), ("gradient_shap", 0), ("gradient_shap", 0.2)])
@pytest.mark.parametrize("channels_first", [False, True])
def test_they_equal_the_float64_twin(name, level, samples, channels_first):
    options = {"baselines": STARTS, "samples": samples, "seed": 9}
    asked = method(name, **options, **({"level": level} if name == "gradient_shap" else {}))
    graph = NET.graph(channels_first=channels_first).as_graph_def()
    with GradCamGraph(graph, preset="raw", layer="features", logits="logits") as net:
        found = net.explain(IMAGES, [1, 2], [asked])
    for n, image in enumerate(IMAGES):
        for t, class_id in enumerate((1, 2)):
            expected = twin(image, class_id, samples, level, 9)
            np.testing.assert_allclose(found[name][n, t], expected, atol=1e-4 * np.abs(expected).max())
