"""Relevance of the tensors of a net for a score, by a backward pass of its own on the one graph.

The gradient of each op on the path is replaced through `gradient_rules`: what arrives at an op is the relevance of its
output, what it returns the relevance of its inputs, and TensorFlow adds up what several users of a tensor hand down.
"""

from __future__ import annotations

from typing import Any, Callable, List, NamedTuple, Sequence

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.gradient_rules import TYPES, gradient_table
from gradcam_tf1.gradients.loop_gradients import FAILURES, no_gradient
from gradcam_tf1.gradients.relevance_layers import WeightedLayer
from gradcam_tf1.gradients.relevance_path import LAYER, RelevancePath
from gradcam_tf1.gradients.relevance_rules import RULES, Settings
from gradcam_tf1.gradients.relevance_ways import WAYS
from gradcam_tf1.tf_runtime import tf

OwnFunction = Callable[..., Any]


class RelevanceComposite(NamedTuple):
    """Which layer with weights has which rule, keys of `RULES`.

    Attributes
    ----------
    convolutions, dense : str
        The rule of convolutions, and of matrix products.
    first : str
        The rule of layers that no other layer with weights comes before; "same" for that of their kind.
    settings : Settings
        The numbers of the rules.
    """

    convolutions: str
    dense: str
    first: str = "same"
    settings: Settings = Settings()

    def rule_of(self, layer: WeightedLayer) -> str:
        """Return the name of the rule of a layer."""
        if layer.first and self.first != "same":
            return self.first
        return self.dense if layer.dense else self.convolutions


def start_of(score: tf.Tensor, outputs: Sequence[tf.Tensor]) -> List[tf.Tensor]:
    """Return the relevance of the net's outputs for a score: z dy/dz, which adds up to a score that is linear in z."""
    grads = tf.gradients(score, list(outputs), stop_gradients=list(outputs))
    return [tf.zeros_like(z) if grad is None else z * grad for z, grad in zip(outputs, grads)]


def relevances(
    path: RelevancePath,
    outputs: Sequence[tf.Tensor],
    start: Sequence[tf.Tensor],
    wanted: List[tf.Tensor],
    how: RelevanceComposite,
) -> List[tf.Tensor]:
    """Return the relevance of some tensors.

    Parameters
    ----------
    path : RelevancePath
        From the outputs to the images.
    outputs : sequence of tf.Tensor
        The tensors at which relevance starts.
    start : sequence of tf.Tensor
        Their relevance.
    wanted : list of tf.Tensor
        The images or layers.
    how : RelevanceComposite
        The rules.

    Returns
    -------
    list of tf.Tensor
        One for each of `wanted`, of its shape.

    Raises
    ------
    GradientError
        If no relevance arrives.
    """
    hand_down = _ruled(path, how)
    try:
        with gradient_table(dict.fromkeys(TYPES, hand_down)):
            found = tf.gradients(list(outputs), wanted, grad_ys=list(start))
    except GradientError:
        raise
    except FAILURES as error:
        raise no_gradient(outputs[0], wanted[0], error) from error
    for tensor, relevance in zip(wanted, found):
        if relevance is None:
            raise no_gradient(outputs[0], tensor)
    return [tf.convert_to_tensor(relevance) for relevance in found]


def _ruled(path: RelevancePath, how: RelevanceComposite) -> Callable[..., Any]:
    def hand_down(op: tf.Operation, own: OwnFunction, *grads: tf.Tensor) -> Any:
        step = path.steps.get(op.name)
        if step is None:  # a gate, or what leads to one
            return [None] * len(op.inputs)
        if step.way == LAYER and step.layer is not None:
            return step.layer.to_inputs(_through(step.layer, own, grads[0], path, how))
        return WAYS[step.way](op, own, grads, step.places)

    return hand_down


def _through(
    layer: WeightedLayer, own: OwnFunction, relevance: tf.Tensor, path: RelevancePath, how: RelevanceComposite
) -> tf.Tensor:
    """Return the relevance of the data of a layer, by its rule."""
    rule, settings = RULES[how.rule_of(layer)], _with_bounds(layer, path, how)
    if layer.x.dtype.base_dtype != tf.float16:
        return rule(layer, own, relevance, settings)
    if settings.low is not None:
        settings = settings._replace(low=tf.cast(settings.low, tf.float32), high=tf.cast(settings.high, tf.float32))
    return tf.cast(rule(layer.in_float32(), own, tf.cast(relevance, tf.float32), settings), tf.float16)


def _with_bounds(layer: WeightedLayer, path: RelevancePath, how: RelevanceComposite) -> Settings:
    """Return the settings with the bounds of the images brought to the layer's input."""
    low, high = how.settings.low, how.settings.high
    if low is None or high is None or how.rule_of(layer) != "zb":
        return how.settings
    ends = [path.replayed(layer.x, tensor) for tensor in (low, high)]
    return how.settings._replace(low=tf.minimum(*ends), high=tf.maximum(*ends))
