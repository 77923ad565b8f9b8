"""A small transformer of images, spelled in several ways, with a float64 numpy twin."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf

HEADS, WIDTH, CLASSES = 2, 6, 3


def soft(values):
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def norm(tokens, weights):
    """Layer normalisation, of tensors or of arrays."""
    factor, shift = weights
    if isinstance(tokens, np.ndarray):
        centred = tokens - tokens.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-3) * factor + shift
    mean, variance = tf.nn.moments(tokens, [-1], keepdims=True)
    return tf.nn.batch_normalization(tokens, mean, variance, shift, factor, 1e-3)


class AttentionNet:
    """Patches of 4x4 -> tokens of 6 numbers -> blocks of attention with two heads -> class token or mean -> dense.

    spelling: "matmul" transposes to [N, heads, tokens, 3]; "einsum" is that of Keras, with Einsum ops.
    normed: "" has attention alone; "before" a layer norm before attention and before the dense layers that follow it,
    and one before the head, as in ViT; "after" one after each sum, as in BERT.
    fused: layer norms are one op, which only TensorFlow 2 runs on CPUs.
    """

    def __init__(self, size=(12, 16), class_token=True, blocks=2, spelling="matmul", seed=4, normed="", fused=False):
        random = np.random.RandomState(seed)
        self.size, self.grid = size, (size[0] // 4, size[1] // 4)
        self.class_token, self.blocks, self.spelling = class_token, blocks, spelling
        self.tokens = self.grid[0] * self.grid[1] + class_token
        draw = lambda *shape: random.randn(*shape).astype(np.float32)  # noqa: E731
        self.patch = draw(4, 4, 3, WIDTH) * 0.002
        self.first, self.place = draw(1, 1, WIDTH), draw(1, self.tokens, WIDTH) * 0.3
        # query, key, value and output of each block
        self.weights = [[draw(WIDTH, WIDTH) * scale for scale in (0.8, 0.8, 0.5, 0.5)] for _ in range(blocks)]
        self.head = draw(WIDTH, CLASSES)
        self.normed, self.written_norm = normed, fused_norm if fused else norm
        if normed:
            self.wide = [[draw(WIDTH, 8) * 0.6, draw(8, WIDTH) * 0.6] for _ in range(blocks)]
            # two for each block and one before the head: factor and shift
            self.norms = [(1 + 0.3 * draw(WIDTH), 0.3 * draw(WIDTH)) for _ in range(2 * blocks + 1)]
        self.images = random.uniform(0, 255, (2, *size, 3)).astype(np.float32)

    # TensorFlow

    def graph(self):
        graph = tf.Graph()
        with graph.as_default(), override_map(graph):
            x = tf.placeholder(tf.float32, [None, *self.size, 3], name="input")
            tokens = tf.reshape(
                tf.nn.conv2d(x, self.patch, [1, 4, 4, 1], "VALID"), [-1, self.tokens - self.class_token, WIDTH]
            )
            if self.class_token:
                tokens = tf.concat([tf.zeros_like(tokens[:, :1]) + self.first, tokens], axis=1)
            tokens = tf.identity(tokens + self.place, name="tokens")
            for block in range(self.blocks):
                tokens = self._block(tokens, block, self._attended, tf.nn.relu, self.written_norm)
            tokens = self._before_head(tokens, self.written_norm)
            pooled = tokens[:, 0] if self.class_token else tf.reduce_mean(tokens, axis=1)
            tf.nn.softmax(tf.matmul(pooled, self.head, name="logits"), name="prob")
        return graph

    def _block(self, tokens, block, attend, relu, norm):
        """One layer, of tensors or of arrays."""
        weights = self.weights[block]
        if not self.normed:
            return tokens + attend(tokens, weights)
        first, second = self.norms[2 * block : 2 * block + 2]
        before = self.normed == "before"
        tokens = tokens + attend(norm(tokens, first) if before else tokens, weights)
        tokens = tokens if before else norm(tokens, first)
        middle = relu(self._dense(norm(tokens, second) if before else tokens, self.wide[block][0]))
        tokens = tokens + self._dense(middle, self.wide[block][1])
        return tokens if before else norm(tokens, second)

    def _before_head(self, tokens, norm):
        return norm(tokens, self.norms[-1]) if self.normed == "before" else tokens

    def _attended(self, tokens, weights):
        query, key, value = (
            tf.reshape(self._dense(tokens, w), [-1, self.tokens, HEADS, WIDTH // HEADS]) for w in weights[:3]
        )
        if self.spelling == "einsum":
            scores = einsum("aecd,abcd->acbe", key, query)
            mixed = einsum("acbe,aecd->abcd", tf.identity(self.shares(scores * (WIDTH // HEADS) ** -0.5)), value)
        else:
            query, key, value = (tf.transpose(each, [0, 2, 1, 3]) for each in (query, key, value))
            scores = tf.matmul(query, key, transpose_b=True)
            mixed = tf.transpose(tf.matmul(self.shares(scores * (WIDTH // HEADS) ** -0.5), value), [0, 2, 1, 3])
        return self._dense(tf.reshape(mixed, [-1, self.tokens, WIDTH]), weights[3])

    def shares(self, scores):
        """What the values are weighted with, of tensors."""
        return tf.nn.softmax(scores)

    def _dense(self, tokens, weights):
        if isinstance(tokens, np.ndarray):
            return tokens @ weights.astype(float)
        high, wide = weights.shape
        return tf.reshape(tf.matmul(tf.reshape(tokens, [-1, high]), weights), [-1, self.tokens, wide])

    # the twin

    def forward(self, image, moved=(), layers=None):
        """The scores [3] and the maps of attention [blocks][heads, tokens, tokens] of one image.

        moved: (block, head, query, key, by) is added to the attention of a block, after its softmax.
        layers: how many the head is put behind; all by default.
        """
        high, wide = self.grid
        blocks = image.astype(float).reshape(high, 4, wide, 4, 3).transpose(0, 2, 1, 3, 4)
        tokens = np.einsum("hwijc,ijck->hwk", blocks, self.patch.astype(float)).reshape(-1, WIDTH)
        if self.class_token:
            tokens = np.concatenate([self.first[0].astype(float), tokens])
        tokens = tokens + self.place[0]
        maps = []

        def attend(tokens, weights):
            query, key, value = ((tokens @ w.astype(float)).reshape(self.tokens, HEADS, -1) for w in weights[:3])
            attention = soft(np.einsum("qhd,khd->hqk", query, key) / np.sqrt(WIDTH // HEADS))
            maps.append(attention.copy())
            if moved and moved[0] == len(maps) - 1:
                attention[moved[1:4]] += moved[4]
            mixed = np.einsum("hqk,khd->qhd", attention, value).reshape(self.tokens, WIDTH)
            return mixed @ weights[3].astype(float)

        for block in range(self.blocks if layers is None else layers):
            tokens = self._block(tokens, block, attend, lambda values: np.maximum(values, 0), norm)
        tokens = self._before_head(tokens, norm)
        pooled = tokens[0] if self.class_token else tokens.mean(axis=0)
        return pooled @ self.head.astype(float), maps

    def slopes(self, image, block):
        """dy/dA of one block, y of its own tokens, by central differences: [classes, heads, tokens, tokens]."""
        slopes = np.zeros((CLASSES, HEADS, self.tokens, self.tokens))
        for place in np.ndindex(*slopes.shape[1:]):
            up, down = (self.forward(image, (block, *place, by), block + 1)[0] for by in (1e-4, -1e-4))
            slopes[(slice(None), *place)] = (up - down) / 2e-4
        return slopes

    def on_grid(self, tokens):
        return tokens[int(self.class_token) :].reshape(self.grid)


def einsum(equation, *inputs):
    """The Einsum op, which tf.einsum of TensorFlow 1.15 does not make."""
    graph = tf.get_default_graph()
    attributes = {
        "equation": tf.AttrValue(s=equation.encode()),
        "N": tf.AttrValue(i=len(inputs)),
        "T": tf.AttrValue(type=tf.float32.as_datatype_enum),
    }
    made = graph.create_op("Einsum", list(inputs), [tf.float32], attrs=attributes, name="einsum")
    return made.outputs[0]


def fused_norm(tokens, weights):
    """The layer norm that Keras writes for [N, T, C]: a batch norm in training mode of [1, N T, C, 1]."""
    rows, size = tf.shape(tokens)[0] * tokens.shape[1], tokens.shape.as_list()[-1]
    cells = tf.reshape(tokens, [1, rows, size, 1])
    ones, zeros = tf.fill([rows], 1.0), tf.fill([rows], 0.0)
    normed = tf.nn.fused_batch_norm(cells, ones, zeros, epsilon=1e-3, data_format="NCHW")[0]
    factor, shift = weights
    return tf.reshape(normed, tf.shape(tokens)) * factor + shift
