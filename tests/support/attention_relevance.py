"""The epsilon rule and those of AttnLRP through an `AttentionNet`, in float64 numpy, written from the paper.

https://arxiv.org/abs/2402.05602: linear layers and sums by x_i w_ij / u_j, equation 14 for softmax, 15 for products of
two activations, layer norms with a deviation that is held constant.
"""

from __future__ import annotations

import numpy as np
from attention_nets import HEADS, WIDTH, soft


def linear(x, w, relevance):
    """R_i = sum_j x_i w_ij R_j / u_j."""
    w = w.astype(float)
    return x * ((relevance / (x @ w)) @ w.T)


def product(a, b, relevance):
    """The relevance of both factors of a @ b."""
    s = relevance / (2 * (a @ b))
    return a * (s @ b.swapaxes(-1, -2)), b * (a.swapaxes(-1, -2) @ s)


def softmax(scores, relevance):
    return scores * (relevance - soft(scores) * relevance.sum(-1, keepdims=True))


class RelevanceTwin:
    """The relevance of the pixels of one image; `kept` is what the softmaxes keep."""

    def __init__(self, net, image, class_id):
        self.net, self.kept = net, 0.0
        self._back = []
        tokens = self._patches(image)
        for block in range(net.blocks):
            tokens = self._block(tokens, net.weights[block], block)
        if net.normed == "before":
            tokens = self._norm(tokens, net.norms[-1])
        relevance = np.zeros_like(tokens)
        pooled = tokens[:1] if net.class_token else tokens.mean(0, keepdims=True)
        self.score = (pooled @ net.head.astype(float))[0, class_id]
        of_pooled = pooled[0] * net.head[:, class_id]
        if net.class_token:
            relevance[0] = of_pooled
        else:
            relevance = tokens / tokens.sum(0) * of_pooled
        for step in reversed(self._back):
            relevance = step(relevance)
        self.relevance = relevance

    def _then(self, value, back):
        self._back.append(back)
        return value

    def _branch(self, tokens, build):
        """x + f(x), or f(x) where it returns a tuple of branches."""
        outer, self._back = self._back, []
        added = build(tokens)
        inner, self._back = self._back, outer

        def back(relevance):
            total = tokens + added
            through = relevance * added / total
            for step in reversed(inner):
                through = step(through)
            return relevance * tokens / total + through

        return self._then(tokens + added, back)

    def _patches(self, image):
        net = self.net
        high, wide = net.grid
        cells = image.astype(float).reshape(high, 4, wide, 4, 3).transpose(0, 2, 1, 3, 4).reshape(high * wide, -1)
        kernel = net.patch.astype(float).reshape(-1, WIDTH)
        plain = np.concatenate([net.first[0], cells @ kernel]) if net.class_token else cells @ kernel
        tokens = plain + net.place[0]

        def back(relevance):
            found = (relevance * plain / tokens)[int(net.class_token) :]
            pixels = linear(cells, kernel, found).reshape(high, wide, 4, 4, 3)
            return pixels.transpose(0, 2, 1, 3, 4).reshape(image.shape)

        return self._then(tokens, back)

    def _norm(self, tokens, weights):
        factor, shift = (each.astype(float) for each in weights)
        deviation = np.sqrt(tokens.var(-1, keepdims=True) + 1e-3)
        y = (tokens - tokens.mean(-1, keepdims=True)) / deviation * factor + shift

        def back(relevance):
            slope = factor / deviation * relevance / y
            return tokens * (slope - slope.mean(-1, keepdims=True))

        return self._then(y, back)

    def _dense(self, tokens, weights):
        return self._then(tokens @ weights.astype(float), lambda relevance: linear(tokens, weights, relevance))

    def _block(self, tokens, weights, block):
        net = self.net
        if not net.normed:
            return self._branch(tokens, lambda x: self._attended(x, weights))
        first, second = net.norms[2 * block : 2 * block + 2]
        before = net.normed == "before"
        tokens = self._branch(tokens, lambda x: self._attended(self._norm(x, first) if before else x, weights))
        tokens = tokens if before else self._norm(tokens, first)
        tokens = self._branch(tokens, lambda x: self._wide(self._norm(x, second) if before else x, net.wide[block]))
        return tokens if before else self._norm(tokens, second)

    def _wide(self, tokens, weights):
        return self._dense(np.maximum(self._dense(tokens, weights[0]), 0), weights[1])

    def _attended(self, tokens, weights):
        split = lambda each: each.reshape(self.net.tokens, HEADS, -1).transpose(1, 0, 2)  # noqa: E731
        join = lambda each: each.transpose(1, 0, 2).reshape(self.net.tokens, WIDTH)  # noqa: E731
        query, key, value = (split(tokens @ w.astype(float)) for w in weights[:3])
        scores = query @ key.swapaxes(-1, -2) / np.sqrt(WIDTH // HEADS)
        attention = soft(scores)

        def back(relevance):
            of_attention, of_value = product(attention, value, split(relevance))
            of_scores = softmax(scores, of_attention)
            self.kept += of_attention.sum() - of_scores.sum()
            of_query, of_key = product(query, key.swapaxes(-1, -2), of_scores)
            parts = (of_query, of_key.swapaxes(-1, -2), of_value)
            return sum(linear(tokens, w, join(part)) for w, part in zip(weights, parts))

        return self._dense(self._then(join(attention @ value), back), weights[3])
