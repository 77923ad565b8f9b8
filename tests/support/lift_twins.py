"""DeepLIFT in float64 numpy, written from the paper: a convolution, an activation, a dense head.

https://arxiv.org/abs/1704.02685, sections 3.5.1 (linear), 3.5.2 (Rescale) and 3.5.3 (RevealCancel).
"""

from __future__ import annotations

import numpy as np


def as_matrix(kernel, sides):
    """The matrix of a 3x3 SAME convolution: [H * W * C, H * W * K] for a kernel [3, 3, C, K]."""
    (height, width), (channels, outputs) = sides, kernel.shape[2:]
    matrix = np.zeros((height, width, channels, height, width, outputs))
    for row in range(height):
        for column in range(width):
            for i in range(3):
                for j in range(3):
                    y, x = row + i - 1, column + j - 1
                    if 0 <= y < height and 0 <= x < width:
                        matrix[y, x, :, row, column] += kernel[i, j]
    return matrix.reshape(height * width * channels, -1)


def dense_rescale(layers, x, x0):
    """Multipliers of the last value: layers are (matrix, bias, function); x and x0 are vectors."""
    ends = []
    a, a0 = x, x0
    for matrix, bias, function in layers:
        z, z0 = a @ matrix + bias, a0 @ matrix + bias
        a, a0 = function(z), function(z0)
        ends.append((z, z0, a, a0))
    m = np.ones(1)
    for (matrix, _, _), (z, z0, a, a0) in zip(layers[::-1], ends[::-1]):
        m = matrix @ (m * (a - a0) / (z - z0))
    return m


def dense_revealcancel(layers, x, x0):
    """The same with a multiplier each for positive and negative contributions."""
    ends = []
    a, a0 = x, x0
    for matrix, bias, function in layers:
        products = (a - a0)[:, None] * matrix
        up, down = np.maximum(products, 0).sum(0), np.minimum(products, 0).sum(0)
        z0 = a0 @ matrix + bias
        f = function
        by_up = (f(z0 + up) - f(z0) + f(z0 + down + up) - f(z0 + down)) / 2
        by_down = (f(z0 + down) - f(z0) + f(z0 + up + down) - f(z0 + up)) / 2
        m_up, m_down = by_up / up, by_down / down
        ends.append((products, m_up, m_down))
        a, a0 = f(a @ matrix + bias), f(z0)
    m = np.ones(1)
    for (matrix, _, _), (products, m_up, m_down) in zip(layers[::-1], ends[::-1]):
        m = (matrix * np.select([products > 0, products < 0], [m_up, m_down], (m_up + m_down) / 2)) @ m
    return m
