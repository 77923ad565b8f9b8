"""The random numbers of numpy's RandomState in ordinary ops, so that an exported model averages over the same noise.

The Mersenne Twister makes 624 words of 32 bits from the last 624; two words are one float64; two floats that fall into
the unit circle are two normal numbers (Marsaglia's polar method). The state of a seed takes 2.5 kB, the numbers for 25
images of 224 x 224 x 3 would take 30 MB.

References
----------
Mersenne Twister, https://doi.org/10.1145/272991.272995
"""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np

from gradcam_tf1.tf_runtime import tf

_WORDS, _AHEAD = 624, 397
_BACK = _WORDS - _AHEAD
_UPPER, _LOWER, _MATRIX = -(2**31), 2**31 - 1, 0x9908B0DF - 2**32


def standard_normals(seed: int, count: int) -> tf.Tensor:
    """Return what `np.random.RandomState(seed).standard_normal(count)` does: float64 [count]."""
    pairs = (count + 1) // 2
    tries = _tries(seed, pairs)
    halves = 2.0 * tf.reshape(_uniform(seed, 2 * tries), [tries, 2]) - 1.0
    squares = tf.reduce_sum(halves * halves, axis=1)
    inside = tf.boolean_mask(halves, tf.logical_and(squares < 1.0, squares > 0.0))[:pairs]
    squares = tf.reduce_sum(inside * inside, axis=1, keepdims=True)
    normal = tf.sqrt(-2.0 * tf.math.log(squares) / squares) * inside
    numbers = tf.reshape(tf.reverse(normal, [1]), [-1])[:count]
    numbers.set_shape([count])
    return numbers


def _tries(seed: int, pairs: int) -> int:
    """Return a number of pairs of which enough lie in the unit circle."""
    tries = int(pairs * 4 / np.pi) + 16
    while True:
        halves = 2.0 * np.random.RandomState(seed).random_sample((tries, 2)) - 1.0
        squares = (halves * halves).sum(axis=1)
        if ((squares < 1) & (squares > 0)).sum() >= pairs:
            return tries
        tries += tries // 100 + 16


def _uniform(seed: int, count: int) -> tf.Tensor:
    """Return what `np.random.RandomState(seed).random_sample(count)` does: float64 [count]."""
    rounds = -(-2 * count // _WORDS)
    words = tf.reshape(_tempered(_states(seed, rounds)), [-1])[: 2 * count]
    high, low = (tf.cast(_right(words[first::2], shift), tf.float64) for first, shift in ((0, 5), (1, 6)))
    return (high * 67108864.0 + low) / 9007199254740992.0


def _states(seed: int, rounds: int) -> tf.Tensor:
    """Return the states after 1 to `rounds` rounds: int32 [rounds, 624], the bits of unsigned numbers."""
    state: Any = np.random.RandomState(seed).get_state()  # ("MT19937", words, ...)
    first = tf.constant(np.asarray(state[1], np.uint32).view(np.int32))

    def step(number: tf.Tensor, state: tf.Tensor, states: tf.TensorArray) -> Tuple[tf.Tensor, ...]:
        state = _next(state)
        return number + 1, state, states.write(number, state)

    start = (0, first, tf.TensorArray(tf.int32, rounds, element_shape=[_WORDS]))
    _, _, states = tf.while_loop(lambda number, *_others: number < rounds, step, start, parallel_iterations=1)
    return states.stack()


def _next(state: tf.Tensor) -> tf.Tensor:
    mixed = _mixed(state[:-1], state[1:])
    first = tf.bitwise.bitwise_xor(state[_AHEAD:], mixed[:_BACK])
    second = tf.bitwise.bitwise_xor(first, mixed[_BACK : 2 * _BACK])
    rest = tf.concat([mixed[2 * _BACK :], _mixed(state[-1:], first[:1])], axis=0)
    third = tf.bitwise.bitwise_xor(second[: _WORDS - 2 * _BACK], rest)
    return tf.ensure_shape(tf.concat([first, second, third], axis=0), [_WORDS])


def _mixed(word: tf.Tensor, following: tf.Tensor) -> tf.Tensor:
    joined = tf.bitwise.bitwise_or(tf.bitwise.bitwise_and(word, _UPPER), tf.bitwise.bitwise_and(following, _LOWER))
    odd = tf.bitwise.bitwise_and(-tf.bitwise.bitwise_and(following, 1), _MATRIX)
    return tf.bitwise.bitwise_xor(_right(joined, 1), odd)


def _tempered(words: tf.Tensor) -> tf.Tensor:
    words = tf.bitwise.bitwise_xor(words, _right(words, 11))
    for shift, mask in ((7, 0x9D2C5680 - 2**32), (15, 0xEFC60000 - 2**32)):
        moved = tf.bitwise.bitwise_and(tf.bitwise.left_shift(words, shift), mask)
        words = tf.bitwise.bitwise_xor(words, moved)
    return tf.bitwise.bitwise_xor(words, _right(words, 18))


def _right(words: tf.Tensor, shift: int) -> tf.Tensor:
    """Shift unsigned words to the right: int32 would keep its sign."""
    return tf.bitwise.bitwise_and(tf.bitwise.right_shift(words, shift), 2 ** (32 - shift) - 1)
