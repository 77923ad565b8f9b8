"""GradCamGraph: one net, its two hooks, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.export.export_net import ExportingNet
from gradcam_tf1.methods.choices import Methods
from gradcam_tf1.run.input_rows import as_inputs
from gradcam_tf1.run.pipeline import visualize
from gradcam_tf1.run.results import Results
from gradcam_tf1.run.run_options import RunOptions, RunRequest

_EXPLAIN, _STYLE, _RUN = ExplainOptions(), Style(), RunOptions()


class GradCamGraph(ExportingNet):
    """A TensorFlow 1 net that can say where it looked. Subclass it and override the two hooks, or use it as it is.

    Several threads may use one net. Their runs go side by side; a request that needs new ops waits until the others'
    runs are done. Binding happens once; `preprocess` and `reshape` are called in the thread that asks, and by several
    threads if there are several devices.

    Parameters
    ----------
    model : str, LoadedModel, tf.Session, Keras model or torch.nn.Module
        Path of a frozen graph, checkpoint, SavedModel, Keras or ONNX file; a live session or model; or what `load`
        returned, which takes the options of the file formats: `GradCamGraph(load(path, tag="serve"))`.
    nb_classes : int or None
        Checked against the logits, if given.
    tensors : KeyTensors
        Names of the key tensors. Those left out are found automatically.
    input, logits, layer, feed
        Short form of the fields of `tensors`. A value in `feed` is broadcast to its tensor's shape and repeated for
        each image; None means that it comes with each image, as `ExplainOptions.inputs`.
    output : str, int or None
        Which output of a net with several: its name, or its number among the declared ones, from 0.
    preset : str, Preprocessing or None
        How pixel values are prepared: a name from PRESETS or a Preprocessing; a subclass may override `preprocess`.
    fit : {"stretch", "short-side", "center-crop", "letterbox"}
        How images are brought to the input's size.
    size : int, (int, int) or None
        Height and width for nets that take any size; with "short-side" the length of the shorter side, 224 by default.
    labels : str, sequence of str or None
        Path of a label file, or the list of class names.
    batch_size : int
        Images per run.
    devices : str or sequence of str
        TensorFlow's names, such as ("/gpu:0", "/gpu:1"). Each gets a session; `visualize_imgs` uses all of them,
        everything else the first.
    config : tf.ConfigProto or None
        Configuration of the sessions.

    Raises
    ------
    ModelFileError
        If the model cannot be loaded.
    OptionError
        If an argument is not possible, or a device does not exist.
    BindingError
        At first use, if the net cannot be bound.
    """

    def explain(
        self,
        inputs: Any,
        targets: Any = None,
        methods: Methods = "gradcam",
        layers: Any = None,
        *,
        score: str = "logit",
        options: ExplainOptions = _EXPLAIN,
    ) -> Explanation:
        """Compute maps for every input, target, method and layer, from one forward pass.

        Parameters
        ----------
        inputs : array, image, path or list of these
            What the net takes. Images: RGB 0..255, one [H, W, 3], [N, H, W, 3], a PIL image, a path, or a list of these
            of any sizes; with as many bands as the net takes if these are not 1 or 3. Clips: [N, T, H, W, 3], one
            [T, H, W, 3], or a list of lists of images. Signals and volumes: floats [N, L, C] or [N, D, H, W, C] as
            they go in, `preprocess` is not called; the axis of a single channel may be left out.
        targets : None, int, str, target record or list
            None for the top class; a class id or name; a record such as Top, Contrast or Region; a list of these for
            all inputs; or one such list per input.
        methods : str, MethodChoice or list of these
            Names from METHODS or METHOD_GROUPS, or `method("rise", masks=500)` with options.
        layers : int, str, tf.Tensor or list of these
            Layers as in KeyTensors; None for the bound layer.
        score : {"logit", "probability", "log_probability", "margin", "down"}
            What of a class is explained.
        options : ExplainOptions
            Noise, smoothing, fusion, further inputs, progress.

        Returns
        -------
        Explanation
            Maps, scores and statuses.

        Raises
        ------
        OptionError, TargetError, GradientError, BindingError
            If the request does not fit the net; the message says what does.
        ImageFileError
            If a file cannot be read.
        ClosedError
            If the net is closed meanwhile.
        """
        _check_record("options", options, ExplainOptions)
        explainer = self._open(options.inputs if isinstance(options.inputs, Mapping) else ())
        return explainer.explain(explainer.prepare(inputs), targets, methods, layers, score, options)

    def visualize_imgs(
        self,
        imgs_path: Any,
        out_folder: str,
        targets: Any = None,
        methods: Optional[Methods] = None,
        layers: Any = None,
        *,
        score: str = "logit",
        options: ExplainOptions = _EXPLAIN,
        style: Style = _STYLE,
        run: RunOptions = _RUN,
    ) -> Results:
        """Explain every image of a folder; write overlays, heat maps, guided images, manifest.jsonl and run.json.

        Parameters
        ----------
        imgs_path : str or list of str
            Folder (read recursively), file, glob, archive, TFRecord file, "@list" of paths, or "-" for paths from
            standard input. For a net of clips each folder of frames, and each file of several frames, is one clip.
        out_folder : str
            Made if absent. Images inside it are skipped.
        targets
            As in `explain`; one list per image of the listing; or a function that makes such lists of the listing, such
            as a PerImage.
        methods
            As in `explain`; None for Grad-CAM and Guided Grad-CAM, as far as the net allows.
        layers, score, options
            As in `explain`.
        style : Style
            How maps are drawn.
        run : RunOptions
            Batch size, threads, names, figures, resuming, what a failed image does.

        Returns
        -------
        Results
            One Result per image, in the order of the listing; also the array of predicted classes.

        Raises
        ------
        OptionError, TargetError, GradientError, BindingError
            If the request does not fit the net.
        ImageFileError
            If there is no image at all. One that cannot be read does not end the run: its line in the manifest says
            why.
        OSError
            If a file cannot be written; the folder can be resumed.
        StoppedError
            If an image fails and `run.on_error` is "stop".
        """
        for name, value, kind in (
            ("options", options, ExplainOptions),
            ("style", style, Style),
            ("run", run, RunOptions),
        ):
            _check_record(name, value, kind)
        self._open(as_inputs(options.inputs))
        request = RunRequest(targets, methods, layers, score, options, style, run)
        if not run.report:
            return visualize(self, imgs_path, out_folder, request)
        from gradcam_tf1.report.run_with_report import visualize_with_report  # a template library, for reports only

        return visualize_with_report(self, imgs_path, out_folder, request)

    visualize_folder = visualize_imgs  # its name in older tools


def _check_record(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise OptionError(f"{name} is {value!r}; give {name}={kind.__name__}(...)")


GradCam = GradCamGraph  # its name in older tools
