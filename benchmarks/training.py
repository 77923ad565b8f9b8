"""Rows of training: what the hook costs between two sets of maps, and whether many sets need more memory."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import Any, Callable, Iterator

import numpy as np
from material import scenes, two_threads
from processes import alone
from timing import MEGABYTES, Case, Difference, Ratio

from gradcam_tf1 import GradCamGraph, GradCamHook, TrainingMaps
from gradcam_tf1.nets.train_demo import network_in_variables, training_batch
from gradcam_tf1.tf_runtime import tf

STEPS = 20
EARLY, LATE = "20", "200"  # sets of maps


def training_step() -> Any:
    """The op of one step of the demo net in the default graph, and what it is fed."""
    images, logits, averages = network_in_variables(training=True)
    labels = tf.placeholder(tf.float32, [None, 7])
    loss = tf.losses.sigmoid_cross_entropy(labels, logits)
    train = tf.train.AdamOptimizer().minimize(loss, tf.train.get_or_create_global_step())
    return [train, averages], dict(zip((images, labels), training_batch(np.random.RandomState(0), 8)))


def demo_maps(logdir: str, count: int) -> TrainingMaps:
    """Grad-CAM of some scenes, with the net for inference."""

    def net(model: Any) -> GradCamGraph:
        return GradCamGraph(model, preset="inception", config=two_threads())

    return TrainingMaps(
        list(scenes(count)), net, logdir=logdir, build=lambda: network_in_variables(training=False), on_error="stop"
    )


@contextmanager
def training_hook() -> Iterator[Case]:
    """The demo net in training, 20 steps of 8 images between sets of maps, without and with a hook: processor time."""
    with ExitStack() as stack:
        logdir = stack.enter_context(TemporaryDirectory())
        stack.enter_context(tf.Graph().as_default())
        step, feed = training_step()
        hook = GradCamHook(demo_maps(logdir, 2), every_n_steps=1_000_000)

        def steps(*hooks: Any) -> Callable[[], object]:
            creator = tf.train.ChiefSessionCreator(config=two_threads())
            session = stack.enter_context(tf.train.MonitoredSession(creator, hooks))
            session.run(step, feed)  # the first step has maps
            return lambda: _processor_time(lambda: session.run(step, feed))

        yield Case({"bare": steps(), "with the hook": steps(hook)}, [Ratio("with the hook", "bare", 1.02)])


def _processor_time(step: Callable[[], object]) -> float:
    """Seconds of all processors: what the hook adds is less than what a busy machine does to the time of the clock."""
    start = time.process_time()
    for _ in range(STEPS):
        step()
    return time.process_time() - start


@contextmanager
def training_memory() -> Iterator[Case]:
    """200 sets of maps of 4 scenes, one after each step, in a process of its own: the most memory that ever was."""
    found = alone("long_training", EARLY, LATE)
    early, late = f"after {EARLY} sets", f"after {LATE} sets"
    yield Case(
        {early: lambda: found[EARLY], late: lambda: found[LATE]}, [Difference(late, early, 20)], MEGABYTES, rounds=1
    )
