"""Values of further inputs, one row per image: numbers are unchanged, images are fitted like the main ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.binding.feed_values import broadcast, typed
from gradcam_tf1.binding.feeds import ask_for
from gradcam_tf1.binding.layout import IMAGE_CHANNELS
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.engine.input_batches import input_batch, stack_pixels
from gradcam_tf1.errors import FeedError, OptionError
from gradcam_tf1.images.geometry import Fitted, FreeSize
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding


@dataclass(frozen=True)
class FurtherInputs:
    """The inputs of a net besides its images.

    Attributes
    ----------
    graph : tf.Graph
        The graph of the net.
    binding : Binding
        Its key tensors.
    preprocess : callable
        `GradCamGraph.preprocess` of the net.
    """

    graph: tf.Graph
    binding: Binding
    preprocess: Callable[[np.ndarray], np.ndarray]

    def rows(self, inputs: Union[Mapping[Any, Any], str], images: int) -> Dict[str, np.ndarray]:
        """Convert the values of all images to what their tensors take.

        Parameters
        ----------
        inputs : mapping
            Tensor or name -> array or list with one row per image. Rows that are Fitted are preprocessed as the images.
        images : int
            Number of images, N.

        Returns
        -------
        dict
            Tensor name -> values of its dtype, [N, ...].

        Raises
        ------
        OptionError
            If there are not N rows.
        BindingError
            If a value does not fit its tensor, if the tensor does not take one value per image, or if a tensor that
            needs values has none.
        """
        if not isinstance(inputs, Mapping):
            raise OptionError(f"inputs are {inputs!r}; give tensor -> one row for each of the {images} images")
        feed = {}
        for key, values in inputs.items():
            tensor = self._tensor(key)
            if not (isinstance(values, (list, tuple)) or np.ndim(values)) or len(values) != images:
                raise OptionError(
                    f"inputs[{key!r}] is {_shape_of(values)}; give one row for each of the {images} images (of an "
                    f"image input net.fit_image(image, {key!r})), or a constant in `feed`"
                )
            feed[tensor.name] = self._stacked(tensor, values)
        self.check_given(feed)
        return feed

    def check_given(self, names: Iterable[Any]) -> None:
        """Check that these tensors include all that need values. Raises BindingError naming the missing ones."""
        present = {self._tensor(name).name for name in names}
        missing = [self._tensor(name) for name in self.binding.per_image if name not in present]
        if missing:
            raise FeedError(ask_for(missing, self.binding.input, bool(self.binding.token_ids)))

    def row(self, key: Any, value: Any) -> np.ndarray:
        """Return one image's value in the dtype and shape of the tensor, without image axis. Raises BindingError."""
        return self._row(self._tensor(key), value)

    def size(self, key: Any) -> FreeSize:
        """Return (height, width) of the images of a further input; free sides are those of the main input."""
        tensor = self._tensor(key)
        last, _ = self._layout(tensor)
        sides = (None, None) if tensor.shape.rank is None else tensor.shape.as_list()[-3 if last else -2 :][:2]
        return sides[0] or self.binding.image_size[0], sides[1] or self.binding.image_size[1]

    def _tensor(self, key: Any) -> tf.Tensor:
        tensor = find_tensor(self.graph, key)
        if tensor.name in (self.binding.input, self.binding.token_ids):
            raise FeedError(
                f"'{tensor.name}' receives what is explained, images or token ids; leave it out of the further inputs"
            )
        return tensor

    def _stacked(self, tensor: tf.Tensor, values: Sequence[Any]) -> np.ndarray:
        if all(isinstance(value, Fitted) for value in values):
            return self._images(tensor, list(values))
        rows = [self._row(tensor, value) for value in values]
        shapes = sorted({row.shape for row in rows})
        if len(shapes) > 1:
            raise OptionError(f"the values of '{tensor.name}' have different shapes {shapes}; explain them apart")
        return np.stack(rows)

    def _row(self, tensor: tf.Tensor, value: Any) -> np.ndarray:
        array = typed(tensor, value)
        sides = self._row_sides(tensor)
        if sides is None:
            return array
        if self._counts_images(tensor) and array.ndim == len(sides) + 1 and array.shape[0] == 1:
            array = array[0]
        return broadcast(_Row(tensor.name, tf.TensorShape(sides)), array)

    def _counts_images(self, tensor: tf.Tensor) -> bool:
        """Return whether the first axis of the tensor is the image axis."""
        sides = tensor.shape.as_list()
        return bool(sides) and (self.binding.has_batch_axis or sides[0] in (None, 1))

    def _row_sides(self, tensor: tf.Tensor) -> Optional[List[Optional[int]]]:
        """Return the shape without the image axis, None if unknown. Raises BindingError if there is no image axis."""
        if tensor.shape.rank is None:
            return None
        sides: List[Optional[int]] = tensor.shape.as_list()
        if not self._counts_images(tensor):
            if not self.binding.has_batch_axis:
                return sides
        elif sides[0] in (None, self.binding.batch_size or 1):
            return sides[1:]
        raise FeedError(
            f"'{tensor.name}' has shape {tensor.shape} and takes one value for all images of a batch; "
            "give a constant in `feed` (--feed name=value)"
        )

    def _layout(self, tensor: tf.Tensor) -> Tuple[bool, int]:
        """Return whether channels are last, and their number. Raises BindingError if the tensor takes no images."""
        sides = None if tensor.shape.rank is None else tensor.shape.as_list()
        possible = {*IMAGE_CHANNELS, self.binding.channels, None}
        if sides is None:
            return self.binding.input_channels_last, self.binding.channels
        if len(sides) not in (3, 4) or tensor.dtype.name == "string" or not {sides[-1], sides[-3]} & possible:
            raise FeedError(
                f"'{tensor.name}' has shape {tensor.shape} and dtype {tensor.dtype.name}: no images fit; give arrays"
            )
        last, first = sides[-1] in possible, sides[-3] in possible
        channels_last = last if last != first else self.binding.input_channels_last
        return channels_last, sides[-1 if channels_last else -3] or self.binding.channels

    def _images(self, tensor: tf.Tensor, fitted: List[Fitted]) -> np.ndarray:
        """Return preprocessed images in the layout and dtype of the tensor: [N, ...]."""
        channels_last, channels = self._layout(tensor)
        like = replace(self.binding, input=tensor.name, channels=channels, dtype=tensor.dtype.name)
        batch = input_batch(stack_pixels(fitted), self.preprocess, like)
        batch = batch if channels_last else np.transpose(batch, (0, 3, 1, 2))
        expected = self._row_sides(tensor)
        if expected is not None and not tf.TensorShape(expected).is_compatible_with(batch.shape[1:]):
            raise FeedError(f"images for '{tensor.name}' have shape {list(batch.shape[1:])}, it takes {expected}")
        return batch


@dataclass(frozen=True)
class _Row:
    """The name and shape of one row of a tensor, for `broadcast`."""

    name: str
    shape: tf.TensorShape


def _shape_of(values: Any) -> Union[List[int], str]:
    """Return the shape of the values, for messages."""
    try:
        return list(np.shape(values))
    except ValueError:  # rows of different lengths
        return f"{len(values)} rows"
