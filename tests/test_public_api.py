"""What `import gradcam_tf1` promises: these names, documented, and no heavy import before one of them is used."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradcam_tf1
from gradcam_tf1.methods.base import Method

PACKAGE = Path(gradcam_tf1.__file__).parent

EXPECTED = {
    # a net and what is bound
    "GradCam",
    "GradCamGraph",
    "load",
    "KeyTensors",
    "Binding",
    "LayerInfo",
    "LoadedModel",
    "Labels",
    "Preprocessing",
    "PRESETS",
    # explain
    "ExplainOptions",
    "Explanation",
    "Map",
    "MapStatus",
    "MethodProgress",
    "METHODS",
    "METHOD_GROUPS",
    "MethodChoice",
    "method",
    "Noise",
    # a model that explains itself
    "Export",
    # two nets
    "CompareOptions",
    "Comparison",
    "compare_nets",
    # concepts
    "ConceptOptions",
    "Concepts",
    "Tcav",
    "TcavOptions",
    "find_concepts",
    "tcav",
    # another form
    "Converted",
    "convert",
    "ConversionError",
    # metrics
    "METRICS",
    "MetricChoice",
    "metric",
    # methods of one's own
    "IteratedMethod",
    "LayerMethod",
    "NumpyMethod",
    "Option",
    "PixelMethod",
    "ProductMethod",
    "register",
    # targets
    "All",
    "Anchor",
    "Boxes",
    "Detection",
    "Detections",
    "Keypoint",
    "Total",
    "Contrast",
    "Down",
    "Region",
    "Scalar",
    "Similar",
    "Top",
    "Worst",
    # can the maps be trusted
    "SanityOptions",
    "SanityReport",
    "sanity_check",
    # measure maps
    "evaluate",
    "EvaluateOptions",
    "Evaluation",
    # visualize_imgs
    "RunOptions",
    "Style",
    "Window",
    "PerImage",
    "ProgressBar",
    "Result",
    "Results",
    "TargetRecord",
    "ClassScore",
    "MapRecord",
    "Placement",
    "Cells",
    "read_manifest",
    "write_report",
    "list_images",
    "read_image",
    # what a class looks at
    "find_strategies",
    "Strategies",
    "StrategyOptions",
    # texts
    "Vocabulary",
    "word_weights",
    # what a unit sees
    "find_features",
    "FeatureOptions",
    "FeatureReport",
    "FeatureUnit",
    "SeenFeature",
    "TopImage",
    # training
    "GradCamCallback",
    "GradCamHook",
    "GradCamSaverListener",
    "TrainingMaps",
    # the live page
    "LiveServer",
    "ServeOptions",
    # figures
    "FIGURES",
    "classes_figure",
    "layers_figure",
    "methods_figure",
    "signs_figure",
    "signal_figure",
    "volume_figure",
    "spectrogram_figure",
    "SpectrogramAxes",
    "save_figure",
    # errors
    "FeedError",
    "RegionError",
    "BindingError",
    "ClosedError",
    "ExplanationFileError",
    "ExportError",
    "GradCamError",
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
}
TABLES = {"FIGURES", "METHODS", "METHOD_GROUPS", "METRICS", "PRESETS"}


def test_the_public_names_are_these():
    assert set(gradcam_tf1.__all__) == EXPECTED
    assert set(dir(gradcam_tf1)) == EXPECTED | {"__version__"}


@pytest.mark.parametrize("name", sorted(EXPECTED - TABLES))
def test_every_public_name_is_documented_down_to_its_methods(name):
    value = getattr(gradcam_tf1, name)
    assert (value.__doc__ or "").strip(), f"{name} has no docstring"
    assert not value.__doc__.startswith(f"{name}("), f"{name} has only the docstring that dataclass makes"
    if inspect.isclass(value):
        own = [member for key, member in vars(value).items() if not key.startswith("_")]
        members = [m for m in own if inspect.isfunction(m) or isinstance(m, property)]
        assert [m for m in members if not (m.__doc__ or "").strip()] == []


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_has_something_in_it(name):
    assert len(getattr(gradcam_tf1, name)) > 0


def test_type_checkers_see_the_same_names():
    """The imports under TYPE_CHECKING must say what the lazy look-up does."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == {name: f"gradcam_tf1.{module}" for name, module in gradcam_tf1._HOME.items()}


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no attribute 'GradCAM'; its names are .*GradCamGraph"):
        gradcam_tf1.GradCAM  # noqa: B018
    with pytest.raises(ImportError, match="GradCAM"):
        from gradcam_tf1 import GradCAM  # noqa: F401


def test_a_star_import_gives_the_public_names():
    names = {}
    exec("from gradcam_tf1 import *", names)  # noqa: S102
    assert set(names) - {"__builtins__"} == EXPECTED


def heavy_modules_after(code: str) -> str:
    """Which of the heavy modules a fresh Python holds after `code`."""
    heavy = {"tensorflow", "cv2", "scipy", "h5py", "numpy", "matplotlib"}
    report = f"import sys; print(sorted({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", f"{code}\n{report}"]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.strip().splitlines()[-1]


def test_importing_the_package_imports_nothing_heavy():
    assert heavy_modules_after("import gradcam_tf1; gradcam_tf1.__version__; dir(gradcam_tf1)") == "[]"
    assert heavy_modules_after("from gradcam_tf1 import GradCamError, OptionError") == "[]"


def test_records_and_tables_need_no_tensorflow():
    assert heavy_modules_after("from gradcam_tf1 import KeyTensors, MapStatus, Results, Top") == "['numpy']"
    assert "tensorflow" not in heavy_modules_after(
        "from gradcam_tf1 import METHODS, PRESETS, Labels, GradCamGraph, load"
    )


def test_help_needs_no_tensorflow():
    code = (
        "from gradcam_tf1.cli import main\ntry: main(['run', '--help'])\nexcept SystemExit as end: assert not end.code"
    )
    assert "tensorflow" not in heavy_modules_after(code)


def arguments(value):
    """What one can give: the arguments of a function, of a constructor, or the fields of a record."""
    if inspect.isclass(value):
        value = value.__init__
    given = inspect.signature(value).parameters.values()
    return [each.name for each in given if each.name != "self" and not each.name.startswith("_")]


def described(text):
    """Names that a numpydoc section describes: a line "name : type", or "name, other : type"."""
    found = re.findall(r"^ *((?:\*{0,2}\w+)(?:, \*{0,2}\w+)*)(?: : .*)?\n +\S", text, re.MULTILINE)
    return {name.lstrip("*") for names in found for name in names.split(", ")}


def documented():
    for name in sorted(EXPECTED - TABLES):
        value = getattr(gradcam_tf1, name)
        if not (inspect.isclass(value) and issubclass(value, Exception)):
            yield pytest.param(value, value.__doc__, id=name)
            if inspect.isclass(value):
                for key, member in vars(value).items():
                    public = inspect.isfunction(member) and not key.startswith("_")
                    if public and len(arguments(member)) > 2 and not issubclass(value, Method):
                        yield pytest.param(member, member.__doc__, id=f"{name}.{key}")


@pytest.mark.parametrize(("value", "text"), documented())
def test_every_argument_is_described_once_in_numpydoc_form(value, text):
    names = arguments(value)
    assert not names or re.search(r"^ *(Parameters|Attributes)\n *-+$", text, re.MULTILINE), "no section for them"
    assert [name for name in names if name not in described(text)] == []
    assert not re.search(r"^ *(Args|Returns|Raises):", text, re.MULTILINE)
