"""Runs one net over any number of images: chunks, the batch size a graph insists on, layouts, errors."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Hashable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.built_once import made_of
from gradcam_tf1.engine.feature_maps import FRAME_AXES, together
from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.errors import GradCamError, OutOfMemoryError, RunError, TimeLimitError
from gradcam_tf1.gradients.float_images import FloatImages
from gradcam_tf1.tf_runtime import OUR_SCOPE, check_process, tf
from gradcam_tf1.types import Binding

Fetches = Mapping[Hashable, Any]


def session_config(given: Any = None, placed: bool = False) -> tf.ConfigProto:
    """The configuration of a session that a `SessionRunner` can trust: `given`, or one that leaves a GPU to others too.

    placed: the ops are put on a device, and other sessions are at work beside this one. Ops that the device cannot run
    may go elsewhere, whatever `given` says, and the session gets threads of its own: a net that is stuck would keep
    the others from theirs.

    TensorFlow's arithmetic optimizer (seen on 2.21) takes a pair of inverse transposes out of the graph even where the
    tensor between them is fed, so that a fed layer of a channels-first net would be ignored without a word. It is off
    unless `given` says something else.
    """
    config = tf.ConfigProto()
    if given is None:
        config.allow_soft_placement = True
        config.gpu_options.allow_growth = True
    else:
        config.CopyFrom(given)
    if placed:
        config.allow_soft_placement = True
        if not config.session_inter_op_thread_pool:
            config.session_inter_op_thread_pool.add(num_threads=config.inter_op_parallelism_threads)
    rewrites = config.graph_options.rewrite_options
    if rewrites.arithmetic_optimization == rewrites.DEFAULT:
        rewrites.arithmetic_optimization = rewrites.OFF
    return config


class SessionRunner:
    """Feeds and fetches. batch_size: images per `session.run`, unless the graph has its own baked in."""

    def __init__(self, live: LiveSession, binding: Binding, batch_size: int) -> None:
        self._live = live
        self._binding = binding
        # by tensor, not by name: one tensor under two names in a feed is an error
        self._input = live.graph.get_tensor_by_name(binding.input)
        self._feeds = {live.graph.get_tensor_by_name(name): value for name, value in binding.feeds.items()}
        self._repeated = [live.graph.get_tensor_by_name(name) for name in binding.repeated]
        self._own = FloatImages(self._input, binding.has_batch_axis, binding.input_channels_last)
        self._limit = _Limit()
        self.chunk = 1 if not binding.has_batch_axis else binding.batch_size or batch_size

    def run(
        self,
        fetches: Fetches,
        batch: np.ndarray,
        per_image: Optional[Mapping[tf.Tensor, np.ndarray]] = None,
        floats: Optional[Tuple[FloatImages, np.ndarray]] = None,
        step: Optional[Callable[[int], None]] = None,
    ) -> Dict[Hashable, np.ndarray]:
        """Run the net on every image of the batch.

        Args:
            fetches: tensors with the image axis first. batch: [N, H, W, C] of the input's dtype, N >= 1.
            per_image: values for further tensors, image axis first, length N.
            floats: images [N, H, W, C] for the floats that the input would have led to.
            step: called with the number of images of each chunk when it is done.

        Returns: the fetched arrays, [N, ...] each. Raises: RunError with TensorFlow's reason.
        """
        parts: List[Dict[Hashable, np.ndarray]] = []
        for start in range(0, len(batch), self.chunk):
            rows = slice(start, start + self.chunk)
            count = len(batch[rows])
            expected = max(count, self._binding.batch_size or 0)
            feed = self._constants(expected)
            feed[self._input] = self._images(batch[rows], self._own)
            if floats is not None:
                feed[floats[0].tensor] = self._images(floats[1][rows], floats[0])
            feed.update(self._rows_of({tensor: values[rows] for tensor, values in (per_image or {}).items()}))
            found = self._sess_run(dict(fetches), feed)
            parts.append({key: _rows(value, expected, fetches[key])[:count] for key, value in found.items()})
            if step is not None:
                step(count)
        if len(parts) == 1:
            return parts[0]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def values(
        self, tensors: Sequence[tf.Tensor], image: np.ndarray, further: Mapping[tf.Tensor, np.ndarray]
    ) -> List[np.ndarray]:
        """What any tensors hold, whatever their axes, for one image [1, H, W, C] and its further inputs.

        Raises: RunError.
        """
        feed = {**self._constants(self._binding.batch_size or 1), **self._rows_of(further)}
        feed[self._input] = self._images(image, self._own)
        return self._sess_run(list(tensors), feed)

    def _constants(self, images: int) -> Dict[Any, Any]:
        """What is fed beside the images, the same for all of them."""
        return {**self._feeds, **{each: np.repeat(self._feeds[each], images, axis=0) for each in self._repeated}}

    def _rows_of(self, values: Mapping[tf.Tensor, np.ndarray]) -> Dict[Any, Any]:
        return {tensor: self._row(tensor, rows) for tensor, rows in values.items()}

    def _fill(self, values: np.ndarray) -> np.ndarray:
        """Where the graph insists on its batch size: filled up with the last image."""
        short = (self._binding.batch_size or 0) - len(values)
        return np.concatenate([values, np.repeat(values[-1:], short, axis=0)]) if short > 0 else values

    def _row(self, tensor: tf.Tensor, values: np.ndarray) -> np.ndarray:
        """Further values as the tensor takes them: without the axis of images where the net takes one at a time.

        A layer of clips has the frames of all of them on one axis.
        """
        filled = self._fill(values)
        if self._binding.frame_order and tensor.shape.rank == filled.ndim - 1 == FRAME_AXES - 1:
            return together(filled, self._binding)
        alone = not self._binding.has_batch_axis and tensor.shape.rank == filled.ndim - 1
        return filled[0] if alone else filled

    def _images(self, batch: np.ndarray, to: FloatImages) -> np.ndarray:
        """In the layout of the tensor that they are for."""
        batch = self._fill(batch)
        if self._binding.array_shape is not None:
            return batch[..., 0] if self._input.shape.rank == 2 else batch
        if not to.channels_last:
            batch = np.transpose(batch, (0, 3, 1, 2))
        return batch if to.has_batch_axis else batch[0]

    def _sess_run(self, fetches: Any, feed: Dict[Any, Any]) -> Any:
        check_process()
        options = self._options()
        try:
            return self._live.run(fetches, feed, **options)
        except GradCamError:
            raise
        except tf.errors.DeadlineExceededError as error:
            raise TimeLimitError(self._limit.said) from error
        except tf.errors.ResourceExhaustedError as error:
            raise OutOfMemoryError(_run_message(error)) from error
        except tf.errors.OpError as error:
            raise RunError(_run_message(error) + self._other_rows(feed)) from error
        except (TypeError, ValueError) as error:  # a fed value of another shape or kind than its tensor
            raise RunError(f"the net does not take what it was fed: {error}") from error

    def _other_rows(self, feed: Dict[Any, Any]) -> str:
        """The constants that have other rows than there are images, the likely reason where a net fails."""
        images = len(feed[self._input])
        for tensor, value in self._feeds.items():
            rows = np.shape(value)[0] if np.ndim(value) and tensor not in self._repeated else images
            open_first = tensor.shape.rank is None or tensor.shape.as_list()[0] is None
            if rows != images and open_first and self._binding.has_batch_axis:
                return (
                    f"; '{tensor.name}' is fed {rows} rows, and there are {images} images: give one row, or "
                    "each image its own in `inputs` (--feed-file)"
                )
        return ""

    @contextmanager
    def time_limit(self, seconds: Optional[float]) -> Iterator[None]:
        """Inside, all runs of this thread take so many seconds at the most; an op that is running then is waited for.

        Raises: TimeLimitError.
        """
        self._limit.end = None if seconds is None else time.monotonic() + seconds
        self._limit.said = f"the net took longer than the {seconds} s that are allowed"
        try:
            yield
        finally:
            self._limit.end = None

    def _options(self) -> Dict[str, Any]:
        if self._limit.end is None:
            return {}
        left = int(1000 * (self._limit.end - time.monotonic()))
        if left < 1:
            raise TimeLimitError(self._limit.said)
        return {"options": tf.RunOptions(timeout_in_ms=left)}


class _Limit(threading.local):
    """When the runs of a thread have to be done, and what is said where they are not."""

    end: Optional[float] = None
    said = ""


_CURE = (
    "name a layer (and logits) with one row per image, or the input, logits and layer of one of the parts "
    "(--input, --logits, --layer)"
)


def _rows(value: np.ndarray, expected: int, tensor: tf.Tensor) -> np.ndarray:
    if np.shape(value)[:1] != (expected,):
        raise RunError(
            f"{made_of(tensor)} came out as {list(np.shape(value))} for {expected} images: the net cuts images "
            f"into parts or mixes them before it; {_CURE}"
        )
    return value


def _run_message(error: Any) -> str:
    place, cure = "", ""
    if error.op is not None:
        place = f" at '{error.op.name}' ({error.op.type})"
        if error.op.name.startswith(OUR_SCOPE) and not error.op.outputs:
            place = ""  # an assertion of ours says all in its message
        elif error.op.name.startswith(OUR_SCOPE):
            place = f" at {made_of(error.op.outputs[0])} ({error.op.type})"
            cure = f"; {_CURE}" if isinstance(error, tf.errors.InvalidArgumentError) else ""
    lines = [line for line in error.message.splitlines() if line.strip() not in ("", "Graph execution error:")]
    # TensorFlow 2 puts the reason behind a stack trace, after a line "Node: 'name'"
    after = [number + 1 for number, line in enumerate(lines[:-1]) if line.startswith("Node:")]
    message = f"the net failed{place}: {lines[after[0] if after else 0].strip()}"
    if "NHWC" in message:
        message += ". TensorFlow 1.15 computes channels-first (NCHW) layers on a GPU only; TensorFlow 2 also on the CPU"
    return message + cure
