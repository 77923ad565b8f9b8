"""The errors this toolkit raises on purpose: each says what was given, what is possible and what to do."""

from __future__ import annotations

from typing import Any


class GradCamError(ValueError):
    """Base of all errors raised on purpose; the command line prints these as one line, without a traceback."""


class ModelFileError(GradCamError):
    """The model file is missing, damaged or not of a known kind."""


class BindingError(GradCamError):
    """The input, the logits, the layer or a placeholder's value could not be determined.

    found: what could be meant, a `types.Candidates`; None where that was not looked for.
    """

    found: Any = None


class FeedError(BindingError):
    """A value for an input beside the images is missing, or does not fit."""


class GradientError(GradCamError):
    """No gradient reaches the layer or the pixels; the message names the first op that blocks it."""


class RunError(GradCamError):
    """TensorFlow could not run the net on these images; the message names the op and its reason."""


class TimeLimitError(RunError):
    """A batch took longer than it may."""


class OutOfMemoryError(RunError):
    """The memory is not enough for so many images at a time."""


class ClosedError(GradCamError):
    """The net was closed, maybe by another thread, before it could answer."""

    def __init__(self, message: str = "the net is closed: open it again to ask it anything") -> None:
        super().__init__(message)


class StoppedError(GradCamError):
    """An image failed, and the run was asked to stop there."""


class TargetError(GradCamError):
    """A class id, class name or list of targets does not fit the net."""


class RegionError(TargetError):
    """A mask or a point does not fit its image; other images may be right."""


class ImageFileError(GradCamError):
    """An image cannot be read."""


class WeightsError(GradCamError):
    """A weights file lacks a layer, has a wrong shape, or holds something that is not an array."""


class OptionError(GradCamError):
    """An option's value is not one of the possible ones."""


class ManifestError(GradCamError):
    """A manifest no longer holds what the run has written into it."""


class SelectionError(GradCamError, IndexError, KeyError):
    """An answer does not hold this image, target, method or layer; the message says what it holds."""

    def __str__(self) -> str:  # KeyError would show the repr of the sentence
        return str(self.args[0]) if self.args else ""
