"""Explain the images of a training at one step: a copy of the net, built once, gets the present weights."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Callable, Iterator, Optional, Set

import numpy as np

from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.errors import GradCamError, OptionError
from gradcam_tf1.gradients.graph_walk import ops_before
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders.followed import FollowedModel
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf
from gradcam_tf1.training.map_summaries import MapTags, SummaryFolder, summary_values
from gradcam_tf1.training.training_maps import TrainingMaps
from gradcam_tf1.training.watched_images import WatchedGroup, WatchedImages

_LOG = logging.getLogger(__name__)
Follow = Callable[[Any], FollowedModel]


class MapLogger:
    """Writes the maps of one training.

    Parameters
    ----------
    maps : TrainingMaps
        What is explained.
    follow : callable
        Session that trains, or None -> the net to follow.
    """

    def __init__(self, maps: TrainingMaps, follow: Follow) -> None:
        self._maps = maps
        self._follow = follow
        self._net: Optional[_FollowingNet] = None
        self._folder: Optional[SummaryFolder] = None
        self._given_up = False
        self._said: Set[str] = set()

    def log(self, session: Optional[tf.Session], step: int) -> None:
        """Explain the images with the weights of now, and write the summaries of this step.

        Whatever fails is a warning, once for each cause, unless `on_error` is "stop".
        """
        if self._given_up:
            return
        with self._guarded(step):
            self._log(session, step)

    def close(self) -> None:
        """Free the copy of the net and close the event file."""
        if self._net is not None:
            self._net.close()
        folder = self._folder
        self._net = self._folder = None
        if folder is not None:
            try:
                folder.close()
            except OSError as error:  # the training has ended well
                self._say(f"the last maps may be missing: {error}", cause=str(error))

    def _log(self, session: Optional[tf.Session], step: int) -> None:
        if self._net is None:
            self._given_up = True  # what cannot be opened now cannot be opened at the next step either
            self._net = _FollowingNet(self._maps, self._follow, session, self._say)
            self._folder = SummaryFolder(self._maps.logdir, None if session is None else session.graph)
            self._given_up = False
        else:
            self._net.refresh(session)
        values = [value for group in self._net.images.groups for value in self._net.values(group)]
        if self._folder is not None:
            self._folder.write(values, step)

    @contextmanager
    def _guarded(self, step: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a map is never worth the training
            if self._maps.on_error == "stop":
                raise
            known = isinstance(error, (GradCamError, OSError))
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            ending = "; no maps are made in this training" if self._given_up else ""
            self._say(f"no maps at step {step}: {reason}{ending}", cause=reason)

    def _say(self, sentence: str, cause: str = "") -> None:
        """Log a warning, once for each cause."""
        if (cause or sentence) not in self._said:
            self._said.add(cause or sentence)
            _LOG.warning("%s", sentence)


class _FollowingNet:
    """The copy of the net that is explained, and the images."""

    def __init__(
        self, maps: TrainingMaps, follow: Follow, session: Optional[tf.Session], say: Callable[..., None]
    ) -> None:
        self._maps, self._follow, self._say = maps, follow, say
        self._open(session)

    def _open(self, session: Optional[tf.Session]) -> None:
        self._followed = self._follow(session)
        self._net = _checked(self._maps.net(self._followed.model))
        try:
            inputs = self._maps.options.inputs
            self._net.check_inputs(list(inputs) if isinstance(inputs, dict) else [])
            _check_mode(self._net)
            self.images = WatchedImages(self._maps.images, self._net, self._say)
            self._tags = MapTags(self._net.labels)
        except BaseException:
            self._net.close()
            raise
        self._followed = replace(self._followed, model=self._net.model)  # without the graph

    def refresh(self, session: Optional[tf.Session]) -> None:
        """Take over the present weights. A counter or switch is a constant here: if the maps need it, a new copy."""
        settled = self._followed.settled
        for values in self._followed.read(session):
            others = {name: values.pop(name) for name in list(values) if name in settled}
            changed = [name for name, value in others.items() if not np.array_equal(settled[name], value)]
            if changed and not self._needed().isdisjoint(changed):
                self.close()
                self._open(session)
                return
            self._net.assign(values)

    def _needed(self) -> Set[str]:
        """Return the names of the ops from which everything is computed that was requested so far."""
        graph, binding = self._net.graph, self._net.binding
        ends = [graph.get_tensor_by_name(name) for name in (binding.logits, binding.input)]
        own = [out for op in graph.get_operations() if op.name.startswith(OUR_SCOPE) for out in op.outputs]
        return {op.name for op in ops_before(*ends, *own)}

    def values(self, group: WatchedGroup) -> Iterator[Any]:
        """Explain the images of one group; yield the summaries."""
        explanation = self._explain(group)
        for name, reason in zip(group.names, explanation.failures):
            if reason:
                self._say(f"image {name!r} has no maps: {reason}", cause=f"image {name!r}")
        yield from summary_values(explanation, group.names, self._tags, self._maps.style)

    def _explain(self, group: WatchedGroup) -> Explanation:
        maps = self._maps
        targets = self.images.rows(maps.targets, group)
        options = replace(maps.options, inputs=self.images.inputs(maps.options.inputs, group))
        return self._net.explain(group.images, targets, maps.methods, maps.layers, score=maps.score, options=options)

    def close(self) -> None:
        """Free the session."""
        self._net.close()


def _checked(net: Any) -> GradCamGraph:
    if not isinstance(net, BoundNet):
        raise OptionError(f"net returned {net!r}; return a GradCamGraph of the model that it is called with")
    return net  # type: ignore[return-value]


def _check_mode(net: BoundNet) -> None:
    """Refuse a net in training mode: its maps are not those of the net that will be used."""
    if net.binding.training:
        raise OptionError(
            f"the net is in training mode: {'; '.join(net.binding.training)}; feed its switch, such as "
            "net=partial(GradCamGraph, feed={'is_training:0': False}), or give build, a function that builds the net "
            "for inference"
        )
