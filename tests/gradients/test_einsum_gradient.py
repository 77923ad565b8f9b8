"""The gradient of Einsum against central differences of numpy.einsum, which TensorFlow has no part in."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.gradients.einsum_gradient import einsum_gradient
from gradcam_tf1.tf_runtime import tf

EQUATIONS = [
    ("abc,cde->abde", (2, 3, 4), (4, 2, 3)),  # projections of attention
    ("aecd,abcd->acbe", (2, 3, 2, 4), (2, 5, 2, 4)),  # its scores
    ("acbe,aecd->abcd", (2, 2, 5, 3), (2, 3, 2, 4)),  # its mix
    ("abcd,cde->abe", (2, 3, 2, 4), (2, 4, 3)),
    ("...x,xy->...y", (2, 3, 4), (4, 5)),  # EinsumDense
    ("ab,cb->c", (2, 3), (4, 3)),  # a index that is summed alone
    ("a...->...", (2, 3, 4)),
    ("abc->ca", (2, 3, 4)),
]


@pytest.mark.parametrize(("equation", "shapes"), [(each[0], each[1:]) for each in EQUATIONS])
def test_it_equals_the_differences_of_numpy(equation, shapes):
    rng = np.random.RandomState(0)
    values = [rng.randn(*shape) for shape in shapes]
    weights = rng.randn(*np.einsum(equation, *values).shape)
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [tf.constant(value) for value in values]
        out = tf.raw_ops.Einsum(inputs=inputs, equation=equation)
        found = session.run(einsum_gradient(out.op, tf.constant(weights)))
    for number, value in enumerate(values):
        wanted = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            moved = [np.array(each) for each in values]
            moved[number][place] += 1  # einsum is linear in each input
            wanted[place] = np.sum(weights * (np.einsum(equation, *moved) - np.einsum(equation, *values)))
        np.testing.assert_allclose(found[number], wanted, atol=1e-12)


def test_a_diagonal_has_none():
    with tf.Graph().as_default():
        out = tf.raw_ops.Einsum(inputs=[tf.ones([3, 3])], equation="aa->a")
        with pytest.raises(NotImplementedError, match="diagonal"):
            einsum_gradient(out.op, out)
