"""A net that is loaded, bound once through its two hooks, and brings inputs to its size."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from threading import RLock
from typing import Any, ContextManager, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

import numpy as np

from gradcam_tf1.binding.tensor_names import choose_output
from gradcam_tf1.drawing.figure_kinds import FigureNet
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.engine.feature_maps import tokens_as_map
from gradcam_tf1.engine.graph_import import device_names, devices_of, open_sessions
from gradcam_tf1.engine.input_batches import check_batch_size
from gradcam_tf1.engine.large_weights import take_out_weights
from gradcam_tf1.engine.net_hooks import NetHooks
from gradcam_tf1.engine.opening import given_tensors, open_explainers
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.errors import OptionError
from gradcam_tf1.forked_process import check_process, is_forked
from gradcam_tf1.images.bands import PHOTOGRAPH
from gradcam_tf1.images.geometry import Fitted, FreeSize, check_fit, fit_to_input, free_size
from gradcam_tf1.images.given_images import as_image
from gradcam_tf1.images.preprocessing import Preprocessing, as_preprocessing, list_presets
from gradcam_tf1.labels import Labels, check_class_count, label_names
from gradcam_tf1.loaders import load_apart
from gradcam_tf1.methods.choices import Methods
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, KeyTensors, LoadedModel

_NO_TENSORS = KeyTensors()
Self = TypeVar("Self", bound="BoundNet")


class BoundNet(NetHooks, FigureNet):
    """What GradCamGraph is without its questions: the model, the hooks, the binding and the sessions.

    The parameters are those of GradCamGraph.
    """

    # For a subclass that overrides `preprocess`: how many bands its images have; None: RGB.
    image_channels: Optional[int] = None

    def __init__(
        self,
        model: Any,
        nb_classes: Optional[int] = None,
        *,
        tensors: KeyTensors = _NO_TENSORS,
        input: Any = None,
        logits: Any = None,
        layer: Any = None,
        feed: Optional[Mapping[Any, Any]] = None,
        output: Union[str, int, None] = None,
        preset: Union[str, Preprocessing, None] = None,
        fit: str = "stretch",
        size: Union[int, FreeSize, None] = None,
        labels: Union[str, Sequence[str], None] = None,
        batch_size: int = 8,
        devices: Union[str, Sequence[str]] = (),
        config: Any = None,
    ) -> None:
        check_fit(fit)
        check_batch_size(batch_size)
        check_class_count(nb_classes)
        given = given_tensors(tensors, input=input, logits=logits, layer=layer, feed=feed)
        places = device_names(devices)
        self.nb_classes = nb_classes
        self.preset = as_preprocessing(preset)
        self.fit_mode = fit
        self.size = free_size(size)
        self.batch_size = batch_size
        self._label_names = label_names(labels)
        loaded = model if isinstance(model, LoadedModel) else load_apart(model)
        self._chosen_devices = places
        settings = session_config(config, bool(places))
        light, weights = take_out_weights(loaded.apart or loaded.graph_def, frozenset(loaded.variables))
        loaded = replace(loaded, graph_def=None, apart=None)  # lets the weights go that are not in use elsewhere
        self._sessions = open_sessions(light, weights, loaded.source, settings, places)
        with ExitStack() as failing:
            failing.callback(self.close)
            self.graph = self._sessions[0].graph
            if output is not None:
                given = replace(given, logits=choose_output(self.graph, loaded.outputs, output, given.logits))
            failing.pop_all()
        self._given = given
        self.model = loaded
        self._explainers: Sequence[NetExplainer] = ()  # one for each session, once bound
        self._binding_lock = RLock()

    # hooks

    def preprocess(self, images: np.ndarray) -> np.ndarray:
        """Map pixel values to what the net expects. Values only: sizes are set by `fit`.

        Parameters
        ----------
        images : np.ndarray
            float32 [N, H, W, 3], RGB, 0..255, at the input's size; [N, H, W, C] for a net of other than 1 and 3
            channels, and [N, H, W, image_channels] where a subclass sets that.

        Returns
        -------
        np.ndarray
            [N, H, W, C] in the net's own range and channel order.

        Raises
        ------
        OptionError
            If no preset was given and the graph does not show its preprocessing.
        """
        preset = self.known_preset
        if preset is None:
            raise OptionError(
                "the graph does not show how its pixel values are prepared, and guessing gives wrong maps silently; "
                f"give a preset (or override `preprocess`):\n{list_presets()}"
            )
        return preset(images)

    @property
    def known_preset(self) -> Optional[Preprocessing]:
        """The preset that was given, or that the model or its graph shows."""
        return self.preset or as_preprocessing(self.model.preprocessing or self.binding.preprocessing)

    def fetch_key_tensors(self) -> Optional[KeyTensors]:
        """Name the key tensors; `self.graph` and `self.sess` are there. Fields left out are found automatically.

        Returns
        -------
        KeyTensors or None
            None in the older style, which assigns `self.X`, `self.logit`, `self.layer` and `self.feed_dict`.
        """
        return self._given

    def reshape(self, features: Any) -> Any:
        """Bring a layer of tokens to a map: tf.Tensor [N, tokens, K] -> [N, h, w, K]. Its gradient takes this way too.

        By default tokens are read row by row, in a grid of the input's shape, with or without a class token in front.
        """
        return tokens_as_map(features, self.binding.image_size)

    # what was found

    @property
    def binding(self) -> Binding:
        """The key tensors by name, bound at first use."""
        return self._open().binding

    @property
    def labels(self) -> Optional[Labels]:
        """The class names, fitted to the number of classes; None if none were given."""
        return self._open().labels

    @property
    def sess(self) -> tf.Session:
        """The tf.Session on `graph`, of the first device. A request may replace it: do not keep it."""
        return self._sessions[0].sess

    @property
    def channels_in(self) -> int:
        """Channels of the images that go in: 3 for RGB, otherwise the number of bands, see `image_channels`."""
        if self.maps_pixels_itself:
            return self.image_channels or 3
        channels = self.binding.channels
        return 3 if channels in PHOTOGRAPH or self.binding.array_shape is not None else channels

    @property
    def takes_own_range(self) -> bool:
        """Whether pixel values outside 0..255 may be right: they go in unchanged, or the subclass maps them."""
        if self.maps_pixels_itself:
            return True
        unchanged = self.preset is not None and (self.preset.is_identity or self.preset.is_of_bands)
        return unchanged and "float" in self.binding.dtype

    @property
    def maps_pixels_itself(self) -> bool:
        """Whether a subclass overrides `preprocess`, so that no preset counts."""
        return type(self).preprocess is not BoundNet.preprocess

    @property
    def explainers(self) -> Sequence[NetExplainer]:
        """The bound net on each device, in the order of `devices`."""
        self._open()
        return self._explainers

    @property
    def devices(self) -> Sequence[str]:
        """The devices that were chosen, else those that TensorFlow may use."""
        return self._chosen_devices or devices_of(self.sess)

    def time_limit(self, seconds: Optional[float]) -> ContextManager[None]:
        """Limit the total time of the session inside the block, else raise TimeLimitError; None for no limit."""
        return self._open().engine.time_limit(seconds)

    def _open(self, later: Iterable[Any] = ()) -> NetExplainer:
        """Bind the net, once. later: further inputs whose values come with each image."""
        check_process()
        if not hasattr(self, "_binding_lock"):
            raise OptionError(f"{type(self).__name__}.__init__ did not call super().__init__(model)")
        with self._binding_lock:
            if not self._explainers:
                given = replace(self._given, later=tuple(later))
                self._explainers = open_explainers(self, self._sessions, given, self._label_names)
            return self._explainers[0]

    def usable_methods(self, methods: Methods, layers: Any = None) -> Tuple[List[str], Dict[str, str]]:
        """Return the methods that work on this net, and the reason for each of the others. Raises ClosedError."""
        explainer = self._open()
        self._sessions[0].check_open()  # what is built already would need no session
        return explainer.usable(methods, layers)

    def fit_image(self, image: Any, input: Any = None) -> Fitted:
        """Bring one image to the input's size; the placement remembers the inverse.

        Parameters
        ----------
        image : array, PIL image or path
            RGB [H, W, 3], 0..255; [H, W, C] for nets of other than 1 and 3 channels.
        input : str, tf.Tensor or None
            A further input that takes images; the result goes into `ExplainOptions.inputs`.

        Raises
        ------
        OptionError, ImageFileError, BindingError
        """
        self._open([] if input is None else [input])
        return self.fit_pixels(as_image(image, self.takes_own_range, self.channels_in), input)

    def fit_pixels(self, image: np.ndarray, input: Any = None) -> Fitted:
        """Bring one image that was read or checked already to the input's size; its values may be any."""
        fixed = self.binding.image_size if input is None else self._open([input]).further.size(input)
        return fit_to_input(image, fixed, self.size, self.fit_mode)

    def fit_input(self, name: Any, value: Any) -> np.ndarray:
        """Return one image's value of a further input, as its tensor takes it. Raises BindingError."""
        return self._open([name]).further.row(name, value)

    def check_inputs(self, names: Sequence[Any]) -> None:
        """Raise BindingError for further inputs that have no value in `feed` and are not among these names."""
        self._open(names).further.check_given(names)

    def adding_ops(self) -> ContextManager[tf.Graph]:
        """Let this thread add ops of its own to `graph` inside the block; the graph is final outside of it."""
        self._open()
        return self._sessions[0].building()

    def assign(self, values: Mapping[str, np.ndarray]) -> None:
        """Give variables of the model new values, such as those of a training that goes on.

        Parameters
        ----------
        values : mapping
            Name from `model.variables` -> array of the variable's shape. Variables left out keep their values.

        Raises
        ------
        OptionError
            If the model has no such variable, or its shape differs.
        ClosedError
            If the net is closed.
        """
        for sess in self._sessions:
            sess.assign(values)

    def close(self) -> None:
        """Free the sessions, if they are this process's. Requests that wait or come later get a ClosedError."""
        for sess in () if is_forked() else self._sessions:
            sess.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()
