"""Noisy copies report their progress, and an error of the report ends the call without harm."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1 import ExplainOptions, Noise, method
from gradcam_tf1.nets.demo import demo_scenes

SCENES = [scene.path for scene in demo_scenes()[:2]]


def explain(net, report, methods, **options):
    return net.explain(SCENES, 1, methods, options=ExplainOptions(progress=report, **options))


def test_each_noisy_copy_of_all_images_is_reported(net):
    steps = []
    explain(net, steps.append, ["gradcam", "layercam"], noise=Noise(samples=3))
    assert {(step.method, step.layer, step.images, step.runs, step.unit) for step in steps} == {
        ("gradcam, layercam", "", 2, 3, "noisy copies")
    }
    assert [step.done for step in steps] == [0, 2, 4, 6]


def test_methods_that_report_themselves_are_not_reported_twice(net):
    steps = []
    explain(net, steps.append, method("rise", masks=10), noise=Noise(samples=2))
    assert {step.method for step in steps} == {"rise"}


class Enough(Exception):
    pass


@pytest.mark.parametrize(
    ("methods", "options"),
    [("gradcam", {"noise": Noise(samples=5)}), (method("rise", masks=100), {}), (method("occlusion", window=20), {})],
    ids=["noise", "rise", "occlusion"],
)
def test_an_error_of_the_report_ends_the_call_and_leaves_the_net_as_it_was(net, methods, options):
    before = explain(net, None, methods, **options)

    def stop(step):
        if step.done:
            raise Enough

    with pytest.raises(Enough):
        explain(net, stop, methods, **options)
    after = explain(net, None, methods, **options)
    for key, maps in before.maps.items():
        assert np.array_equal(maps, after.maps[key])
