"""Grad-CAM and its relatives for TensorFlow 1 graphs.

The names below are looked up at first use (PEP 562): importing this package loads neither TensorFlow nor OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

from gradcam_tf1._version import __version__ as __version__

if TYPE_CHECKING:
    from gradcam_tf1.comparison.compare_nets import compare_nets as compare_nets
    from gradcam_tf1.comparison.compare_options import CompareOptions as CompareOptions
    from gradcam_tf1.comparison.comparison_result import Comparison as Comparison
    from gradcam_tf1.concepts.concept_options import ConceptOptions as ConceptOptions
    from gradcam_tf1.concepts.concept_records import Concepts as Concepts
    from gradcam_tf1.concepts.find_concepts import find_concepts as find_concepts
    from gradcam_tf1.concepts.sensitivity import tcav as tcav
    from gradcam_tf1.concepts.tcav_options import TcavOptions as TcavOptions
    from gradcam_tf1.concepts.tcav_records import Tcav as Tcav
    from gradcam_tf1.conversion.convert_net import Converted as Converted
    from gradcam_tf1.conversion.convert_net import convert as convert
    from gradcam_tf1.drawing.array_figures import signal_figure as signal_figure
    from gradcam_tf1.drawing.array_figures import volume_figure as volume_figure
    from gradcam_tf1.drawing.class_score import ClassScore as ClassScore
    from gradcam_tf1.drawing.detected_box import Detection as Detection
    from gradcam_tf1.drawing.explained_map import Map as Map
    from gradcam_tf1.drawing.explanation import Explanation as Explanation
    from gradcam_tf1.drawing.figure_grid import save_figure as save_figure
    from gradcam_tf1.drawing.figure_kinds import FIGURES as FIGURES
    from gradcam_tf1.drawing.image_figures import classes_figure as classes_figure
    from gradcam_tf1.drawing.image_figures import layers_figure as layers_figure
    from gradcam_tf1.drawing.image_figures import methods_figure as methods_figure
    from gradcam_tf1.drawing.image_figures import signs_figure as signs_figure
    from gradcam_tf1.drawing.spectrogram_axes import SpectrogramAxes as SpectrogramAxes
    from gradcam_tf1.drawing.spectrogram_figures import spectrogram_figure as spectrogram_figure
    from gradcam_tf1.drawing.style import Style as Style
    from gradcam_tf1.engine.explain_options import ExplainOptions as ExplainOptions
    from gradcam_tf1.errors import BindingError as BindingError
    from gradcam_tf1.errors import ClosedError as ClosedError
    from gradcam_tf1.errors import ConversionError as ConversionError
    from gradcam_tf1.errors import ExplanationFileError as ExplanationFileError
    from gradcam_tf1.errors import ExportError as ExportError
    from gradcam_tf1.errors import FeedError as FeedError
    from gradcam_tf1.errors import GradCamError as GradCamError
    from gradcam_tf1.errors import GradientError as GradientError
    from gradcam_tf1.errors import ImageFileError as ImageFileError
    from gradcam_tf1.errors import ManifestError as ManifestError
    from gradcam_tf1.errors import ModelFileError as ModelFileError
    from gradcam_tf1.errors import OptionError as OptionError
    from gradcam_tf1.errors import OutOfMemoryError as OutOfMemoryError
    from gradcam_tf1.errors import RegionError as RegionError
    from gradcam_tf1.errors import RunError as RunError
    from gradcam_tf1.errors import SelectionError as SelectionError
    from gradcam_tf1.errors import StoppedError as StoppedError
    from gradcam_tf1.errors import TargetError as TargetError
    from gradcam_tf1.errors import TimeLimitError as TimeLimitError
    from gradcam_tf1.errors import WeightsError as WeightsError
    from gradcam_tf1.evaluation.evaluate_net import evaluate as evaluate
    from gradcam_tf1.evaluation.evaluate_options import EvaluateOptions as EvaluateOptions
    from gradcam_tf1.evaluation.evaluation_result import Evaluation as Evaluation
    from gradcam_tf1.export.export_net import Export as Export
    from gradcam_tf1.features.feature_options import FeatureOptions as FeatureOptions
    from gradcam_tf1.features.feature_report import FeatureReport as FeatureReport
    from gradcam_tf1.features.feature_report import SeenFeature as SeenFeature
    from gradcam_tf1.features.feature_report import TopImage as TopImage
    from gradcam_tf1.features.feature_unit import FeatureUnit as FeatureUnit
    from gradcam_tf1.features.find_features import find_features as find_features
    from gradcam_tf1.graph import GradCam as GradCam
    from gradcam_tf1.graph import GradCamGraph as GradCamGraph
    from gradcam_tf1.images.geometry import Placement as Placement
    from gradcam_tf1.images.image_files import list_images as list_images
    from gradcam_tf1.images.image_files import read_image as read_image
    from gradcam_tf1.images.preprocessing import PRESETS as PRESETS
    from gradcam_tf1.images.preprocessing import Preprocessing as Preprocessing
    from gradcam_tf1.images.window import Window as Window
    from gradcam_tf1.labels import Labels as Labels
    from gradcam_tf1.loaders import load as load
    from gradcam_tf1.methods import METHOD_GROUPS as METHOD_GROUPS
    from gradcam_tf1.methods import METHODS as METHODS
    from gradcam_tf1.methods import IteratedMethod as IteratedMethod
    from gradcam_tf1.methods import LayerMethod as LayerMethod
    from gradcam_tf1.methods import MethodChoice as MethodChoice
    from gradcam_tf1.methods import NumpyMethod as NumpyMethod
    from gradcam_tf1.methods import Option as Option
    from gradcam_tf1.methods import PixelMethod as PixelMethod
    from gradcam_tf1.methods import ProductMethod as ProductMethod
    from gradcam_tf1.methods import method as method
    from gradcam_tf1.methods import register as register
    from gradcam_tf1.methods.noise import Noise as Noise
    from gradcam_tf1.metrics.metric_choices import MetricChoice as MetricChoice
    from gradcam_tf1.metrics.metric_choices import metric as metric
    from gradcam_tf1.metrics.metric_table import METRICS as METRICS
    from gradcam_tf1.report.write_report import write_report as write_report
    from gradcam_tf1.run.manifest import read_manifest as read_manifest
    from gradcam_tf1.run.per_image import PerImage as PerImage
    from gradcam_tf1.run.progress_bar import ProgressBar as ProgressBar
    from gradcam_tf1.run.result import MapRecord as MapRecord
    from gradcam_tf1.run.result import Result as Result
    from gradcam_tf1.run.result import TargetRecord as TargetRecord
    from gradcam_tf1.run.results import Results as Results
    from gradcam_tf1.run.run_options import RunOptions as RunOptions
    from gradcam_tf1.sanity.sanity_check import sanity_check as sanity_check
    from gradcam_tf1.sanity.sanity_options import SanityOptions as SanityOptions
    from gradcam_tf1.sanity.sanity_report import SanityReport as SanityReport
    from gradcam_tf1.serve.live_server import LiveServer as LiveServer
    from gradcam_tf1.serve.serve_options import ServeOptions as ServeOptions
    from gradcam_tf1.strategies.find_strategies import find_strategies as find_strategies
    from gradcam_tf1.strategies.strategy_options import StrategyOptions as StrategyOptions
    from gradcam_tf1.strategies.strategy_records import Strategies as Strategies
    from gradcam_tf1.targets import All as All
    from gradcam_tf1.targets import Anchor as Anchor
    from gradcam_tf1.targets import Boxes as Boxes
    from gradcam_tf1.targets import Contrast as Contrast
    from gradcam_tf1.targets import Detections as Detections
    from gradcam_tf1.targets import Down as Down
    from gradcam_tf1.targets import Keypoint as Keypoint
    from gradcam_tf1.targets import Region as Region
    from gradcam_tf1.targets import Scalar as Scalar
    from gradcam_tf1.targets import Similar as Similar
    from gradcam_tf1.targets import Top as Top
    from gradcam_tf1.targets import Total as Total
    from gradcam_tf1.targets import Worst as Worst
    from gradcam_tf1.texts import Vocabulary as Vocabulary
    from gradcam_tf1.texts import word_weights as word_weights
    from gradcam_tf1.training.keras_callback import GradCamCallback as GradCamCallback
    from gradcam_tf1.training.session_hooks import GradCamHook as GradCamHook
    from gradcam_tf1.training.session_hooks import GradCamSaverListener as GradCamSaverListener
    from gradcam_tf1.training.training_maps import TrainingMaps as TrainingMaps
    from gradcam_tf1.types import Binding as Binding
    from gradcam_tf1.types import Cells as Cells
    from gradcam_tf1.types import KeyTensors as KeyTensors
    from gradcam_tf1.types import LayerInfo as LayerInfo
    from gradcam_tf1.types import LoadedModel as LoadedModel
    from gradcam_tf1.types import MapStatus as MapStatus
    from gradcam_tf1.types import MethodProgress as MethodProgress

_NAMES = {
    "errors": (
        "BindingError",
        "ClosedError",
        "ConversionError",
        "ExplanationFileError",
        "ExportError",
        "GradCamError",
        "RegionError",
        "FeedError",
        "GradientError",
        "ImageFileError",
        "ManifestError",
        "ModelFileError",
        "OptionError",
        "OutOfMemoryError",
        "RunError",
        "SelectionError",
        "StoppedError",
        "TargetError",
        "TimeLimitError",
        "WeightsError",
    ),
    "evaluation.evaluate_net": ("evaluate",),
    "evaluation.evaluate_options": ("EvaluateOptions",),
    "evaluation.evaluation_result": ("Evaluation",),
    "export.export_net": ("Export",),
    "concepts.concept_options": ("ConceptOptions",),
    "concepts.concept_records": ("Concepts",),
    "concepts.find_concepts": ("find_concepts",),
    "concepts.sensitivity": ("tcav",),
    "concepts.tcav_options": ("TcavOptions",),
    "concepts.tcav_records": ("Tcav",),
    "conversion.convert_net": ("Converted", "convert"),
    "graph": (
        "GradCam",
        "GradCamGraph",
    ),
    "comparison.compare_nets": ("compare_nets",),
    "comparison.compare_options": ("CompareOptions",),
    "comparison.comparison_result": ("Comparison",),
    "engine.explain_options": ("ExplainOptions",),
    "drawing.class_score": ("ClassScore",),
    "drawing.detected_box": ("Detection",),
    "drawing.explanation": ("Explanation",),
    "drawing.explained_map": ("Map",),
    "labels": ("Labels",),
    "loaders": ("load",),
    "methods": (
        "METHODS",
        "METHOD_GROUPS",
        "method",
        "MethodChoice",
        "IteratedMethod",
        "LayerMethod",
        "NumpyMethod",
        "Option",
        "PixelMethod",
        "ProductMethod",
        "register",
    ),
    "methods.noise": ("Noise",),
    "metrics.metric_choices": (
        "MetricChoice",
        "metric",
    ),
    "metrics.metric_table": ("METRICS",),
    "images.preprocessing": (
        "PRESETS",
        "Preprocessing",
    ),
    "images.geometry": ("Placement",),
    "images.image_files": (
        "list_images",
        "read_image",
    ),
    "images.window": ("Window",),
    "drawing.style": ("Style",),
    "drawing.figure_grid": ("save_figure",),
    "drawing.figure_kinds": ("FIGURES",),
    "drawing.image_figures": (
        "classes_figure",
        "layers_figure",
        "methods_figure",
        "signs_figure",
    ),
    "drawing.array_figures": (
        "signal_figure",
        "volume_figure",
    ),
    "drawing.spectrogram_axes": ("SpectrogramAxes",),
    "drawing.spectrogram_figures": ("spectrogram_figure",),
    "texts": (
        "Vocabulary",
        "word_weights",
    ),
    "report.write_report": ("write_report",),
    "strategies.find_strategies": ("find_strategies",),
    "strategies.strategy_options": ("StrategyOptions",),
    "strategies.strategy_records": ("Strategies",),
    "features.feature_options": ("FeatureOptions",),
    "features.feature_report": ("FeatureReport", "SeenFeature", "TopImage"),
    "features.feature_unit": ("FeatureUnit",),
    "features.find_features": ("find_features",),
    "run.manifest": ("read_manifest",),
    "run.per_image": ("PerImage",),
    "run.progress_bar": ("ProgressBar",),
    "run.result": (
        "MapRecord",
        "Result",
        "TargetRecord",
    ),
    "run.results": ("Results",),
    "run.run_options": ("RunOptions",),
    "sanity.sanity_check": ("sanity_check",),
    "sanity.sanity_options": ("SanityOptions",),
    "sanity.sanity_report": ("SanityReport",),
    "serve.live_server": ("LiveServer",),
    "serve.serve_options": ("ServeOptions",),
    "targets": (
        "All",
        "Anchor",
        "Boxes",
        "Contrast",
        "Detections",
        "Down",
        "Keypoint",
        "Region",
        "Scalar",
        "Similar",
        "Top",
        "Total",
        "Worst",
    ),
    "training.keras_callback": ("GradCamCallback",),
    "training.session_hooks": (
        "GradCamHook",
        "GradCamSaverListener",
    ),
    "training.training_maps": ("TrainingMaps",),
    "types": (
        "Binding",
        "Cells",
        "KeyTensors",
        "LayerInfo",
        "LoadedModel",
        "MapStatus",
        "MethodProgress",
    ),
}

_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gradcam_tf1' has no attribute {name!r}; its names are {', '.join(__all__)}")
    value = getattr(import_module(f"gradcam_tf1.{_HOME[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> List[str]:
    return [*__all__, "__version__"]
