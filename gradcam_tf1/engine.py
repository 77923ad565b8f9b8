"""One `session.run` per batch: feeds in, class ids, scores and maps out. Numpy on both sides."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import RunError
from gradcam_tf1.geometry import upsample
from gradcam_tf1.methods import METHODS, LayerMethod, PixelMethod, ProductMethod
from gradcam_tf1.status import finish_maps
from gradcam_tf1.symbols import Symbols
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, MapKey, MapStatus

# more targets than this are computed in several runs: each slot adds a backward pass to the graph
MAX_SLOTS = 32

Answer = Dict[str, Any]


class Engine:
    """Runs one net. batch_size: images per run, unless the graph has its own baked in."""

    def __init__(self, graph: tf.Graph, sess: tf.Session, binding: Binding, batch_size: int) -> None:
        self._sess = sess
        self._binding = binding
        self._symbols = Symbols(graph, binding)
        self._chunk = 1 if not binding.has_batch_axis else binding.batch_size or batch_size
        classes = self._symbols.scores("logit").shape[1]
        self._classes = getattr(classes, "value", classes)

    def classes(self, batch: np.ndarray) -> int:
        """The number of classes, from the graph or, where its shapes do not tell, from running one image."""
        if self._classes is None:
            self._classes = self._sess_run(self._symbols.scores("logit"), self._feed(batch[:1])).shape[1]
        return self._classes

    def build(self, methods: Sequence[str], layers: Tuple[LayerInfo, ...]) -> None:
        """Build what one target needs. Raises: GradientError where a method cannot work on this net."""
        self._map_fetches(methods, layers, slots=1)

    def run(
        self, batch: np.ndarray, codes: np.ndarray, methods: Sequence[str], layers: Tuple[LayerInfo, ...]
    ) -> Answer:
        """Explain a batch.

        Args:
            batch: [N, H, W, C] of the input's dtype. codes: int32 [N, T], see `targets.py`.
            methods: names from METHODS. layers: what the layer methods look at.

        Returns:
            class_ids int64 [N, T], scores float32 [N, T], probabilities float32 [N, T] or None, predicted int64 [N],
            maps {(method, layer): [N, T, ...]}, statuses with the same keys.
        """
        answers = []
        for start in range(0, len(batch), self._chunk):
            rows = slice(start, start + self._chunk)
            parts = [
                self._run_chunk(batch[rows], codes[rows, t : t + MAX_SLOTS], methods, layers)
                for t in range(0, codes.shape[1], MAX_SLOTS)
            ]
            answers.append(_join(parts, axis=1))
        return _finish(_join(answers, axis=0), methods, layers)

    def _run_chunk(
        self, batch: np.ndarray, codes: np.ndarray, methods: Sequence[str], layers: Tuple[LayerInfo, ...]
    ) -> Answer:
        slots = range(codes.shape[1])
        fetches: Answer = {
            "predicted": self._symbols.predicted(),
            "class_ids": [self._symbols.class_ids(slot) for slot in slots],
            "scores": [self._symbols.score("logit", slot) for slot in slots],
            "maps": self._map_fetches(methods, layers, len(slots)),
        }
        if self._binding.probabilities:
            fetches["probabilities"] = self._symbols.probabilities()
        count = len(batch)
        short = (self._binding.batch_size or count) - count
        if short > 0:  # the graph insists on its batch size: fill up with the last image, drop it from the answer
            batch = np.concatenate([batch, np.repeat(batch[-1:], short, axis=0)])
            codes = np.concatenate([codes, np.repeat(codes[-1:], short, axis=0)])
        feed = self._feed(batch)
        feed.update({self._symbols.codes(slot): codes[:, slot] for slot in slots})
        return _by_image(self._sess_run(fetches, feed), count)

    def _sess_run(self, fetches: Any, feed: Dict[Any, Any]) -> Any:
        try:
            return self._sess.run(fetches, feed)
        except tf.errors.OpError as error:
            raise RunError(_run_message(error)) from error
        except (TypeError, ValueError) as error:  # a fed value of another shape or kind than its tensor
            raise RunError(f"the net does not take what it was fed: {error}") from error

    def _map_fetches(
        self, methods: Sequence[str], layers: Tuple[LayerInfo, ...], slots: int
    ) -> Dict[MapKey, List[tf.Tensor]]:
        fetches: Dict[MapKey, List[tf.Tensor]] = {}
        for method in (METHODS[name] for name in _with_factors(methods)):
            if isinstance(method, LayerMethod):
                per_slot = [self._symbols.cams(method, layers, slot) for slot in range(slots)]
                for place, layer in enumerate(layers):
                    fetches[method.name, layer.name] = [cams[place] for cams in per_slot]
            elif isinstance(method, PixelMethod):
                fetches[method.name, ""] = [self._symbols.pixels(method, slot) for slot in range(slots)]
        return fetches

    def _feed(self, batch: np.ndarray) -> Dict[Any, Any]:
        if not self._binding.input_channels_last:
            batch = np.transpose(batch, (0, 3, 1, 2))
        feed = dict(self._binding.feeds)
        feed[self._binding.input] = batch if self._binding.has_batch_axis else batch[0]
        return feed


def _run_message(error: Any) -> str:
    place = f" at '{error.op.name}' ({error.op.type})" if error.op is not None else ""
    lines = error.message.splitlines()
    # TensorFlow 2 puts the reason behind a stack trace, after a line "Node: 'name'"
    after = [number + 1 for number, line in enumerate(lines[:-1]) if line.startswith("Node:")]
    message = f"the net failed{place}: {lines[after[0] if after else 0].strip()}"
    if "NHWC" in message:
        message += ". TensorFlow 1.15 computes channels-first (NCHW) layers on a GPU only; TensorFlow 2 also on the CPU"
    return message


def _with_factors(methods: Sequence[str]) -> List[str]:
    """The methods with the factors of products added, each once."""
    names: List[str] = []
    for name in methods:
        method = METHODS[name]
        wanted = [method.pixels, method.cam] if isinstance(method, ProductMethod) else [name]
        names.extend(factor for factor in wanted if factor not in names)
    return names


def _by_image(fetched: Answer, count: int) -> Answer:
    """Fetched lists of slots to arrays with the image axis first, padding dropped."""
    answer = {
        "predicted": np.asarray(fetched["predicted"])[:count],
        "class_ids": np.stack(fetched["class_ids"], axis=1)[:count].astype(np.int64),
        "scores": np.stack(fetched["scores"], axis=1)[:count],
        "maps": {key: np.stack(slots, axis=1)[:count] for key, slots in fetched["maps"].items()},
    }
    if "probabilities" in fetched:
        rows = np.arange(count)[:, np.newaxis]
        answer["probabilities"] = fetched["probabilities"][:count][rows, answer["class_ids"]]
    return answer


def _join(parts: List[Answer], axis: int) -> Answer:
    """Answers for parts of the targets (axis 1) or of the images (axis 0) made one."""
    if len(parts) == 1:
        return parts[0]
    joined = {name: np.concatenate([part[name] for part in parts], axis) for name in parts[0] if name in _PER_TARGET}
    predicted = [part["predicted"] for part in parts]
    joined["predicted"] = np.concatenate(predicted) if axis == 0 else predicted[0]
    joined["maps"] = {key: np.concatenate([part["maps"][key] for part in parts], axis) for key in parts[0]["maps"]}
    return joined


_PER_TARGET = ("class_ids", "scores", "probabilities")


def _finish(answer: Answer, methods: Sequence[str], layers: Tuple[LayerInfo, ...]) -> Answer:
    raw = answer.pop("maps")
    answer["maps"], answer["statuses"] = {}, {}
    for name in methods:
        method = METHODS[name]
        if isinstance(method, ProductMethod):
            for layer in layers:
                cams = np.maximum(raw[method.cam, layer.name], 0)
                _keep(answer, (name, layer.name), _product(raw[method.pixels, ""], cams), rectified=False)
        else:
            for key in (key for key in raw if key[0] == name):
                _keep(answer, key, raw[key], rectified=not method.signed)
    answer.setdefault("probabilities", None)
    return answer


def _keep(answer: Answer, key: MapKey, raw: np.ndarray, rectified: bool) -> None:
    flat = raw.reshape((-1, *raw.shape[2:]))
    finished, statuses = finish_maps(flat, rectified)
    slots = raw.shape[1]
    answer["maps"][key] = finished.reshape(raw.shape)
    rows: List[List[MapStatus]] = [statuses[start : start + slots] for start in range(0, len(statuses), slots)]
    answer["statuses"][key] = rows


def _product(pixels: np.ndarray, cams: np.ndarray) -> np.ndarray:
    """[N, T, H, W, C] times [N, T, h, w] brought to H x W."""
    size = pixels.shape[2:4]
    large = np.stack([[upsample(cam, size) for cam in row] for row in cams])
    return pixels * large[..., np.newaxis]
