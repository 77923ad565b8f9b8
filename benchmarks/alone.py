"""What is measured in a process of its own: python benchmarks/alone.py TASK prints the answer as JSON.

Nothing but the standard library is imported before the task is known: what a task imports is part of what it takes.
"""

from __future__ import annotations

import json
import sys
from tempfile import TemporaryDirectory
from typing import Any, Dict


def memory(field: str) -> float:
    """Bytes of this process: VmRSS is what is resident, VmHWM the most that ever was.

    Not `getrusage`: its maximum counts the process that started this one.
    """
    with open("/proc/self/status", encoding="ascii") as stream:
        return next(float(line.split()[1]) * 1024 for line in stream if line.startswith(field))


def long_run(*marks: str) -> Dict[str, Dict[str, float]]:
    """Resident bytes, and ops of the graph, when so many images are done."""
    from material import demo_net

    from gradcam_tf1 import RunOptions
    from gradcam_tf1.nets.demo import demo_scenes

    scenes = [scene.path for scene in demo_scenes()]
    paths = [scenes[n % len(scenes)] for n in range(int(marks[-1]))]
    found: Dict[str, Dict[str, float]] = {"bytes": {}, "ops": {}}
    with demo_net() as net, TemporaryDirectory() as out:

        def look(result: Any, _count: Any) -> None:
            done = str(result.index + 1)
            if done in marks:
                found["bytes"][done] = memory("VmRSS")
                found["ops"][done] = float(len(net.graph.get_operations()))

        net.visualize_imgs(paths, out, run=RunOptions(progress=look))
    return found


def long_training(*marks: str) -> Dict[str, float]:
    """The most bytes that were ever resident when so many sets of maps are written, one after each step."""
    from training import demo_maps, training_step

    from gradcam_tf1 import GradCamHook
    from gradcam_tf1.tf_runtime import tf

    found: Dict[str, float] = {}
    with TemporaryDirectory() as logdir, tf.Graph().as_default():
        step, feed = training_step()
        hook = GradCamHook(demo_maps(logdir, 4), every_n_steps=1)
        with tf.train.MonitoredSession(hooks=[hook]) as session:
            for done in range(1, int(marks[-1]) + 1):
                session.run(step, feed)
                if str(done) in marks:
                    found[str(done)] = memory("VmHWM")
    return found


def live_requests(*marks: str) -> Dict[str, float]:
    """The most bytes that were ever resident when so many requests of the live page are answered."""
    from live import many_requests

    found: Dict[str, float] = {}
    many_requests(lambda mark: found.update({mark: memory("VmHWM")}), *marks)
    return found


def write_vgg19(path: str) -> float:
    """A frozen file of VGG-19, and how many bytes it has: 549 MiB of weights and a few KB."""
    from material import vgg19

    with open(path, "wb") as stream:
        return float(stream.write(vgg19().graph_def.SerializeToString()))


def vgg19_peak(path: str) -> float:
    """The most bytes that were ever resident: load, Grad-CAM, Grad-CAM and Guided Grad-CAM of eight images."""
    from material import scenes, two_threads

    from gradcam_tf1 import GradCamGraph

    with GradCamGraph(path, preset="caffe", config=two_threads()) as net:
        net.explain(scenes(8))
        net.explain(scenes(8), methods=["gradcam", "guided_gradcam"])
    return memory("VmHWM")


def first_map(model: str, image: str) -> Any:
    """The first heat map."""
    from gradcam_tf1 import GradCamGraph
    from gradcam_tf1.images.image_files import read_image

    with GradCamGraph(model, preset="inception") as net:
        return net.explain(read_image(image))["gradcam"].tolist()


def bare_run(model: str, image: str) -> Any:
    """The net's answer, without this toolkit."""
    import cv2
    import tensorflow.compat.v1 as tf

    graph_def = tf.GraphDef()
    with open(model, "rb") as stream:
        graph_def.ParseFromString(stream.read())
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        height, width = sess.graph.get_tensor_by_name("input:0").shape.as_list()[1:3]
        pixels = cv2.resize(
            cv2.cvtColor(cv2.imread(image), cv2.COLOR_BGR2RGB), (width, height), interpolation=cv2.INTER_AREA
        )
        return sess.run("logits/BiasAdd:0", {"input:0": pixels[None] / 127.5 - 1}).tolist()


_ALONE = (long_run, live_requests, long_training, write_vgg19, vgg19_peak, first_map, bare_run)
TASKS = {task.__name__: task for task in _ALONE}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
