"""GradCamGraph: one net, its two hooks, and what can be asked of it."""

from __future__ import annotations

from contextlib import ExitStack
from copy import copy
from dataclasses import replace
from threading import RLock
from typing import Any, Callable, ContextManager, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.binding.tensor_names import choose_output
from gradcam_tf1.engine.explain import How, NetExplainer
from gradcam_tf1.engine.feature_maps import tokens_as_map
from gradcam_tf1.engine.graph_import import open_sessions
from gradcam_tf1.engine.input_batches import check_batch_size
from gradcam_tf1.engine.opening import open_answerers
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import PHOTOGRAPH
from gradcam_tf1.images.fitted_clips import fit_given
from gradcam_tf1.images.geometry import Fitted, check_fit, fit_to_input, free_size
from gradcam_tf1.images.given_images import as_image
from gradcam_tf1.images.preprocessing import Preprocessing, as_preprocessing, list_presets
from gradcam_tf1.labels import Labels, check_class_count, label_names
from gradcam_tf1.loaders import loaded_model
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.run.input_rows import as_inputs
from gradcam_tf1.run.pipeline import visualize
from gradcam_tf1.run.results import Results
from gradcam_tf1.tf_runtime import check_process, is_forked
from gradcam_tf1.types import Binding, Explanation, KeyTensors, MethodProgress

Size = Tuple[Optional[int], Optional[int]]


class GradCamGraph:
    """A TensorFlow 1 net that can say where it looked. Subclass it and override the two hooks, or use it as it is.

    model: path of a frozen graph, checkpoint, SavedModel or Keras file; a live session or Keras model; a LoadedModel.
    nb_classes: checked against the logits where given.
    input, logits, layer, probabilities, feed: as in KeyTensors; what is not given is found automatically. A value in
        `feed` is broadcast to its tensor's shape and repeated for each image; None: it comes with each, as `inputs`.
    output: which output of a net with several: its name, or its number among those that the model declares, from 0.
    preset: how pixel values are mapped, a name from PRESETS or a Preprocessing; a subclass may override `preprocess`.
    fit: stretch, short-side, center-crop or letterbox. size: (height, width), or one number for both, for nets that
        take any size; with short-side it is the length of the shorter side, 224 if none is given.
    labels: path of a label file, or the list of class names.
    tag, signature: of a SavedModel. build: graph-building function for a checkpoint without .meta.
    trust_model: run the code inside the model file, such as Lambda layers. moving_averages: of the weights; see `load`.
    batch_size: images per run. config: tf.ConfigProto of the session.
    devices: TensorFlow's names of them, ("/gpu:0", "/gpu:1"): each gets a session, `visualize_imgs` uses all of them,
        everything else the first; the hooks that prepare images are then called by several threads.

    Several threads may ask one net. Their runs go side by side; a request that needs new ops waits until the others'
    runs are done. Binding happens once; `preprocess` and `reshape` are called in the thread that asks.

    Raises: ModelFileError when the model cannot be loaded; OptionError for a device that is not there; BindingError,
    at first use, when it cannot be bound.
    """

    # Of a subclass that overrides `preprocess`: how many bands of the images it takes; None: RGB.
    image_channels: Optional[int] = None

    def __init__(
        self,
        model: Any,
        nb_classes: Optional[int] = None,
        *,
        input: Any = None,
        logits: Any = None,
        layer: Any = None,
        probabilities: Any = None,
        output: Union[str, int, None] = None,
        feed: Optional[Dict[Any, Any]] = None,
        preset: Union[str, Preprocessing, None] = None,
        fit: str = "stretch",
        size: Union[int, Size, None] = None,
        labels: Union[str, Sequence[str], None] = None,
        tag: Optional[str] = None,
        signature: Optional[str] = None,
        build: Any = None,
        trust_model: bool = False,
        moving_averages: bool = False,
        batch_size: int = 8,
        config: Any = None,
        devices: Union[str, Sequence[str]] = (),
    ) -> None:
        check_fit(fit)
        check_batch_size(batch_size)
        check_class_count(nb_classes)
        self.nb_classes = nb_classes
        self.preset = as_preprocessing(preset)
        self.fit_mode = fit
        self.size = free_size(size)
        self.batch_size = batch_size
        self._label_names = label_names(labels)
        how: Dict[str, Any] = {"tag": tag, "signature": signature, "build": build, "trust_model": trust_model}
        loaded = loaded_model(model, moving_averages=moving_averages, **how)
        places = (devices,) if isinstance(devices, str) else tuple(devices)
        self._sessions = open_sessions(loaded.graph_def, loaded.source, session_config(config, bool(places)), places)
        with ExitStack() as failing:
            failing.callback(self.close)
            self.graph = self._sessions[0].graph
            if output is not None:
                logits = choose_output(self.graph, loaded.outputs, output, logits)
            failing.pop_all()
        self._given = KeyTensors(input, logits, loaded.layer if layer is None else layer, feed or {}, probabilities)
        self.model = replace(loaded, graph_def=None)  # the weights live in the sessions from here on
        self._bound: Sequence[NetExplainer] = ()  # one for each session
        self._binding_lock = RLock()

    # hooks

    def preprocess(self, images: np.ndarray) -> np.ndarray:
        """Map pixel values to what the net expects. Values only: sizes are the geometry's business.

        Args: images: float32 [N, H, W, 3], RGB, 0..255, already at the input's size; for a net of other than 1 and 3
            channels [N, H, W, C], where this is overridden [N, H, W, image_channels].
        Returns: [N, H, W, C] in the net's own range and channel order.
        Raises: OptionError when no preset was given and the graph does not show the preprocessing.
        """
        preset = self.preset or as_preprocessing(self.model.preprocessing or self.binding.preprocessing)
        if preset is None:
            raise OptionError(
                "the graph does not show how its pixel values are prepared, and guessing gives wrong maps silently; "
                f"give a preset (or override `preprocess`):\n{list_presets()}"
            )
        return preset(images)

    def fetch_key_tensors(self) -> Optional[KeyTensors]:
        """Name the key tensors; `self.graph` and `self.sess` are there. Fields left out are found automatically.

        Return a KeyTensors, or, in the older style, assign `self.X`, `self.logit`, `self.layer` and `self.feed_dict`
        and return nothing.
        """
        return self._given

    def reshape(self, features: Any) -> Any:
        """Bring a layer of tokens to a map: tf.Tensor [N, tokens, K] -> [N, h, w, K]; also called with its gradient.

        As it is: tokens row by row, in a grid of the input's shape, with or without a class token in front.
        """
        return tokens_as_map(features, self.binding.image_size)

    # what was found

    @property
    def binding(self) -> Binding:
        """The key tensors by name, bound at first use."""
        return self._open().binding

    @property
    def labels(self) -> Optional[Labels]:
        """The class names, fitted to the number of classes; None where none were given."""
        return self._open().labels

    @property
    def sess(self) -> Any:
        """The tf.Session on `graph`, of the first device. It may be another one after a request: do not keep it."""
        return self._sessions[0].sess

    def _open(self, later: Iterable[Any] = ()) -> NetExplainer:
        """later: further inputs that have their values in what is asked."""
        check_process()
        with self._binding_lock:
            if not self._bound:
                given = replace(self._given, later=tuple(later))
                self._bound = open_answerers(self, self._sessions, given, self._label_names)
            return self._bound[0]

    def on_each_device(self) -> List[GradCamGraph]:
        """The net itself, and for each further device a view of it: the same hooks, answers from another session."""
        self._open()
        views = [copy(self) for _ in self._bound[1:]]
        for view, answerer in zip(views, self._bound[1:]):
            view._bound = (answerer,)
        return [self, *views]

    # what can be asked

    def fit_image(self, image: np.ndarray, input: Any = None) -> Fitted:
        """Bring one image to the input's size; the placement remembers the way back.

        image: RGB [H, W, 3], 0..255, a PIL image or a path; for nets of other than 1 and 3 channels bands [H, W, C].
        input: a further input that takes images; the answer goes into `inputs` of `explain`.
        Raises: OptionError, ImageFileError, BindingError.
        """
        self._open([] if input is None else [input])
        return self.fit_pixels(as_image(image, self._takes_own_range(), self.channels_in), input)

    def fit_pixels(self, image: np.ndarray, input: Any = None) -> Fitted:
        """The same of what was read or checked already: its values may be any."""
        fixed = self.binding.image_size if input is None else self._open([input]).further.size(input)
        return fit_to_input(image, fixed, self.size, self.fit_mode)

    def _takes_own_range(self) -> bool:
        """Whether pixels of another range than 0..255 may be right: they go in as they are, or the user maps them."""
        if type(self).preprocess is not GradCamGraph.preprocess:
            return True
        own = self.preset is not None and (self.preset.is_identity or self.preset.is_of_bands)
        return own and "float" in self.binding.dtype

    @property
    def channels_in(self) -> int:
        """Channels of the images that go in: 3 for RGB, else as many bands, see `image_channels`."""
        if type(self).preprocess is not GradCamGraph.preprocess:
            return self.image_channels or 3
        channels = self.binding.channels
        return 3 if channels in PHOTOGRAPH or self.binding.array_shape is not None else channels

    def explain(
        self,
        images: Any,
        targets: Any = None,
        methods: Union[str, Sequence[str]] = ("gradcam",),
        layers: Any = None,
        score: str = "logit",
        options: Optional[Mapping[str, Mapping[str, Any]]] = None,
        noise: Union[Noise, str, None] = None,
        fuse: Optional[str] = None,
        aug_smooth: bool = False,
        eigen_smooth: bool = False,
        inputs: Optional[Mapping[str, Any]] = None,
        progress: Optional[Callable[[MethodProgress], None]] = None,
    ) -> Explanation:
        """Maps for every image, target, method and layer, from one forward pass.

        Args:
            images: RGB 0..255, one [H, W, 3], [N, H, W, 3], a PIL image, a path, or a list of these of any sizes; for a
                net of other than 1 and 3 channels with as many bands, [H, W, C]. A net of clips takes [N, T, H, W, 3],
                one [T, H, W, 3], or a list of clips, each a list of such images.
            targets: None for the top class; a class id or name; a record from `targets.py` (Top, Contrast, Region...);
                a list of these for all images; or one row of these per image.
            methods: names from METHODS or METHOD_GROUPS.
            layers: one or several layer specs, as in KeyTensors; None: the bound layer.
            score: what of a class is explained: logit, probability, log_probability, margin or down.
            options: method -> its options, {"integrated_gradients": {"steps": 100}}.
            noise: every method's maps are those of noisy copies, averaged as it says (SmoothGrad around any method);
                a Noise, or "smoothgrad", "squaregrad", "vargrad".
            fuse: mean, max or product: one more map, of the layers together, under (method, "fused"); see `fusion.py`.
            aug_smooth: maps averaged over the mirrored, darker and brighter image; see `views.py`.
            eigen_smooth: layer methods give the first principal component of their weighted features, not the sum.
            inputs: values of further input tensors by name, one row per image; they go before constants in `feed`.
                Rows of `fit_image(image, input)` are preprocessed as the images are, others go in as they are.
            progress: told of each method that runs the net many times: first its cost, then every chunk that is done.

        Raises: OptionError, TargetError, GradientError, BindingError; ClosedError when the net is closed meanwhile.
        """
        self._open(inputs or ())
        fitted = fit_given(images, self.binding, self.fit_pixels, self._takes_own_range(), self.channels_in)
        how = How(score, options, noise, fuse, aug_smooth, eigen_smooth, inputs, progress)
        return self._open().answer(fitted, targets, methods, layers, how)

    def explain_arrays(
        self,
        arrays: Any,
        targets: Any = None,
        methods: Union[str, Sequence[str]] = ("gradcam",),
        layers: Any = None,
        score: str = "logit",
        options: Optional[Mapping[str, Mapping[str, Any]]] = None,
        noise: Union[Noise, str, None] = None,
        fuse: Optional[str] = None,
        eigen_smooth: bool = False,
        inputs: Optional[Mapping[str, Any]] = None,
        progress: Optional[Callable[[MethodProgress], None]] = None,
    ) -> Explanation:
        """What `explain` says of images, of arrays as the net takes them: maps are placed on the axes of the array.

        Args:
            arrays: floats [N, L, C] of signals, [N, D, H, W, C] of volumes, [N, T, H, W, C] of clips, or [N, H, W, C]
                of images that are prepared already: `preprocess` is not called. The axis of a single channel may be
                left out.
            The others: as `explain`. Methods and targets that need an image are refused.

        Raises: as `explain`; OptionError for arrays of another shape.
        """
        how = How(score, options, noise, fuse, False, eigen_smooth, inputs, progress)
        return self._open(inputs or ()).answer_arrays(arrays, targets, methods, layers, how)

    def usable_methods(self, methods: Sequence[str], layers: Any = None) -> Tuple[List[str], Dict[str, str]]:
        """Which of the methods work on this net, and for each of the others the reason why not."""
        return self._open().usable(methods, layers)

    def fit_input(self, name: Any, value: Any) -> np.ndarray:
        """One image's value of a further input, as its tensor takes it. Raises: BindingError."""
        return self._open([name]).further.row(name, value)

    def check_inputs(self, names: Sequence[Any]) -> None:
        """Raises: BindingError naming the further inputs that have no value in `feed` and are not among these."""
        self._open(names).further.check_given(names)

    def time_limit(self, seconds: Optional[float]) -> ContextManager[None]:
        """Inside, the net takes so many seconds at the most, whatever is asked, else TimeLimitError; None: no limit."""
        return self._open().engine.time_limit(seconds)

    def visualize_imgs(self, imgs_path: Any, out_folder: str, **options: Any) -> Results:
        """Explain a folder, file, glob or list of images and write the images; see `pipeline.visualize`."""
        self._open(as_inputs(options.get("inputs")))
        return visualize(self, imgs_path, out_folder, **options)

    def visualize_folder(self, imgs_path: Any, out_folder: str, **options: Any) -> Results:
        """The name that older tools have for `visualize_imgs`."""
        return self.visualize_imgs(imgs_path, out_folder, **options)

    def close(self) -> None:
        """Free the sessions, if they are this process's. Who waits for an answer, or asks later, gets a ClosedError."""
        for sess in () if is_forked() else self._sessions:
            sess.close()

    def __enter__(self) -> GradCamGraph:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()


GradCam = GradCamGraph  # its name in older tools
