"""Small nets of token ids, with weights that tests know."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.tf_runtime import tf

WORDS = ["<pad>", "<unk>", "the", "film", "was", "good", "bad", "not", "very", "boring"]
T, E = 10, 6
GOOD = np.array([1, -1, 0.5, 0, 0, 0])


def table():
    """Embeddings [V, E]: good is along one direction, bad and boring against it, padding is zero."""
    values = np.random.RandomState(0).randn(len(WORDS), E) * 0.3
    for word, strength in (("good", 2), ("bad", -2), ("boring", -1.5)):
        values[WORDS.index(word)] += strength * GOOD
    values[0] = 0
    return values.astype(np.float32)


HEAD = np.stack([-GOOD, GOOD], axis=1).astype(np.float32)  # negative, positive


def built(build, length=T, dtype=tf.int32):
    """The graph of a net: `build` makes what the head takes, [N, K], of the ids and the embeddings."""
    with tf.Graph().as_default() as graph:
        ids = tf.placeholder(dtype, [None, length], name="ids")
        whole = ids if dtype == tf.int32 else tf.cast(ids, tf.int32)
        pooled = build(whole, tf.nn.embedding_lookup(tf.constant(table()), whole))
        random = np.random.RandomState(1).randn(int(pooled.shape[-1]), 2).astype(np.float32)
        head = HEAD if random.shape == HEAD.shape else random
        tf.nn.softmax(tf.matmul(pooled, tf.constant(head), name="logits"), name="probabilities")
    return graph


def frozen(build, length=T, dtype=tf.int32):
    return built(build, length, dtype).as_graph_def()


def masked_mean(ids, embedded):
    """The mean of the embeddings of the words, which needs the ids besides."""
    mask = tf.cast(tf.not_equal(ids, 0), tf.float32)[:, :, tf.newaxis]
    return tf.reduce_sum(embedded * mask, 1) / tf.maximum(tf.reduce_sum(mask, 1), 1)


KERNEL = np.random.RandomState(2).randn(3, E, E).astype(np.float32)


def convolution(_, embedded):
    return tf.reduce_mean(tf.nn.relu(tf.nn.conv1d(embedded, tf.constant(KERNEL), 1, "SAME"), name="features"), 1)


def windows(_, embedded):
    """Kernels over whole embeddings, as 2-D convolutions of [N, T, E, 1]: the text CNN of many tutorials."""
    pooled = []
    for size in (2, 3):
        kernel = np.random.RandomState(size).randn(size, E, 1, 4).astype(np.float32)
        maps = tf.nn.relu(tf.nn.conv2d(embedded[..., tf.newaxis], tf.constant(kernel), [1, 1, 1, 1], "VALID"))
        pooled.append(tf.reduce_max(maps, axis=[1, 2]))
    return tf.concat(pooled, axis=1)


def attention(_, embedded):
    """Words and positions, and one head of self-attention."""
    places = tf.nn.embedding_lookup(tf.constant(np.random.RandomState(3).randn(T, E).astype(np.float32)), tf.range(T))
    words = embedded + places
    return tf.reduce_mean(tf.matmul(tf.nn.softmax(tf.matmul(words, words, transpose_b=True)), words), 1)


def recurrent(_, embedded):
    """A simple recurrent net in a while_loop."""
    steps = tf.transpose(embedded, [1, 0, 2])
    inner = tf.constant(np.random.RandomState(4).randn(2 * E, E).astype(np.float32) * 0.4)

    def step(t, state):
        return t + 1, tf.tanh(tf.matmul(tf.concat([tf.gather(steps, t), state], 1), inner))

    first = tf.zeros_like(steps[0])
    shapes = [tf.TensorShape([]), tf.TensorShape([None, E])]
    state = tf.while_loop(lambda t, _: t < T, step, [0, first], shapes)[1]
    state.set_shape([None, E])
    return state


NETS = {net.__name__: net for net in (masked_mean, convolution, windows, attention, recurrent)}


def of_spectrograms():
    """A net of spectrograms [N, 40, 16, 1]: the GraphDef."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 40, 16, 1], name="x")
        kernel = np.random.RandomState(5).randn(3, 3, 1, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(x, tf.constant(kernel), [1, 1, 1, 1], "SAME"))
        head = np.random.RandomState(6).randn(4, 3).astype(np.float32)
        tf.nn.softmax(tf.matmul(tf.reduce_mean(features, [1, 2]), tf.constant(head), name="logits"))
    return graph.as_graph_def()
