"""Nets whose answers on parts of the input are known: float64 twins, Shapley values by counting all sets."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
from perturbation_nets import run_on

from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf


class TanhNet:
    """x [h, w, 1] - tanh(x w1) w2, two logits: every pixel acts together with every other one."""

    def __init__(self, sides=(2, 4), seed=0):
        random = np.random.RandomState(seed)
        pixels = int(np.prod(sides))
        self.sides = sides
        self.w1 = random.randn(pixels, 6).astype(np.float32)
        self.w2 = random.randn(6, 2).astype(np.float32)
        self.image = random.uniform(0.5, 1.5, (1, *sides, 1)).astype(np.float32)

    def graph(self):
        graph = tf.Graph()
        with graph.as_default(), override_map(graph):
            x = tf.placeholder(tf.float32, [None, *self.sides, 1], name="input")
            a = tf.nn.relu(x, name="features") - tf.nn.relu(-x)
            tf.matmul(tf.tanh(tf.matmul(tf.reshape(a, [-1, len(self.w1)]), self.w1)), self.w2, name="logits")
        return graph

    def scores(self, shown):
        """Of the image with pixels hidden by 0: [M, P], 0..1 -> float64 [M, 2]."""
        pixels = np.asarray(shown, np.float64) * self.image.reshape(-1)
        return np.tanh(pixels @ self.w1.astype(np.float64)) @ self.w2.astype(np.float64)

    def map_of(self, name, **options):
        """The method's map of both classes, each pixel a part: [2, P]."""
        given = {"segments": np.arange(len(self.w1)).reshape(self.sides), "baseline": "zero", **options}
        maps, _ = self.run(name, given)
        return maps.reshape((2, -1))

    def run(self, name, options, class_ids=(0, 1)):
        answer = run_on(self.graph(), self.image, class_ids, [name], {name: options}, channels=1)
        return answer[name, ""][0], answer


def shapley_values(scores, players):
    """The definition: for every part and every set of the others, what the part adds. scores: bool [M, P] -> [M, T]."""
    total = 0.0
    for size in range(players):
        share = factorial(size) * factorial(players - size - 1) / factorial(players)
        rows = []
        for player in range(players):
            rest = [other for other in range(players) if other != player]
            before = np.zeros((len(list(combinations(rest, size))), players), bool)
            for row, members in zip(before, combinations(rest, size)):
                row[list(members)] = True
            after = before.copy()
            after[:, player] = True
            rows.append((scores(after) - scores(before)).sum(axis=0))
        total = total + share * np.array(rows)
    return total
