"""Hook and listener for sessions that train: MonitoredTrainingSession, Estimator."""

from __future__ import annotations

from typing import Any, Optional

from gradcam_tf1.loaders.followed import FollowedModel, follow_session
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.training.late_base import with_base
from gradcam_tf1.training.map_logger import MapLogger
from gradcam_tf1.training.training_maps import TrainingMaps, check_every, check_maps


def _logger(maps: TrainingMaps) -> MapLogger:
    def follow(session: tf.Session) -> FollowedModel:
        return follow_session(session, maps.build, maps.moving_averages)

    return MapLogger(maps, follow)


class GradCamHook:
    """Explain a fixed set of images every N steps or seconds of a training, for TensorBoard.

    A tf.train.SessionRunHook, for `MonitoredTrainingSession(hooks=[...])` and `estimator.train(hooks=[...])`; in a
    training on several machines, of the chief only. The first step and the last one are explained too. The graph that
    is trained stays as it is.

    Parameters
    ----------
    maps : TrainingMaps
        What is explained.
    every_n_steps : int or None
        Global steps between two sets of maps; runs of the session where there is no global step.
    every_n_secs : float or None
        Seconds between them. Give one of the two.

    Raises
    ------
    OptionError
        If an argument is not possible.
    """

    def __new__(cls, *_args: Any, **_named: Any) -> Any:
        """Make an object that is a tf.train.SessionRunHook, too."""
        return object.__new__(with_base(cls, tf.train.SessionRunHook))

    def __init__(
        self, maps: TrainingMaps, *, every_n_steps: Optional[int] = None, every_n_secs: Optional[float] = None
    ) -> None:
        check_every(every_n_steps=every_n_steps, every_n_secs=every_n_secs)
        self._maps = check_maps(maps)
        self._timer = tf.train.SecondOrStepTimer(every_secs=every_n_secs, every_steps=every_n_steps)

    def begin(self) -> None:
        """Prepare for a new session; adds no ops."""
        self._timer.reset()
        self._logger = _logger(self._maps)
        self._global_step = tf.train.get_global_step()
        self._runs = 0

    def before_run(self, run_context: Any) -> Any:
        """Ask for the global step."""
        del run_context
        return None if self._global_step is None else tf.train.SessionRunArgs(self._global_step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Explain the images if it is time."""
        self._runs += 1
        # the step that came with the run may be the one before it
        soon = self._runs if self._global_step is None else int(run_values.results) + 1
        if self._timer.should_trigger_for_step(soon):
            step = self._step(run_context.session)
            if self._timer.should_trigger_for_step(step):
                self._log(run_context.session, step)

    def end(self, session: Any) -> None:
        """Explain the images with the last weights, and close the event file."""
        step = self._step(session)
        if step != self._timer.last_triggered_step():
            self._log(session, step)
        self._logger.close()

    def _step(self, session: Any) -> int:
        return self._runs if self._global_step is None else int(session.run(self._global_step))

    def _log(self, session: Any, step: int) -> None:
        self._timer.update_last_triggered_step(step)
        self._logger.log(session, step)


class GradCamSaverListener:
    """Explain a fixed set of images at each saved checkpoint of a training, for TensorBoard.

    A tf.train.CheckpointSaverListener, for `tf.train.CheckpointSaverHook(listeners=[...])` and
    `estimator.train(saving_listeners=[...])`. The graph that is trained stays as it is.

    Parameters
    ----------
    maps : TrainingMaps
        What is explained.

    Raises
    ------
    OptionError
        If `maps` is something else.
    """

    def __new__(cls, *_args: Any, **_named: Any) -> Any:
        """Make an object that is a tf.train.CheckpointSaverListener, too."""
        return object.__new__(with_base(cls, tf.train.CheckpointSaverListener))

    def __init__(self, maps: TrainingMaps) -> None:
        self._maps = check_maps(maps)

    def begin(self) -> None:
        """Prepare for a new session; adds no ops."""
        self._logger = _logger(self._maps)

    def after_save(self, session: Any, global_step_value: int) -> None:
        """Explain the images with the weights that were saved."""
        self._logger.log(session, int(global_step_value))

    def end(self, session: Any, global_step_value: int) -> None:
        """Close the event file."""
        del session, global_step_value
        self._logger.close()
