"""Export a net: make the graph, and write it in one format into one folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from gradcam_tf1._version import __version__
from gradcam_tf1.drawing.style import Style, check_style
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.summary_ops import SummaryOps
from gradcam_tf1.export.export_folder import check_folder, replace_files
from gradcam_tf1.export.export_request import ExportRequest
from gradcam_tf1.export.exported_graph import ExportedGraph, TensorSpec, exported_graph
from gradcam_tf1.export.formats import format_of
from gradcam_tf1.export.self_check import check_export
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.methods.choices import Methods
from gradcam_tf1.tf_runtime import tf

_STYLE = Style()


@dataclass(frozen=True)
class Export:
    """What an export wrote.

    Attributes
    ----------
    folder : str
        The output folder.
    files : tuple of str
        Paths of the files inside of it.
    inputs, outputs : dict
        Name in the signature -> TensorSpec(name, dtype, shape).
    notes : tuple of str
        Sentences for the user.
    """

    folder: str
    files: Tuple[str, ...]
    inputs: Dict[str, TensorSpec]
    outputs: Dict[str, TensorSpec]
    notes: Tuple[str, ...]


class ExportingNet(BoundNet):
    """A bound net whose explanation can leave it, as a tensor or a model. The parameters are those of GradCamGraph."""

    def summary_op(
        self,
        target: Any = None,
        method: Methods = "gradcam",
        layer: Any = None,
        *,
        style: Style = _STYLE,
        images: Optional[tf.Tensor] = None,
    ) -> tf.Tensor:
        """Return the overlay as a tensor of `graph`, for `tf.summary.image` or an export.

        It depends on the net's input alone, which is fed as the net takes it, and on what else the net is fed
        (`binding.feeds`). The same request returns the same tensor. To add ops of your own, see `adding_ops`.

        Parameters
        ----------
        target : None, int or str
            A class; None for the top class of each image.
        method : str or MethodChoice
            One layer method.
        layer : int, str, tf.Tensor or None
            One layer; None for the bound layer.
        style : Style
            How the map is drawn; its `style` is "overlay", "blend" or "gray-background", without box.
        images : tf.Tensor or None
            The photographs, uint8 [N, H, W, 3], a tensor of `graph` at the input's size; None computes them back from
            the net's input, which its preset allows for RGB and BGR.

        Returns
        -------
        tf.Tensor
            uint8 [N, H, W, 3], RGB: what `Map.overlay` draws, up to one gray level from rounding.

        Raises
        ------
        OptionError
            If the method, style or input has no symbolic form.
        GradientError, TargetError, BindingError
            As `explain`.
        """
        check_style(style)
        preset = None if self.maps_pixels_itself else self.known_preset
        return SummaryOps(self._open(), preset).overlay(target, method, layer, style, images)

    def export(
        self,
        out_folder: str,
        method: Methods = "gradcam",
        layer: Any = None,
        *,
        format: str = "saved_model",
        guided: bool = False,
        score: str = "logit",
        input_bytes: bool = False,
        style: Style = _STYLE,
        tf2_only: bool = False,
    ) -> Export:
        """Write the net with its explanation as one model of ordinary ops, which runs without this toolkit.

        It takes `images` as the net does, or, where the net has a preset, RGB 0..255 at the input's size; and
        optionally `class_ids`, int32 [N]. It returns `logits`, `class_ids`, `scores`, `cam` (the raw map),
        `heat_map` (the map at the input's size) and, with a preset, `overlay`.

        Parameters
        ----------
        out_folder : str
            Made if absent; an earlier export in it is replaced, anything else refused.
        method : str or MethodChoice
            One method that is made of ops of the graph alone: a layer method, a gradient, an average over gradients
            such as integrated_gradients, or guided_gradcam.
        layer : int, str, tf.Tensor or None
            One layer, also "A + B"; None for the bound layer.
        format : str
            One of the formats of docs/export.md.
        guided : bool
            Whether the maps of guided backprop and Guided Grad-CAM are outputs too.
        score : {"logit", "probability", "log_probability", "margin", "down"}
            What of a class is explained.
        input_bytes : bool
            Whether the model takes `image_bytes`, encoded images of any size, which it fits as `explain` does.
        style : Style
            How the overlay is drawn; its `style` is "overlay", "blend" or "gray-background", without box.
        tf2_only : bool
            Whether ops that TensorFlow 1.15 lacks may stay in it.

        Returns
        -------
        Export
            The files, inputs, outputs, and sentences for the user.

        Raises
        ------
        ExportError
            If something has no form in ordinary ops.
        OptionError, GradientError, TargetError, BindingError
            As `explain`, and if the folder holds other files.
        OSError
            If a file cannot be written.
        """
        request = ExportRequest(method, layer, guided, score, input_bytes, style, tf2_only)
        return export_net(self, out_folder, format, request)


def export_net(net: BoundNet, folder: str, format: str, request: ExportRequest) -> Export:
    """See `GradCamGraph.export`."""
    row = format_of(format)
    folder = os.path.abspath(as_folder(folder))
    check_folder(folder)
    exported = exported_graph(net, request)
    notes = _checked(net, exported, request)
    files, more = row.files(exported)
    inputs = {**exported.inputs, "class_ids": exported.class_ids}
    done = Export(folder, tuple(files), inputs, exported.results, (*exported.notes, *notes, *more))
    replace_files(folder, files, _facts(net, row.name, request, done))
    return done


def _checked(net: BoundNet, exported: ExportedGraph, request: ExportRequest) -> Tuple[str, ...]:
    if len(exported.inputs) > 1:
        return ("its further inputs come with each image, so that it was not compared with the net",)
    return (f"on random images it equals the net to {check_export(net, exported, request):.0e}",)


def _facts(net: BoundNet, format: str, request: ExportRequest, done: Export) -> Dict[str, Any]:
    row, options = request.chosen
    preset = None if net.maps_pixels_itself else net.known_preset
    return {
        "version": __version__,
        "format": format,
        "model": net.model.source,
        "method": row.name,
        "options": {name: repr(value) for name, value in options.items()},
        "score": request.score,
        "preprocessing": None if preset is None else preset.description,
        "fit": net.fit_mode if request.input_bytes else None,
        "inputs": _rows(done.inputs),
        "outputs": _rows(done.outputs),
        "notes": list(done.notes),
    }


def _rows(specs: Dict[str, TensorSpec]) -> Dict[str, Any]:
    return {name: {"tensor": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)} for name, spec in specs.items()}
