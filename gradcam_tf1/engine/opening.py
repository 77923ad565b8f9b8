"""Open a net: call its hooks once, bind it, and make one explainer per device."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any, Mapping, Optional, Sequence, Tuple

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.layer_specs import is_auto, names_of
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.net_hooks import NetHooks
from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.labels import Labels
from gradcam_tf1.tf_runtime import inside, tf
from gradcam_tf1.types import Binding, KeyTensors

_LOG = logging.getLogger(__name__)


def open_explainers(
    net: NetHooks, sessions: Sequence[LiveSession], tensors: KeyTensors, names: Optional[Sequence[str]]
) -> Tuple[NetExplainer, ...]:
    """Bind a net in the graph of its first session, and make one explainer per session.

    Parameters
    ----------
    net : NetHooks
        The net, with its hooks.
    sessions : sequence of LiveSession
        One per device.
    tensors : KeyTensors
        Key tensors from the arguments of its constructor.
    names : sequence of str or None
        Names of the classes.

    Raises
    ------
    BindingError
        If the key tensors cannot be determined.
    OptionError
        If the class names do not fit.
    """
    started = time.monotonic()
    binding = _bind(net, tensors)
    labels = None if names is None else Labels.for_classes(names, binding.classes, binding.background)
    names_bound = (binding.input, binding.logits, binding.layer)
    _LOG.debug("bound input %r, logits %r, layer %r in %.3f s", *names_bound, time.monotonic() - started)
    for doubt in (*net.model.notes, *binding.warnings, *filter(None, [labels and labels.note])):
        _LOG.warning("%s", doubt)
    for sess in sessions[1:]:
        _check_names(binding, sess.graph)
    explainers = []
    for sess in sessions:
        engine = MapEngine(sess.graph, sess, binding, net.batch_size, net.reshape)
        explainers.append(NetExplainer(net, binding, engine, labels))
    return tuple(explainers)


def _bind(net: NetHooks, tensors: KeyTensors) -> Binding:
    with inside(net.graph) as graph:
        requested = key_tensors(net, tensors)
        model = net.model
        binding = bind(
            graph,
            declared_inputs=model.inputs,
            declared_outputs=model.outputs,
            requested=requested,
            size=(None, None) if net.fit_mode == "short-side" else net.size,
        )
    if net.nb_classes is not None and binding.classes not in (None, net.nb_classes):
        raise BindingError(
            f"nb_classes is {net.nb_classes}, but the logits '{binding.logits}' have {binding.classes} classes"
        )
    return binding


def _check_names(binding: Binding, graph: tf.Graph) -> None:
    """Check that other devices have the key tensors: ops that the hook adds are in the first graph only."""
    names = [binding.input, binding.logits, binding.probabilities or ""]
    if not is_auto(binding.layer):
        names += names_of(binding.layer)
    names += [part.name for layer in binding.layers for part in layer.parts or (layer,)] + list(binding.feeds)
    present = {tensor.name for op in graph.get_operations() for tensor in op.outputs}
    for name in names:
        if name and name not in present:
            raise BindingError(
                f"'{name}' was added by fetch_key_tensors, to the graph of the first device only; name a tensor of the "
                "model itself, or use one device"
            )


def key_tensors(net: NetHooks, tensors: KeyTensors) -> KeyTensors:
    """Return the key tensors of the net's hook, completed by those of its constructor.

    In the older style the hook returns nothing and assigns attributes.

    Parameters
    ----------
    net : NetHooks
        The net, with its hooks.
    tensors : KeyTensors
        Key tensors from the arguments of its constructor.

    Raises
    ------
    BindingError
        If the hook neither returns nor assigns key tensors.
    """
    from_hook = net.fetch_key_tensors()
    if from_hook is not None and not isinstance(from_hook, KeyTensors):
        raise BindingError(f"fetch_key_tensors returned {from_hook!r}; return KeyTensors(...), or nothing")
    merged = _merge(_assigned(net) if from_hook is None else from_hook, tensors)
    return merged if merged.layer is not None else replace(merged, layer=net.model.layer)


def _assigned(net: NetHooks) -> KeyTensors:
    x, logit, layer, feed = (getattr(net, name, None) for name in ("X", "logit", "layer", "feed_dict"))
    if x is None or logit is None:
        raise BindingError(
            "fetch_key_tensors returned nothing and did not assign self.X and self.logit; return a KeyTensors, or "
            "assign self.X, self.logit, self.layer and self.feed_dict"
        )
    if not isinstance(feed or {}, Mapping):
        raise BindingError(f"self.feed_dict is {feed!r}; assign a dict of tensors and their values")
    # some scripts also put the placeholder of the images into feed_dict
    others = {tensor: value for tensor, value in (feed or {}).items() if tensor is not x}
    return KeyTensors(x, logit, layer, others)


def _merge(from_hook: KeyTensors, tensors: KeyTensors) -> KeyTensors:
    def pick(name: str) -> Any:
        hooked, given = getattr(from_hook, name), getattr(tensors, name)
        if hooked is not None and given is not None and _name_of(hooked) != _name_of(given):
            both = f"{_name_of(hooked)!r} by fetch_key_tensors and {_name_of(given)!r} in the call"
            raise BindingError(f"{name} is named twice: {both}; name it once")
        return given if hooked is None else hooked

    feed = {**tensors.feed, **from_hook.feed}
    later = (*tensors.later, *from_hook.later)
    return KeyTensors(pick("input"), pick("logits"), pick("layer"), feed, pick("probabilities"), later)


def _name_of(spec: Any) -> str:
    """Return the name of a tensor or of a spec, without the output number 0."""
    name = str(getattr(spec, "name", spec))
    return name[:-2] if name.endswith(":0") else name


def given_tensors(tensors: KeyTensors, **short: Any) -> KeyTensors:
    """Add the key tensors of the short form, input= etc. Raises OptionError if one is given in both forms."""
    if not isinstance(tensors, KeyTensors):
        raise OptionError(f"tensors is {tensors!r}; give tensors=KeyTensors(input=..., logits=..., layer=...)")
    added = {name: value for name, value in short.items() if value is not None}
    if not isinstance(added.get("feed", {}), Mapping):
        raise OptionError(f"feed is {added['feed']!r}; give a dict of tensors or names and their values")
    twice = [name for name in added if not _is_unset(getattr(tensors, name))]
    if twice:
        raise OptionError(f"{twice[0]} is given twice: as {twice[0]}= and in tensors=; give it once")
    return replace(tensors, **added)


def _is_unset(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and not value)
