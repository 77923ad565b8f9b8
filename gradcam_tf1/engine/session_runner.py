"""Run a net on any number of images: in chunks, with the batch size and layout of the graph, and with clear errors."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from copy import copy
from typing import Any, Callable, Dict, Hashable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.built_once import made_of
from gradcam_tf1.engine.feature_maps import FRAME_AXES, together
from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.engine.run_errors import NAME_TENSORS, run_message
from gradcam_tf1.errors import GradCamError, OptionError, OutOfMemoryError, RunError, TimeLimitError
from gradcam_tf1.forked_process import check_process
from gradcam_tf1.gradients.float_images import FloatImages
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

_LOG = logging.getLogger(__name__)

Fetches = Mapping[Hashable, Any]


def session_config(config: Optional[tf.ConfigProto] = None, placed: bool = False) -> tf.ConfigProto:
    """Return a session configuration that is safe for a `SessionRunner`.

    The arithmetic optimizer of TensorFlow (seen on 2.21) removes a pair of inverse transposes even if the tensor
    between them is fed, so that it silently ignores a fed layer of a channels-first net. It is off here, unless
    `config` sets it.

    Parameters
    ----------
    config : tf.ConfigProto or None
        Settings to keep; None for soft placement and GPU memory as needed.
    placed : bool
        Whether the ops are on a given device, beside other sessions. Then ops that the device cannot run go elsewhere,
        whatever `config` says, and the session has its own threads, so that a hanging net does not block the others.

    Raises
    ------
    OptionError
        If `config` is no tf.ConfigProto.
    """
    if config is not None and not isinstance(config, tf.ConfigProto):
        raise OptionError(f"config is {config!r}; give a tf.ConfigProto, or None")
    safe = tf.ConfigProto()
    if config is None:
        safe.allow_soft_placement = True
        safe.gpu_options.allow_growth = True
    else:
        safe.CopyFrom(config)
    if placed:
        safe.allow_soft_placement = True
        if not safe.session_inter_op_thread_pool:
            safe.session_inter_op_thread_pool.add(num_threads=safe.inter_op_parallelism_threads)
    rewrites = safe.graph_options.rewrite_options
    if rewrites.arithmetic_optimization == rewrites.DEFAULT:
        rewrites.arithmetic_optimization = rewrites.OFF
    return safe


class SessionRunner:
    """Feeds and fetches the tensors of a net.

    Parameters
    ----------
    live : LiveSession
        The session.
    binding : Binding
        The key tensors of the net.
    batch_size : int
        Images per `session.run`, unless the graph fixes its batch size.
    """

    def __init__(self, live: LiveSession, binding: Binding, batch_size: int) -> None:
        self._live = live
        self._binding = binding
        # keyed by tensor, since one tensor under two names in a feed is an error
        self._input = live.graph.get_tensor_by_name(binding.input)
        self._feeds = {live.graph.get_tensor_by_name(name): value for name, value in binding.feeds.items()}
        self._repeated = [live.graph.get_tensor_by_name(name) for name in binding.repeated]
        self._input_images = FloatImages(self._input, binding.has_batch_axis, binding.input_channels_last)
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

        Parameters
        ----------
        fetches : mapping
            Key -> tensor with the image axis first.
        batch : np.ndarray
            [N, H, W, C] of the input's dtype, N >= 1.
        per_image : mapping or None
            Further tensor -> values [N, ...].
        floats : (FloatImages, np.ndarray) or None
            Float images [N, H, W, C] that replace those computed from the input.
        step : callable or None
            Called with the number of images of each finished chunk.

        Returns
        -------
        dict
            Key -> fetched array [N, ...].

        Raises
        ------
        RunError
            If the net fails, with TensorFlow's reason.
        """
        parts: List[Dict[Hashable, np.ndarray]] = []
        unique = {id(tensor): tensor for tensor in fetches.values()}  # a tensor's own hash takes a while
        tensors = list(unique.values())
        for start in range(0, len(batch), self.chunk):
            rows = slice(start, start + self.chunk)
            count = len(batch[rows])
            expected = max(count, self._binding.batch_size or 0)
            feed = self._constants(expected)
            feed[self._input] = self._images(batch[rows], self._input_images)
            if floats is not None:
                feed[floats[0].tensor] = self._images(floats[1][rows], floats[0])
            feed.update(self._rows_of({tensor: values[rows] for tensor, values in (per_image or {}).items()}))
            started = time.monotonic()
            fetched = dict(zip(unique, self._sess_run(tensors, feed)))
            _LOG.debug("ran %d images for %d tensors in %.3f s", count, len(fetches), time.monotonic() - started)
            parts.append({key: _rows(fetched[id(t)], expected, t)[:count] for key, t in fetches.items()})
            if step is not None:
                step(count)
        if len(parts) == 1:
            return parts[0]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def values(
        self, tensors: Sequence[tf.Tensor], image: np.ndarray, further: Mapping[tf.Tensor, np.ndarray]
    ) -> List[np.ndarray]:
        """Return the values of any tensors, whatever their axes, for one image [1, H, W, C] and its further inputs.

        Raises
        ------
        RunError
            If the net fails.
        """
        feed = {**self._constants(self._binding.batch_size or 1), **self._rows_of(further)}
        feed[self._input] = self._images(image, self._input_images)
        unique = list(dict.fromkeys(tensors))
        found = dict(zip(unique, self._sess_run(unique, feed)))
        return [found[tensor] for tensor in tensors]

    def embeddings(self, token_ids: np.ndarray) -> np.ndarray:
        """Return what the net's table holds for token ids [N, T]: float32 [N, T, E].

        Raises
        ------
        RunError
            If the net fails.
        """
        tensor = self._live.graph.get_tensor_by_name(self._binding.token_ids)
        parts: List[np.ndarray] = []
        for start in range(0, len(token_ids), self.chunk):
            rows = token_ids[start : start + self.chunk]
            filled = self._fill(rows)
            feed = {**self._constants(len(filled)), tensor: filled}
            parts.append(self._sess_run([self._input], feed)[0][: len(rows)])
        return np.concatenate(parts).astype(np.float32)

    def constants(self, tensors: Sequence[tf.Tensor]) -> List[np.ndarray]:
        """Return the values of tensors that depend on no input."""
        values: List[np.ndarray] = self._live.run(list(tensors))
        return values

    def feeding(self, values: Mapping[tf.Tensor, np.ndarray], live: Optional[LiveSession] = None) -> SessionRunner:
        """Return a runner that feeds further constants in every run; in another session of the graph, if given."""
        other = copy(self)
        other._feeds, other._live = {**self._feeds, **values}, live or self._live
        return other

    @contextmanager
    def in_fresh_session(self) -> Iterator[SessionRunner]:
        """Return a runner in a session of its own, which ends with the block."""
        with self._live.fresh() as (live, weights):
            yield self.feeding({**weights, **self._feeds}, live)

    def _constants(self, images: int) -> Dict[tf.Tensor, Any]:
        """Return the values that are the same for all images."""
        repeated = {tensor: np.repeat(self._feeds[tensor], images, axis=0) for tensor in self._repeated}
        return {**self._feeds, **repeated}

    def _rows_of(self, values: Mapping[tf.Tensor, np.ndarray]) -> Dict[tf.Tensor, np.ndarray]:
        return {tensor: self._row(tensor, rows) for tensor, rows in values.items()}

    def _fill(self, values: np.ndarray) -> np.ndarray:
        """Pad with copies of the last image to the batch size that the graph fixes."""
        short = (self._binding.batch_size or 0) - len(values)
        return np.concatenate([values, np.repeat(values[-1:], short, axis=0)]) if short > 0 else values

    def _row(self, tensor: tf.Tensor, values: np.ndarray) -> np.ndarray:
        """Bring further values to the layout of their tensor.

        A net that takes one image at a time has no image axis, and a layer of clips has all frames on one axis.
        """
        filled = self._fill(values)
        if self._binding.frame_order and tensor.shape.rank == filled.ndim - 1 == FRAME_AXES - 1:
            return together(filled, self._binding)
        alone = not self._binding.has_batch_axis and tensor.shape.rank == filled.ndim - 1
        return filled[0] if alone else filled

    def _images(self, batch: np.ndarray, target: FloatImages) -> np.ndarray:
        """Bring images to the layout of the tensor that receives them."""
        batch = self._fill(batch)
        if self._binding.array_shape is not None:
            return batch[..., 0] if self._input.shape.rank == 2 else batch
        if not target.channels_last:
            batch = np.transpose(batch, (0, 3, 1, 2))
        return batch if target.has_batch_axis else batch[0]

    def _sess_run(self, tensors: Sequence[tf.Tensor], feed: Dict[tf.Tensor, Any]) -> List[np.ndarray]:
        """Return the values of tensors, no tensor twice."""
        check_process()
        options = self._options()
        try:
            if not options:
                return self._live.run_again(tensors, feed)
            found: List[np.ndarray] = self._live.run(tensors, feed, **options)
            return found
        except GradCamError:
            raise
        except tf.errors.DeadlineExceededError as error:
            raise TimeLimitError(self._limit.message) from error
        except tf.errors.ResourceExhaustedError as error:
            raise OutOfMemoryError(run_message(error)) from error
        except tf.errors.OpError as error:
            raise RunError(run_message(error) + self._other_rows(feed) + self._other_size(error)) from error
        except (TypeError, ValueError) as error:  # a fed value of another shape or dtype than its tensor
            raise RunError(f"the net does not take what it was fed: {error}") from error

    def _other_rows(self, feed: Dict[tf.Tensor, Any]) -> str:
        """Return a hint at a constant whose rows differ from the number of images, a likely reason of a failure."""
        images = len(feed[self._input]) if self._input in feed else 0
        for tensor, value in self._feeds.items():
            rows = np.shape(value)[0] if np.ndim(value) and tensor not in self._repeated else images
            any_rows = tensor.shape.rank is None or tensor.shape.as_list()[:1] == [None]
            if images and rows != images and any_rows and self._binding.has_batch_axis:
                return (
                    f"; '{tensor.name}' is fed {rows} rows for {images} images: give one row, or one row per image in "
                    "`inputs` (--feed-file)"
                )
        return ""

    def _other_size(self, error: tf.errors.OpError) -> str:
        """Return what to do if a net of free size may be made for one size."""
        free = None in self._binding.image_size and self._binding.array_shape is None
        if not free or not isinstance(error, tf.errors.InvalidArgumentError):
            return ""
        return "; if the net was made for one size of images, give it: size=(height, width), --size HEIGHTxWIDTH"

    @contextmanager
    def time_limit(self, seconds: Optional[float]) -> Iterator[None]:
        """Limit the session's total time inside the block, for this thread. A running op is not interrupted.

        Parameters
        ----------
        seconds : float or None
            The limit; None for no limit.

        Raises
        ------
        TimeLimitError
            If the runs take longer.
        """
        self._limit.end = None if seconds is None else time.monotonic() + seconds
        self._limit.message = f"the net took longer than the time limit of {seconds} s"
        try:
            yield
        finally:
            self._limit.end = None

    def _options(self) -> Dict[str, Any]:
        if self._limit.end is None:
            return {}
        left = int(1000 * (self._limit.end - time.monotonic()))
        if left < 1:
            raise TimeLimitError(self._limit.message)
        return {"options": tf.RunOptions(timeout_in_ms=left)}


class _Limit(threading.local):
    """The time limit of a thread: its end, and the message of the error."""

    end: Optional[float] = None
    message = ""


def _rows(value: np.ndarray, expected: int, tensor: tf.Tensor) -> np.ndarray:
    """Return a fetched array if it has one row per image. Raises RunError."""
    if value.shape[:1] != (expected,):
        raise RunError(
            f"{made_of(tensor)} came out as {list(np.shape(value))} for {expected} images: the net cuts images "
            f"into parts or mixes them before it; {NAME_TENSORS}"
        )
    return value
