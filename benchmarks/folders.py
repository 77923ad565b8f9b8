"""Rows of whole folders through `visualize_imgs`."""

from __future__ import annotations

import itertools
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Iterator, List, Sequence, Tuple

from material import demo_net, mobilenet, photographs, two_threads, vgg19
from timing import Case, Ratio

from gradcam_tf1 import GradCamGraph, RunOptions
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.run.plan import DEFAULT_METHODS
from gradcam_tf1.run.worker_threads import check_threads

PHOTOGRAPHS = 500
VGG_PHOTOGRAPHS = 64
BATCH = 8


def against_cpu(net: GradCamGraph, paths: Sequence[str], out: str) -> Case:
    """Wall time against the CPU seconds of this process over the cores that it may use."""
    cores, spent = check_threads(None), [0.0]

    def run() -> None:
        start = time.process_time()
        net.visualize_imgs(paths, out)
        spent[0] = time.process_time() - start

    alternatives = {"wall": run, "CPU / cores": lambda: spent[0] / cores}
    return Case(alternatives, [Ratio("wall", "CPU / cores", 1.2)])


@contextmanager
def demo_folder() -> Iterator[Case]:
    """The demo net, a folder of 96 images: wall time against the CPU seconds of this process / cores.

    Nothing else must be running: what others take of the cores counts as waiting.
    """
    with demo_net() as net, TemporaryDirectory() as out:
        yield against_cpu(net, [scene.path for scene in demo_scenes()] * 8, out)


@contextmanager
def mobilenet_folder() -> Iterator[Case]:
    """MobileNet 0.25, a folder of 500 photographs: the same."""
    with mobilenet() as net, TemporaryDirectory() as photos, TemporaryDirectory() as out:
        case = against_cpu(net, photographs(PHOTOGRAPHS, Path(photos)), out)
        yield Case(case.alternatives, case.targets, rounds=3)


@contextmanager
def run_with_report() -> Iterator[Case]:
    """MobileNet 0.25, a folder of 500 photographs: the same run with and without `--report`."""
    with mobilenet() as net, TemporaryDirectory() as photos, TemporaryDirectory() as out:
        yield reported(net, photographs(PHOTOGRAPHS, Path(photos)), out)


@contextmanager
def vgg19_with_report() -> Iterator[Case]:
    """VGG-19, a folder of 64 photographs: the same."""
    with GradCamGraph(vgg19(), batch_size=BATCH) as net, TemporaryDirectory() as photos, TemporaryDirectory() as out:
        yield reported(net, photographs(VGG_PHOTOGRAPHS, Path(photos)), out)


def reported(net: GradCamGraph, paths: Sequence[str], out: str) -> Case:
    """A run with its report, against the same run without."""
    places = (f"{out}/{number}" for number in itertools.count())  # a new folder each time, as for a user
    alternatives = {
        "without report": lambda: net.visualize_imgs(paths, next(places)),
        "with report": lambda: net.visualize_imgs(paths, next(places), run=RunOptions(report=True)),
    }
    return Case(alternatives, [Ratio("with report", "without report", 1.1)], rounds=5)


@contextmanager
def vgg19_folder() -> Iterator[Case]:
    """VGG-19, a folder of 64 photographs: `visualize_imgs` against nothing but `session.run` of the same.

    Where `isal` is installed, PNG files are written by it.
    """
    with GradCamGraph(vgg19(), batch_size=BATCH, config=two_threads()) as net, TemporaryDirectory() as folder:
        paths = photographs(VGG_PHOTOGRAPHS, Path(folder))
        alternatives, ratios = {}, []
        for what, methods in (("gradcam", ["gradcam"]), ("default methods", list(DEFAULT_METHODS))):
            bare, whole = f"session.run, {what}", f"visualize_imgs, {what}"
            alternatives[bare] = replay(net, paths, methods)
            alternatives[whole] = lambda methods=methods: net.visualize_imgs(paths, f"{folder}/out", methods=methods)
            ratios.append(Ratio(whole, bare, 1 / 0.95))
            light = f"{whole}, jpeg"
            alternatives[light] = lambda methods=methods: net.visualize_imgs(
                paths, f"{folder}/out", methods=methods, run=RunOptions(image_format="jpeg")
            )
            ratios.append(Ratio(light, bare, 1 / 0.98))
        yield Case(alternatives, ratios, rounds=3)


def replay(net: GradCamGraph, paths: Sequence[str], methods: List[str]) -> Callable[[], List[Any]]:
    """The runs of the session that `explain` makes of these images, without anything around them; their answers."""
    runs: List[Tuple[Any, Any]] = []
    (live,) = net._sessions
    run, run_again = net.sess.run, live.run_again

    def recording(tensors: Any, feed: Any) -> Any:
        runs.append((list(tensors), feed))
        return run_again(tensors, feed)

    live.run_again = recording
    try:
        for start in range(0, len(paths), BATCH):
            fitted = [net.fit_image(read_image(path)) for path in paths[start : start + BATCH]]
            net.explain(fitted, methods=methods)
    finally:
        del live.run_again

    return lambda: [run(tensors, feed) for tensors, feed in runs]
