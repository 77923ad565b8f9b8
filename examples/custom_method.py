"""A method of your own, registered from outside: it then works wherever the name of a method is taken.

python examples/custom_method.py [PHOTOS [OUT]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow.compat.v1 as tf

from gradcam_tf1 import GradCamGraph, LayerMethod, Option, Results, method, register
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes

SCENES = str(Path(demo_scenes()[0].path).parent)


def sharpcam(features: tf.Tensor, grads: tf.Tensor, *, power: float) -> tf.Tensor:
    """Return LayerCAM of features raised to a power: float32 [N, h, w]; a ReLU follows."""
    return tf.reduce_sum(tf.nn.relu(grads) * features**power, axis=-1)


def main(photos: str = SCENES, out: str = "out/custom_method") -> Results:
    register(
        LayerMethod(
            "sharpcam",
            "positive evidence, strong features first",
            "https://doi.org/10.1109/TIP.2021.3089943",
            sharpcam,
            options=(Option("power", 2.0, above=0),),
        )
    )
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as net:
        same = net.explain(demo_scenes()[0].path, methods=["layercam", method("sharpcam", power=1)])
        difference = abs(same["layercam"] - same["sharpcam"]).max()
        print(f"power 1 is LayerCAM: the largest difference is {difference:.1g}")
        results = net.visualize_imgs(photos, out, methods=["layercam", "sharpcam"])
    for result in results:
        print(result.relative, result.labels[0], {map.method: map.peak for map in result.maps})
    return results


if __name__ == "__main__":
    main(*sys.argv[1:])
