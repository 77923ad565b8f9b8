"""The errors that this toolkit raises on purpose: each says what was given, what is possible and what to do."""

from __future__ import annotations

from typing import Any


class GradCamError(ValueError):
    """Base of all errors raised on purpose; the command line prints these as one line, without a traceback."""


class ModelFileError(GradCamError):
    """The model file is missing, damaged or of an unknown kind."""


class BindingError(GradCamError):
    """The input, the logits, the layer or a placeholder's value cannot be determined.

    Attributes
    ----------
    found : types.Candidates or None
        The tensors that are possible; None if they were not searched.
    """

    found: Any = None  # `types` lies above this module


class FeedError(BindingError):
    """The value of an input other than the images is missing or does not fit."""


class GradientError(GradCamError):
    """No gradient reaches the layer or the pixels; the message names the first op that blocks it."""


class RunError(GradCamError):
    """TensorFlow could not run the net on these images; the message names the op and its reason."""


class TimeLimitError(RunError):
    """A batch exceeded the time limit."""


class OutOfMemoryError(RunError):
    """Out of memory at this batch size."""


class ClosedError(GradCamError):
    """The net was closed, perhaps by another thread, before or during the call."""

    def __init__(self, message: str = "the net is closed; open it again") -> None:
        super().__init__(message)


class StoppedError(GradCamError):
    """An image failed in a run that stops at the first failure."""


class TargetError(GradCamError):
    """A class id, class name or list of targets does not fit the net."""


class RegionError(TargetError):
    """A mask or point does not fit its image; other images may still work."""


class ImageFileError(GradCamError):
    """An image cannot be read."""


class WeightsError(GradCamError):
    """A weights file is damaged, lacks a layer, has a wrong shape or holds something that is not an array."""


class OptionError(GradCamError):
    """Unknown option or invalid value."""


class MediaTypeError(OptionError):
    """The body of a request to the live page is neither a form with files nor an image."""


class ExportError(GradCamError):
    """Something cannot be exported: it has no form in ordinary ops, or not in those of the runtime that loads it."""


class ManifestError(GradCamError):
    """A manifest was changed: it no longer holds what the run wrote."""


class ExplanationFileError(GradCamError):
    """A file is not an explanation that `save` wrote, or is damaged."""


class QueueFullError(GradCamError):
    """The live page has as many waiting requests as it takes."""


class CancelledError(GradCamError):
    """A request of the live page was cancelled, or its client went away."""


class SelectionError(GradCamError, IndexError, KeyError):
    """A result does not hold this image, target, method or layer; the message lists what it holds."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""
