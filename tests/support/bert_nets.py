"""A small BERT, written as its TensorFlow 1 code writes it, with variables folded as for serving."""

from __future__ import annotations

import math

import numpy as np

from gradcam_tf1.tf_runtime import tf

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "film", "was", "good", "bad", "bor", "##ing", "##ed", "!"]
T, E, HEADS, LAYERS, POSITIONS = 8, 8, 2, 2, 16


def variable(random, name, shape):
    return tf.get_variable(name, initializer=np.float32(random.randn(*shape) * 0.5))


def lookup(ids, table, one_hot):
    """embedding_lookup of BERT: [N, T] -> [N, T, E], by flat ids; the sides are checked by Assert ops."""
    vocabulary, size = table.shape.as_list()
    expanded = tf.expand_dims(ids, axis=[-1])
    flat = tf.reshape(expanded, [-1])
    rows = tf.matmul(tf.one_hot(flat, depth=vocabulary), table) if one_hot else tf.gather(table, flat)
    sides = tf.shape(ids)
    return tf.reshape(rows, [sides[0], ids.shape.as_list()[1] or sides[1], size])


def layer_norm(random, values, name):
    with tf.variable_scope(name):
        mean, variance = tf.nn.moments(values, [-1], keepdims=True)
        gamma = tf.get_variable("gamma", initializer=np.float32(1 + 0.1 * random.randn(E)))
        beta = tf.get_variable("beta", initializer=np.float32(0.1 * random.randn(E)))
        return tf.nn.batch_normalization(values, mean, variance, beta, gamma, 1e-12)


def dense(random, values, units, name, activation=None):
    with tf.variable_scope(name):
        kernel = variable(random, "kernel", (values.shape.as_list()[-1], units))
        bias = variable(random, "bias", (units,))
        found = tf.nn.bias_add(tf.matmul(values, kernel), bias)
        return found if activation is None else activation(found)


def gelu(x):
    return x * 0.5 * (1.0 + tf.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * tf.pow(x, 3))))


def embeddings(random, ids, segments, keep, one_hot):
    with tf.variable_scope("embeddings"):
        words = lookup(ids, variable(random, "word_embeddings", (len(PIECES), E)), one_hot)
        sides, length = tf.shape(ids), ids.shape.as_list()[1]
        flat = tf.one_hot(tf.reshape(segments, [-1]), depth=2)
        types = tf.matmul(flat, variable(random, "token_type_embeddings", (2, E)))
        found = words + tf.reshape(types, [sides[0], length or sides[1], E])
        with tf.control_dependencies([tf.assert_less_equal(length or sides[1], POSITIONS)]):
            every = variable(random, "position_embeddings", (POSITIONS, E))
            places = tf.slice(every, [0, 0], [length or sides[1], -1])
        found = found + tf.reshape(places, [1, length or sides[1], E])
        return tf.nn.dropout(layer_norm(random, found, "LayerNorm"), keep_prob=keep)


def attention(random, values, adder, sides, keep):
    def by_head(name):
        flat = dense(random, values, E, name)
        return tf.transpose(tf.reshape(flat, [*sides, HEADS, E // HEADS]), [0, 2, 1, 3])

    with tf.variable_scope("self"):
        query, key, value = (by_head(name) for name in ("query", "key", "value"))
        scores = tf.multiply(tf.matmul(query, key, transpose_b=True), 1.0 / math.sqrt(E // HEADS))
        probabilities = tf.nn.dropout(tf.nn.softmax(scores + adder), keep_prob=keep)
        context = tf.transpose(tf.matmul(probabilities, value), [0, 2, 1, 3])
        return tf.reshape(context, [sides[0] * sides[1], E])


def attention_adder(ids, mask):
    """0 where a token may be looked at, -10000 at padding: [N, 1, T, T]."""
    sides = tf.shape(ids)
    to_mask = tf.cast(tf.reshape(mask, [sides[0], 1, ids.shape.as_list()[1] or sides[1]]), tf.float32)
    ones = tf.ones(shape=[sides[0], ids.shape.as_list()[1] or sides[1], 1], dtype=tf.float32)
    return (1.0 - tf.cast(tf.expand_dims(ones * to_mask, axis=[1]), tf.float32)) * -10000.0


def bert(
    length=T, one_hot=False, mask_name="input_mask", segments_name="segment_ids", adder=attention_adder, layers=LAYERS
):
    """The GraphDef: input_ids, input_mask, segment_ids [N, T] to "loss/logits:0", [N, 2]."""
    random = np.random.RandomState(11)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        ids, mask, segments = (
            tf.placeholder(tf.int32, [None, length], name=name) for name in ("input_ids", mask_name, segments_name)
        )
        keep = tf.placeholder_with_default(1.0, [], name="keep_prob")
        with tf.variable_scope("bert"):
            found = embeddings(random, ids, segments, keep, one_hot)
            added = adder(ids, mask)
            sides = [tf.shape(ids)[0], length or tf.shape(ids)[1]]
            flat = tf.reshape(found, [-1, E])
            for number in range(layers):
                with tf.variable_scope(f"encoder/layer_{number}"):
                    with tf.variable_scope("attention"):
                        heads = dense(random, attention(random, flat, added, sides, keep), E, "output")
                        flat = layer_norm(random, tf.nn.dropout(heads, keep_prob=keep) + flat, "output/LayerNorm")
                    inner = dense(random, flat, 2 * E, "intermediate", gelu)
                    flat = layer_norm(random, dense(random, inner, E, "output") + flat, "output/LayerNorm")
            sequence = tf.reshape(flat, [*sides, E])
            first = tf.squeeze(sequence[:, 0:1, :], axis=1)
            pooled = tf.nn.dropout(dense(random, first, E, "pooler/dense", tf.tanh), keep_prob=keep)
        weights = variable(random, "output_weights", (2, E))
        with tf.variable_scope("loss"):
            logits = tf.nn.bias_add(tf.matmul(pooled, weights, transpose_b=True), variable(random, "output_bias", (2,)))
            tf.identity(tf.nn.softmax(logits, axis=-1, name="Softmax"), name="probabilities")
        session.run(tf.global_variables_initializer())
        names = [logits.op.name, "loss/probabilities"]
        return tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), names)
