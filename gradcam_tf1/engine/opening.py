"""Opens a net: calls its hooks once, binds it, and makes one explainer per device."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Tuple

from gradcam_tf1.binding import bind
from gradcam_tf1.binding.layer_specs import is_auto, names_of
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.labels import Labels
from gradcam_tf1.tf_runtime import inside, tf
from gradcam_tf1.types import Binding, KeyTensors

if TYPE_CHECKING:
    from gradcam_tf1.engine.bound_net import BoundNet


def open_explainers(
    net: BoundNet, sessions: Sequence[LiveSession], given: KeyTensors, names: Optional[Sequence[str]]
) -> Tuple[NetExplainer, ...]:
    """One for each session of a GradCamGraph; its hooks bind the first and serve all.

    given: what its constructor was told. names: of the classes. Raises: BindingError, OptionError.
    """
    binding = _bind(net, given)
    labels = None if names is None else Labels.for_classes(names, binding.classes, binding.background)
    for sess in sessions[1:]:
        _check_names(binding, sess.graph)
    explainers = []
    for sess in sessions:
        engine = MapEngine(sess.graph, sess, binding, net.batch_size, net.reshape)
        explainers.append(NetExplainer(net, binding, engine, labels))
    return tuple(explainers)


def _bind(net: BoundNet, given: KeyTensors) -> Binding:
    with inside(net.graph) as graph:
        wanted = key_tensors(net, given)
        model = net.model
        binding = bind(graph, declared_inputs=model.inputs, declared_outputs=model.outputs, requested=wanted)
    if net.nb_classes is not None and binding.classes not in (None, net.nb_classes):
        raise BindingError(
            f"nb_classes is {net.nb_classes}, but the logits '{binding.logits}' have {binding.classes} classes"
        )
    return binding


def _check_names(binding: Binding, graph: tf.Graph) -> None:
    """What the hook built is in the graph of the first device only."""
    names = [binding.input, binding.logits, binding.probabilities or ""]
    if not is_auto(binding.layer):
        names += names_of(binding.layer)
    names += [part.name for layer in binding.layers for part in layer.parts or (layer,)] + list(binding.feeds)
    there = {tensor.name for op in graph.get_operations() for tensor in op.outputs}
    for name in names:
        if name and name not in there:
            raise BindingError(
                f"'{name}' was made by fetch_key_tensors, in the graph of the first device; the others have the "
                "model's own tensors only: name one of these, or use one device"
            )


def key_tensors(net: BoundNet, given: KeyTensors) -> KeyTensors:
    """What the net's hook returned or, in the older style, assigned; completed by what the constructor was given.

    Raises: BindingError where it did neither.
    """
    answer = net.fetch_key_tensors()
    return _merge(_assigned(net) if answer is None else answer, given)


def _assigned(net: BoundNet) -> KeyTensors:
    x, logit, layer, feed = (getattr(net, name, None) for name in ("X", "logit", "layer", "feed_dict"))
    if x is None or logit is None:
        raise BindingError(
            "fetch_key_tensors returned nothing and did not assign self.X and self.logit; return a KeyTensors, or "
            "assign self.X, self.logit, self.layer and self.feed_dict"
        )
    # some scripts put the images' placeholder into it too
    others = {tensor: value for tensor, value in (feed or {}).items() if tensor is not x}
    return KeyTensors(x, logit, layer, others)


def _merge(answer: KeyTensors, given: KeyTensors) -> KeyTensors:
    def pick(name: str) -> Any:
        return getattr(given if getattr(answer, name) is None else answer, name)

    feed = {**given.feed, **answer.feed}
    later = (*given.later, *answer.later)
    return KeyTensors(pick("input"), pick("logits"), pick("layer"), feed, pick("probabilities"), later)


def given_tensors(tensors: KeyTensors, **short: Any) -> KeyTensors:
    """Return the key tensors with those of the short form added. Raises OptionError if one is given in both forms."""
    if not isinstance(tensors, KeyTensors):
        raise OptionError(f"tensors is {tensors!r}; give tensors=KeyTensors(input=..., logits=..., layer=...)")
    given = {name: value for name, value in short.items() if value is not None}
    twice = [name for name in given if not _is_unset(getattr(tensors, name))]
    if twice:
        raise OptionError(f"{twice[0]} is given twice: as {twice[0]}= and in tensors=; give it once")
    return replace(tensors, **given)


def _is_unset(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and not value)
