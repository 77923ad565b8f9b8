"""The rules that hand relevance through a layer with weights: pure functions, one for each rule.

u_j = sum_i x_i w_ij + b_j is a layer with its biases and batch norm folded, R_j the relevance of u_j; c+ and c- are the
positive and the negative part of a number. Each rule returns R_i, the relevance of x_i. A denominator d becomes
d + epsilon sign(d). Biases take their share of relevance and keep it, but in the rules z+, flat, w^2 and z^B, which
have none.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from gradcam_tf1.gradients.relevance_layers import WeightedLayer
from gradcam_tf1.tf_runtime import tf

OwnFunction = Callable[..., Any]
Part = Tuple["tf.Tensor", "tf.Operation"]  # inputs of one sign, and the layer with weights of one sign

SMALL = 1e-6  # keeps quotients finite where a rule has no epsilon of its own


class Settings(NamedTuple):
    """The numbers of the rules.

    Attributes
    ----------
    epsilon : float
        How much is added to the denominators of the epsilon rule.
    gamma : float
        How much the gamma rule favours what agrees with the sign of u.
    alpha, beta : float
        The weights of both signs in the alpha-beta rule; alpha - beta = 1.
    low, high : tf.Tensor
        The smallest and the largest input that the first layer can get, in its own layout; None where no rule needs it.
    """

    epsilon: float = SMALL
    gamma: float = 0.25
    alpha: float = 2.0
    beta: float = 1.0
    low: Any = None
    high: Any = None


def quotient(relevance: tf.Tensor, total: tf.Tensor, epsilon: float = SMALL) -> tf.Tensor:
    """Return R / (d + epsilon sign(d)); of a total of 0 the sign is +. The backward pass keeps a mask, no copy of d."""
    if not epsilon:
        return tf.math.divide_no_nan(relevance, total)
    return relevance / tf.where_v2(total >= 0, total + epsilon, total - epsilon)


def epsilon(layer: WeightedLayer, own: OwnFunction, relevance: tf.Tensor, settings: Settings) -> tf.Tensor:
    """R_i = x_i sum_j w_ij R_j / (u_j + epsilon sign(u_j)).

    References
    ----------
    Bach et al. 2015, equation 58, https://doi.org/10.1371/journal.pone.0130140
    """
    s = quotient(relevance, layer.output(), settings.epsilon)
    scale = layer.folded()[0]
    if scale is not None:
        s = s * layer.per_channel(scale)
    return layer.x * layer.backward(layer.op, own, s)


def alpha_beta(layer: WeightedLayer, own: OwnFunction, relevance: tf.Tensor, settings: Settings) -> tf.Tensor:
    """R_i = sum_j (alpha (x_i w_ij)+ / sum_k (x_k w_kj)+ - beta (x_i w_ij)- / sum_k (x_k w_kj)-) R_j.

    The sums contain b+ and b-.

    References
    ----------
    Bach et al. 2015, equation 60, https://doi.org/10.1371/journal.pone.0130140
    """
    answer = None
    for sign, share in ((1, settings.alpha), (-1, -settings.beta)):
        if share:
            parts = _of_sign(layer, sign)
            s = quotient(relevance * share, _total(layer, parts, sign))
            part = _back(layer, parts, own, s)
            answer = part if answer is None else answer + part
    return tf.zeros_like(layer.x) if answer is None else answer


def zplus(layer: WeightedLayer, own: OwnFunction, relevance: tf.Tensor, _settings: Settings) -> tf.Tensor:
    """R_i = sum_j (x_i w_ij)+ / sum_k (x_k w_kj)+ R_j: alpha-beta with alpha = 1, beta = 0, and without biases.

    Deep Taylor assumes biases below zero, which have no b+. Peers add b+ to the sum, as alpha-beta does: in a net of
    many layers with batch norms it then keeps nearly all relevance.

    References
    ----------
    Montavon et al. 2017, https://arxiv.org/abs/1512.02479
    """
    parts = _of_sign(layer, 1)
    return _back(layer, parts, own, quotient(relevance, _total(layer, parts)))


def gamma(layer: WeightedLayer, own: OwnFunction, relevance: tf.Tensor, settings: Settings) -> tf.Tensor:
    """R_i = sum_j (x_i w_ij + gamma (x_i w_ij)+) / (u_j + gamma sum_k (x_k w_kj)+) R_j where u_j > 0.

    Where u_j < 0 what is negative is favoured instead, so that no denominator gets near 0.

    References
    ----------
    Montavon et al. 2019, section 10.2.2, https://doi.org/10.1007/978-3-030-28954-6_10
    """
    total = layer.output()
    plus, minus = _of_sign(layer, 1), _of_sign(layer, -1)
    rises = total >= 0
    extra = tf.where_v2(rises, _total(layer, plus, 1), _total(layer, minus, -1))
    s = quotient(relevance, total + settings.gamma * extra)
    scale = layer.folded()[0]
    plain = layer.x * layer.backward(layer.op, own, s if scale is None else s * layer.per_channel(scale))
    none = tf.zeros_like(s)
    favoured = _back(layer, plus, own, tf.where_v2(rises, s, none))
    return plain + settings.gamma * (favoured + _back(layer, minus, own, tf.where_v2(rises, none, s)))


def flat(layer: WeightedLayer, own: OwnFunction, relevance: tf.Tensor, _settings: Settings) -> tf.Tensor:
    """R_i = sum_j R_j / (number of inputs of u_j): each input of a unit gets the same.

    References
    ----------
    Lapuschkin et al. 2019, https://doi.org/10.1038/s41467-019-08987-4
    """
    op = layer.forward(tf.ones_like(layer.x), tf.ones_like(layer.kernel))
    return layer.backward(op, own, quotient(relevance, op.outputs[0]))


def w_square(layer: WeightedLayer, own: OwnFunction, relevance: tf.Tensor, _settings: Settings) -> tf.Tensor:
    """R_i = sum_j w_ij^2 / sum_k w_kj^2 R_j.

    References
    ----------
    Montavon et al. 2017, equation 12, https://arxiv.org/abs/1512.02479
    """
    op = layer.forward(tf.ones_like(layer.x), tf.square(layer.weights()))
    # squares of small weights are far smaller than the weights
    return layer.backward(op, own, tf.math.divide_no_nan(relevance, op.outputs[0]))


def z_box(layer: WeightedLayer, own: OwnFunction, relevance: tf.Tensor, settings: Settings) -> tf.Tensor:
    """R_i = sum_j (x_i w_ij - l w_ij+ - h w_ij-) / sum_k (x_k w_kj - l w_kj+ - h w_kj-) R_j, for inputs in l..h.

    References
    ----------
    Montavon et al. 2017, equation 16, https://arxiv.org/abs/1512.02479
    """
    weights = layer.weights()
    sources = (
        (layer.x, weights),
        (-settings.low, tf.nn.relu(weights)),
        (-settings.high, -tf.nn.relu(-weights)),
    )
    parts = [(x, layer.forward(x, kernel)) for x, kernel in sources]
    s = quotient(relevance, tf.add_n([op.outputs[0] for _, op in parts]))
    return _back(layer, parts, own, s)


def _of_sign(layer: WeightedLayer, sign: int) -> List[Part]:
    """Return the layer as sums over x_i w_ij of one sign: x+ w+ and x- w- for +, x+ w- and x- w+ for -."""
    weights = layer.weights()
    plus, minus = tf.nn.relu(weights), -tf.nn.relu(-weights)
    same, other = (plus, minus) if sign > 0 else (minus, plus)
    if layer.positive:
        return [(layer.x, layer.forward(layer.x, same))]
    pairs = ((tf.nn.relu(layer.x), same), (-tf.nn.relu(-layer.x), other))
    return [(x, layer.forward(x, kernel)) for x, kernel in pairs]


def _total(layer: WeightedLayer, parts: List[Part], sign: int = 0) -> tf.Tensor:
    """Return the sum of the parts, and of the biases of a sign; 0 for none."""
    total = parts[0][1].outputs[0] if len(parts) == 1 else tf.add_n([op.outputs[0] for _, op in parts])
    bias = layer.folded()[1] if sign else None
    return total if bias is None else total + layer.per_channel(sign * tf.nn.relu(sign * bias))


def _back(layer: WeightedLayer, parts: List[Part], own: OwnFunction, s: tf.Tensor) -> tf.Tensor:
    shares = [x * layer.backward(op, own, s) for x, op in parts]
    return shares[0] if len(shares) == 1 else tf.add_n(shares)


RULES: Dict[str, Callable[..., tf.Tensor]] = {
    "epsilon": epsilon,
    "gamma": gamma,
    "alpha_beta": alpha_beta,
    "zplus": zplus,
    "flat": flat,
    "w2": w_square,
    "zb": z_box,
}
