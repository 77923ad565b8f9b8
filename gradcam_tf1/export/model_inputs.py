"""What an exported model takes: images or encoded images, classes, and the further inputs of its net."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.encoded_image_ops import DIFFERENCES, decoded_images
from gradcam_tf1.export.export_request import ExportRequest
from gradcam_tf1.export.image_input_ops import as_net_input, prepared
from gradcam_tf1.export.net_part import NetPart
from gradcam_tf1.export.second_copy import forget_waiting
from gradcam_tf1.images.bands import PHOTOGRAPH
from gradcam_tf1.images.preprocessing import Preprocessing
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Shape

SCOPE = "export/"  # of the ops that are neither the net's nor made in its graph


class ModelInputs:
    """The placeholders of an exported model, in the default graph, and what they stand for in the net.

    Parameters
    ----------
    net : BoundNet
        The net.
    request : ExportRequest
        What is exported.
    part : NetPart
        The net's ops.

    Attributes
    ----------
    placeholders : dict
        Name in the signature -> tensor.
    class_ids : tf.Tensor
        int32 [N]; -1, the top class, where nothing is fed.
    photographs : tf.Tensor or None
        [N, H, W, 3], RGB, 0..255: what the overlay is drawn on; None if the model takes something else.
    mapped : dict
        Name of a tensor of the net -> what is in its place.
    sides : tuple of int
        (H, W) of the input, or the axes of a signal, a volume or a clip.
    notes : list of str
        Sentences for the user.

    Raises
    ------
    ExportError
        If the input has a free side, or its encoded form is not possible.
    """

    def __init__(self, net: BoundNet, request: ExportRequest, part: NetPart) -> None:
        self._net, self._binding = net, net.binding
        self._preset = None if net.maps_pixels_itself else net.known_preset
        self._own_names = {node.name.split("/")[0] for node in part.graph_def.node}
        self.placeholders: Dict[str, tf.Tensor] = {}
        self.photographs: Optional[tf.Tensor] = None
        self.notes: List[str] = []
        self.sides = self._sides()
        self.mapped = {self._binding.input: self._images(request)}
        self._add_feeds(part)
        self.class_ids = self._classes(part)

    def imported(self, part: NetPart) -> Dict[str, tf.Tensor]:
        """Import the net's ops on these inputs; return `NetPart.tensors` as tensors."""
        mapped = {name: self.mapped[name] for name in part.used(list(self.mapped))}
        forget_waiting(part.graph_def, {name.split(":")[0] for name in mapped})
        found = tf.import_graph_def(part.graph_def, mapped, list(part.tensors.values()), name="")
        return dict(zip(part.tensors, found))

    def _placeholder(self, key: str, dtype: Any, shape: Shape) -> tf.Tensor:
        name = key
        while name in self._own_names:
            name += "_in"
        self._own_names.add(name)
        self.placeholders[key] = tf.placeholder(dtype, shape, name)
        return self.placeholders[key]

    @property
    def takes_pixels(self) -> bool:
        """Whether the model takes images before preprocessing, not what the net takes."""
        return self._preset is not None and self._binding.array_shape is None

    # sizes

    def _sides(self) -> Tuple[int, ...]:
        binding, net = self._binding, self._net
        if binding.array_shape is not None:
            sides = tuple(binding.array_shape[1:-1])
        elif net.fit_mode == "short-side":
            sides = binding.image_size
        else:
            sides = tuple(have or wanted for have, wanted in zip(binding.image_size, net.size))
            if net.fit_mode != "stretch":  # these fits make a square of one side
                sides = tuple(side or max(filter(None, sides), default=None) for side in sides)
        if None in sides:
            raise ExportError(
                f"the input '{binding.input}' takes any size, and an exported model takes one; give size=(height, "
                "width), --size HEIGHTxWIDTH, and a fit other than short-side"
            )
        return tuple(int(side) for side in sides if side is not None)

    # images

    def _images(self, request: ExportRequest) -> tf.Tensor:
        preset = self._preset
        if preset is None or not self.takes_pixels:
            return self._as_the_net_takes(request)
        preset.check_channels(self._binding.channels)
        rows, channels = self._binding.batch_size, self._net.channels_in
        rows = rows if self._binding.has_batch_axis else 1
        if rows is not None:
            self.notes.append(f"the graph fixes its batch size: the model takes {rows} at a time")
        if request.input_bytes:
            images = self._decoded(rows)
        elif self._takes_photographs(preset):
            images = self._placeholder("images", self._binding.dtype, (rows, *self.sides, channels))
            self._see(images)
            return images
        else:
            images = self._placeholder("images", tf.float32, (rows, *self.sides, channels))
        self._see(images)
        with tf.name_scope(SCOPE):
            return as_net_input(prepared(images, preset), self._binding)

    def _takes_photographs(self, preset: Preprocessing) -> bool:
        """Return whether the net's own input is a batch of photographs as they are."""
        binding = self._binding
        unchanged = preset.is_identity and preset.order == "rgb" and self._net.channels_in == binding.channels
        return unchanged and binding.has_batch_axis and binding.input_channels_last

    def _see(self, images: tf.Tensor) -> None:
        if images.shape[-1] not in PHOTOGRAPH:
            self.notes.append("images of many bands have no overlay; the maps are complete")
            return
        self.photographs = images

    def _decoded(self, rows: Optional[int]) -> tf.Tensor:
        if self._net.channels_in != 3:
            raise ExportError("encoded images have three colours; the net takes bands, export it without input_bytes")
        if self._net.fit_mode == "short-side":
            raise ExportError("fit 'short-side' makes another size of each image, and an exported model takes one")
        encoded = self._placeholder("image_bytes", tf.string, (rows,))
        self.notes.append(f"encoded images: {DIFFERENCES}")
        with tf.name_scope(SCOPE):
            return decoded_images(encoded, (self.sides[0], self.sides[1]), self._net.fit_mode)

    def _as_the_net_takes(self, request: ExportRequest) -> tf.Tensor:
        """Return a placeholder like the net's own input, its free sides fixed."""
        binding = self._binding
        why = "signals, volumes and clips" if binding.array_shape is not None else "values that are prepared already"
        if request.input_bytes:
            raise ExportError(
                f"encoded images cannot be the input of a model that takes {why}; name the preset of its images, "
                "preset=... (--preset)"
            )
        tensor = self._net.graph.get_tensor_by_name(binding.input)
        shape = tensor.shape.as_list()
        first = int(binding.has_batch_axis) + int(not binding.input_channels_last and binding.array_shape is None)
        shape[first : first + len(self.sides)] = self.sides
        self.notes.append(f"the model takes {why}, as the net does: there is no overlay")
        return self._placeholder("images", tensor.dtype, tuple(shape))

    # what else is fed

    def _count(self) -> tf.Tensor:
        """Return the number of images, int32 [1]."""
        if not self._binding.has_batch_axis:
            return tf.constant([1])
        return tf.shape(next(iter(self.placeholders.values())))[:1]

    def _add_feeds(self, part: NetPart) -> None:
        """Bake in the values of other placeholders; those that come with each image are inputs."""
        graph, binding = self._net.graph, self._binding
        for name in part.used(list(binding.per_image)):
            tensor = graph.get_tensor_by_name(name)
            key = tensor.op.name.replace("/", "_")
            self.mapped[name] = self._placeholder(key, tensor.dtype, tuple(tensor.shape.as_list()))
        for name in part.used(list(binding.feeds)):
            with tf.name_scope(SCOPE):
                value = tf.constant(binding.feeds[name], graph.get_tensor_by_name(name).dtype)
                if name in binding.repeated:
                    value = tf.tile(value, tf.concat([self._count(), [1] * (value.shape.rank - 1)], axis=0))
            self.mapped[name] = value

    def _classes(self, part: NetPart) -> tf.Tensor:
        """Add the classes. An id out of range ends the run: a GPU would read zeros."""
        with tf.name_scope(SCOPE):
            default = tf.fill(self._count(), -1)
        name = "class_ids"
        while name in self._own_names:
            name += "_in"
        classes = self._net.explainers[0].engine.ops.scores("logit").shape.as_list()[1]
        shape = [None if self._binding.batch_size is None else self._binding.batch_size]
        asked = tf.placeholder_with_default(default, shape, name)
        with tf.name_scope(SCOPE):
            codes = tf.broadcast_to(asked, self._count())
            if classes is not None:
                known = tf.reduce_all(tf.logical_and(codes >= -classes, codes < classes))
                message = f"class_ids are 0 to {classes - 1}, or -1 for the top class, -2 for the second, ...; given:"
                with tf.control_dependencies([tf.debugging.Assert(known, [message, codes])]):
                    codes = tf.identity(codes)
        self.mapped[part.code] = codes
        return asked
