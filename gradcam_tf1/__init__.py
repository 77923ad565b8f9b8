"""Grad-CAM and its relatives for TensorFlow 1 graphs.

The names below are looked up at first use (PEP 562): importing this package loads neither TensorFlow nor OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from gradcam_tf1.errors import BindingError as BindingError
    from gradcam_tf1.errors import ClosedError as ClosedError
    from gradcam_tf1.errors import GradCamError as GradCamError
    from gradcam_tf1.errors import GradientError as GradientError
    from gradcam_tf1.errors import ImageFileError as ImageFileError
    from gradcam_tf1.errors import ModelFileError as ModelFileError
    from gradcam_tf1.errors import OptionError as OptionError
    from gradcam_tf1.errors import SelectionError as SelectionError
    from gradcam_tf1.errors import TargetError as TargetError
    from gradcam_tf1.errors import WeightsError as WeightsError
    from gradcam_tf1.graph import GradCam as GradCam
    from gradcam_tf1.graph import GradCamGraph as GradCamGraph
    from gradcam_tf1.images.preprocessing import PRESETS as PRESETS
    from gradcam_tf1.images.preprocessing import Preprocessing as Preprocessing
    from gradcam_tf1.labels import Labels as Labels
    from gradcam_tf1.loaders import load as load
    from gradcam_tf1.methods import METHOD_GROUPS as METHOD_GROUPS
    from gradcam_tf1.methods import METHODS as METHODS
    from gradcam_tf1.methods.noise import Noise as Noise
    from gradcam_tf1.run.result import Result as Result
    from gradcam_tf1.run.results import Results as Results
    from gradcam_tf1.types import Binding as Binding
    from gradcam_tf1.types import Explanation as Explanation
    from gradcam_tf1.types import KeyTensors as KeyTensors
    from gradcam_tf1.types import LayerInfo as LayerInfo
    from gradcam_tf1.types import LoadedModel as LoadedModel
    from gradcam_tf1.types import MapStatus as MapStatus

__version__ = "0.1.0"

_NAMES = {
    "errors": (
        "BindingError",
        "ClosedError",
        "GradCamError",
        "GradientError",
        "ImageFileError",
        "ModelFileError",
        "OptionError",
        "SelectionError",
        "TargetError",
        "WeightsError",
    ),
    "graph": ("GradCam", "GradCamGraph"),
    "labels": ("Labels",),
    "loaders": ("load",),
    "methods": ("METHODS", "METHOD_GROUPS"),
    "methods.noise": ("Noise",),
    "images.preprocessing": ("PRESETS", "Preprocessing"),
    "run.result": ("Result",),
    "run.results": ("Results",),
    "types": ("Binding", "Explanation", "KeyTensors", "LayerInfo", "LoadedModel", "MapStatus"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "METHODS",
    "METHOD_GROUPS",
    "PRESETS",
    "Binding",
    "BindingError",
    "ClosedError",
    "Explanation",
    "GradCam",
    "GradCamError",
    "GradCamGraph",
    "GradientError",
    "ImageFileError",
    "KeyTensors",
    "Labels",
    "LayerInfo",
    "LoadedModel",
    "MapStatus",
    "ModelFileError",
    "Noise",
    "OptionError",
    "Preprocessing",
    "Result",
    "Results",
    "SelectionError",
    "TargetError",
    "WeightsError",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gradcam_tf1' has no attribute {name!r}; its names are {', '.join(__all__)}")
    value = getattr(import_module(f"gradcam_tf1.{_HOME[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> List[str]:
    return [*__all__, "__version__"]
