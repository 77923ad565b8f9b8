"""The row of features: one picture beside the bare runs of the net that it needs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import numpy as np
from material import demo_net
from timing import Case, Ratio

from gradcam_tf1 import FeatureOptions
from gradcam_tf1.features.bound_units import bind_units
from gradcam_tf1.features.drawn_pictures import draw_pictures
from gradcam_tf1.features.feature_unit import as_units
from gradcam_tf1.features.unit_net import UnitNet
from gradcam_tf1.tf_runtime import tf

_STEPS = 64
_RUNS = 2 * _STEPS  # the object is seen on two backgrounds in each step


@contextmanager
def demo_picture() -> Iterator[Case]:
    """The demo net, the picture of a class: 64 steps, and 128 bare runs of the score and its gradient by the input."""
    with demo_net() as net:
        unit_net = UnitNet(net, (0, 255))
        units = bind_units(as_units(0), unit_net.explainer, unit_net.fed)
        with net.adding_ops() as graph:
            x, logits = (graph.get_tensor_by_name(name) for name in (net.binding.input, net.binding.logits))
            bare = [logits, tf.gradients(logits[:, 0], [x])[0]]
        image = np.random.RandomState(0).uniform(-1, 1, (1, *unit_net.sides, 3)).astype(np.float32)

        def runs() -> None:
            for _ in range(_RUNS):
                net.sess.run(bare, {x: image})

        def picture() -> object:
            return draw_pictures(unit_net, units, FeatureOptions(steps=_STEPS), lambda: None)

        whole, alone = "the picture", "forward and backward passes"
        yield Case({alone: runs, whole: picture}, [Ratio(whole, alone, 1.3)])
