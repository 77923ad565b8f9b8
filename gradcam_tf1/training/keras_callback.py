"""Callback for the training loop of Keras."""

from __future__ import annotations

from typing import Any, Optional

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import OptionError
from gradcam_tf1.loaders.followed import FollowedModel, follow_keras
from gradcam_tf1.loaders.keras_h5 import is_traced, session_of
from gradcam_tf1.training.late_base import with_base
from gradcam_tf1.training.map_logger import MapLogger
from gradcam_tf1.training.training_maps import TrainingMaps, check_every, check_maps


class GradCamCallback:
    """Explain a fixed set of images every N epochs or batches of `model.fit`, for TensorBoard.

    A Keras callback, for tf.keras of TensorFlow 1, tf_keras and Keras 3 on TensorFlow. The net is explained in
    inference mode. The step of a summary is the number of finished epochs, or of batches.

    Parameters
    ----------
    maps : TrainingMaps
        What is explained. It has a `logdir`: Keras saves no checkpoints by itself.
    every_n_epochs : int or None
        Epochs between two sets of maps.
    every_n_batches : int or None
        Batches between them. Give one of the two.

    Raises
    ------
    OptionError
        If an argument is not possible.
    """

    def __new__(cls, *_args: Any, **_named: Any) -> Any:
        """Make an object that is a Callback of Keras, too."""
        return object.__new__(with_base(cls, runtime.keras().callbacks.Callback))

    def __init__(
        self, maps: TrainingMaps, *, every_n_epochs: Optional[int] = None, every_n_batches: Optional[int] = None
    ) -> None:
        check_every(every_n_epochs=every_n_epochs, every_n_batches=every_n_batches)
        super().__init__()
        self._maps = check_maps(maps)
        if maps.logdir is None:
            raise OptionError("logdir is missing: Keras saves no checkpoints by itself; give TrainingMaps(logdir=...)")
        if maps.build is not None:
            raise OptionError("build is for sessions; a Keras model is explained in inference mode as it is")
        self._every_n_epochs, self._every_n_batches = every_n_epochs, every_n_batches

    def on_train_begin(self, logs: Any = None) -> None:
        """Prepare for a new training."""
        del logs
        self._batches = 0
        model, maps = self.model, self._maps  # type: ignore[attr-defined]

        def follow(_: object) -> FollowedModel:
            return follow_keras(model, maps.moving_averages)

        self._logger = MapLogger(maps, follow)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Explain the images if it is time."""
        del logs
        if self._every_n_epochs is not None and (epoch + 1) % self._every_n_epochs == 0:
            self._log(epoch + 1)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Explain the images if it is time."""
        del batch, logs
        self._batches += 1
        if self._every_n_batches is not None and self._batches % self._every_n_batches == 0:
            self._log(self._batches)

    def on_train_end(self, logs: Any = None) -> None:
        """Close the event file."""
        del logs
        self._logger.close()

    def _log(self, step: int) -> None:
        model = self.model  # type: ignore[attr-defined]
        self._logger.log(None if is_traced(model) else session_of(model), step)
