"""The answer of `fetch_key_tensors`, in both of its styles."""

from __future__ import annotations

from typing import Any

from gradcam_tf1.errors import BindingError
from gradcam_tf1.types import KeyTensors


def key_tensors(net: Any, given: KeyTensors) -> KeyTensors:
    """What the net's hook returned or, in the older style, assigned; completed by what the constructor was given.

    Raises: BindingError where it did neither.
    """
    answer = net.fetch_key_tensors()
    return _merge(_assigned(net) if answer is None else answer, given)


def _assigned(net: Any) -> KeyTensors:
    x, logit, layer, feed = (getattr(net, name, None) for name in ("X", "logit", "layer", "feed_dict"))
    if x is None or logit is None:
        raise BindingError(
            "fetch_key_tensors returned nothing and did not assign self.X and self.logit; return a KeyTensors, or "
            "assign self.X, self.logit, self.layer and self.feed_dict"
        )
    # some scripts put the pictures' placeholder into it too
    others = {tensor: value for tensor, value in (feed or {}).items() if tensor is not x}
    return KeyTensors(x, logit, layer, others)


def _merge(answer: KeyTensors, given: KeyTensors) -> KeyTensors:
    def pick(name: str) -> Any:
        return getattr(given if getattr(answer, name) is None else answer, name)

    feed = {**given.feed, **answer.feed}
    later = (*given.later, *answer.later)
    return KeyTensors(pick("input"), pick("logits"), pick("layer"), feed, pick("probabilities"), later)
