"""Small nets with a float64 numpy twin each: what TensorFlow must agree with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, List, Tuple

import numpy as np

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.map_request import MapAnswer, MapRequest
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.methods import choose_methods
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, ScoreRequest


def conv_same(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """3x3 convolution, stride 1, SAME: x [N, H, W, C], kernel [3, 3, C, K] -> [N, H, W, K]."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="constant")
    shifts = [(i, j) for i in range(3) for j in range(3)]
    return sum(padded[:, i : i + height, j : j + width] @ kernel[i, j] for i, j in shifts)


def conv_same_backward(grad: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Its gradient by x: the convolution with the flipped, transposed kernel."""
    return conv_same(grad, kernel[::-1, ::-1].transpose(0, 1, 3, 2))


class SmallNet:
    """input [N, H, W, C] - conv+relu - 2x2 mean pool - conv+relu (features [N, h, w, K]) - head - logits.

    head "gap": mean over the positions, dense. head "flat": flatten, dense+relu, dense.
    """

    def __init__(self, head: str = "flat", size: Any = (8, 12), channels: int = 3, classes: int = 4, seed: int = 0):
        random = np.random.RandomState(seed)
        height, width = size
        self.head, self.size, self.channels, self.classes = head, size, channels, classes
        positions = (height // 2) * (width // 2)
        hidden = 7 if head == "flat" else 5
        self.weights: Dict[str, np.ndarray] = {
            "w1": random.randn(3, 3, channels, 6) * 0.3,
            "b1": random.randn(6) * 0.1,
            "w2": random.randn(3, 3, 6, 5) * 0.3,
            "b2": random.randn(5) * 0.1,
            "w3": random.randn(positions * 5, 7) * 0.2,
            "b3": random.randn(7) * 0.1,
            "w4": random.randn(hidden, classes) * 0.5,
            "b4": random.randn(classes) * 0.1,
        }
        # what TensorFlow sees is float32; the twin starts from the same rounded numbers
        self.weights = {name: value.astype(np.float32) for name, value in self.weights.items()}

    def images(self, count: int, seed: int = 1) -> np.ndarray:
        return np.random.RandomState(seed).randn(count, *self.size, self.channels).astype(np.float32)

    # TensorFlow

    def graph(self, batch: Any = None, channels_first: bool = False, dtype: Any = None) -> tf.Graph:
        """The net as a frozen graph; channels_first keeps input and features as [N, C, H, W] (CPU-safe)."""
        w = {name: value.astype(dtype or np.float32) for name, value in self.weights.items()}
        shape = (self.channels, *self.size) if channels_first else (*self.size, self.channels)
        graph = tf.Graph()
        with graph.as_default(), override_map(graph):
            x = tf.placeholder(dtype or tf.float32, [batch, *shape], name="input")
            x = tf.transpose(x, [0, 2, 3, 1]) if channels_first else x
            a = tf.nn.relu(tf.nn.conv2d(x, w["w1"], [1, 1, 1, 1], "SAME") + w["b1"])
            a = tf.nn.avg_pool(a, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
            a = tf.nn.relu(tf.nn.conv2d(a, w["w2"], [1, 1, 1, 1], "SAME") + w["b2"])
            if channels_first:
                a = tf.transpose(tf.transpose(a, [0, 3, 1, 2], name="features"), [0, 2, 3, 1])
            else:
                a = tf.identity(a, name="features")
            tf.nn.softmax(self._tf_head(a, w), name="prob")
        return graph

    def _tf_head(self, a: tf.Tensor, w: Dict[str, np.ndarray]) -> tf.Tensor:
        if self.head == "gap":
            hidden = tf.reduce_mean(a, [1, 2])
        else:
            flat = tf.reshape(a, [-1, len(w["w3"])])
            hidden = tf.nn.relu(tf.matmul(flat, w["w3"]) + w["b3"])
        return tf.nn.bias_add(tf.matmul(hidden, w["w4"]), w["b4"], name="logits")

    def binding(self, channels_first: bool = False, batch: Any = None, **changes: Any) -> Binding:
        fields: Dict[str, Any] = {
            "input": "input:0",
            "logits": "logits:0",
            "layer": "features:0",
            "layers": (self.layer(channels_first),),
            "image_size": self.size,
            "channels": self.channels,
            "input_channels_last": not channels_first,
            "batch_size": batch,
            "classes": self.classes,
            "probabilities": "prob:0",
        }
        return Binding(**{**fields, **changes})

    def layer(self, channels_first: bool = False) -> LayerInfo:
        return LayerInfo("features:0", "Identity", (None, None, None, 5), not channels_first)

    # the twin

    def forward(self, images: np.ndarray) -> Dict[str, np.ndarray]:
        w = {name: value.astype(np.float64) for name, value in self.weights.items()}
        a1 = np.maximum(conv_same(images.astype(np.float64), w["w1"]) + w["b1"], 0)
        n, height, width, k = a1.shape
        pooled = a1.reshape(n, height // 2, 2, width // 2, 2, k).mean((2, 4))
        features = np.maximum(conv_same(pooled, w["w2"]) + w["b2"], 0)
        if self.head == "gap":
            hidden = features.mean((1, 2))
        else:
            hidden = np.maximum(features.reshape(n, -1) @ w["w3"] + w["b3"], 0)
        return {"a1": a1, "features": features, "hidden": hidden, "logits": hidden @ w["w4"] + w["b4"]}

    def feature_grads(self, images: np.ndarray, class_id: int, kernel: Any = None, guided: bool = False) -> np.ndarray:
        """dy/dA [N, h, w, K] for one class; kernel replaces the last dense kernel."""
        w = {name: value.astype(np.float64) for name, value in self.weights.items()}
        state = self.forward(images)
        features = state["features"]
        last = (w["w4"] if kernel is None else kernel)[:, class_id]
        grad = np.broadcast_to(last, state["hidden"].shape)
        if self.head == "gap":
            return np.broadcast_to(grad[:, None, None], features.shape) / (features.shape[1] * features.shape[2])
        grad = relu_backward(grad, state["hidden"], guided)
        return (grad @ w["w3"].T).reshape(features.shape)

    def pixel_grads(self, images: np.ndarray, class_id: int, guided: bool) -> np.ndarray:
        """dy/dx [N, H, W, C], plain or through guided ReLUs."""
        w = {name: value.astype(np.float64) for name, value in self.weights.items()}
        state = self.forward(images)
        grad = relu_backward(self.feature_grads(images, class_id, guided=guided), state["features"], guided)
        grad = conv_same_backward(grad, w["w2"])
        grad = np.repeat(np.repeat(grad, 2, axis=1), 2, axis=2) / 4
        return conv_same_backward(relu_backward(grad, state["a1"], guided), w["w1"])


def class_asks(codes: Any, images: int = 1) -> List[ScoreRequest]:
    """Plain class targets, the same for all images."""
    return [ScoreRequest(("logit",), {"code": np.full(images, code, np.int32)}) for code in codes]


def request(batch: np.ndarray, scores: Any, methods: Any, layers: Any, options: Any = None, **more: Any) -> MapRequest:
    """A MapRequest; options: method -> its options, those of other methods are left out."""
    names = choose_methods(methods)
    chosen = choose_methods({name: (options or {}).get(name, {}) for name in names})
    return MapRequest(batch, scores, chosen, tuple(layers), **more)


def run(
    net: SmallNet,
    images: np.ndarray,
    class_ids: Any,
    methods: Any,
    batch_size: int = 8,
    options: Any = None,
    **graph: Any,
) -> MapAnswer:
    """What the engine answers; graph: options of `SmallNet.graph`."""
    engine, binding = shared_engine(net, batch_size, **graph)
    more = {"pixels": images, "to_batch": lambda pixels: pixels, "options": options}
    return engine.run(request(images, class_asks(class_ids, len(images)), methods, binding.layers, **more))


def shared_engine(net: SmallNet, batch_size: int = 8, **graph: Any) -> Tuple[MapEngine, Binding]:
    """An engine with its binding, the same one for all nets of the same weights; graph: options of `SmallNet.graph`."""
    return _engine(_Weights(net), batch_size, tuple(sorted(graph.items())))


class _Weights:
    """A net, equal to all nets with its weights; a test may change them afterwards."""

    def __init__(self, net: SmallNet) -> None:
        weights = tuple((name, value.tobytes()) for name, value in sorted(net.weights.items()))
        self.net, self._key = net, (type(net), net.head, net.size, net.channels, net.classes, weights)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Weights) and self._key == other._key


@lru_cache(maxsize=6)
def _engine(weights: _Weights, batch_size: int, graph: Any) -> Tuple[MapEngine, Binding]:
    """An engine on a session of its own, which ends with the engine."""
    net, options = weights.net, dict(graph)
    built = net.graph(**options)
    binding = net.binding(**{name: options[name] for name in ("channels_first", "batch") if name in options})
    return MapEngine(built, tf.Session(graph=built, config=session_config()), binding, batch_size), binding


def relu_backward(grad: np.ndarray, output: np.ndarray, guided: bool) -> np.ndarray:
    """R_l = [f > 0] R, and [R > 0] too where guided."""
    return grad * (output > 0) * ((grad > 0) if guided else 1)


def gradcam_twin(features: np.ndarray, grads: np.ndarray) -> np.ndarray:
    """sum_k mean_ij(g_k) A_k, before the ReLU: [N, h, w]."""
    return np.einsum("nhwk,nk->nhw", features, grads.mean((1, 2)))


def twin_cams(net: SmallNet, images: np.ndarray, class_ids: Any, sign: int = 1, kernel: Any = None) -> np.ndarray:
    """`gradcam_twin` of several classes: [N, T, h, w]."""
    features = net.forward(images)["features"]
    cams = [gradcam_twin(features, sign * net.feature_grads(images, c, kernel)) for c in class_ids]
    return np.stack(cams, axis=1)
