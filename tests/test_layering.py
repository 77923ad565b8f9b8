"""Imports point one way, TensorFlow comes in through one door, and some things are never done in the package.

The checks read the syntax trees only. The last tests break each rule on purpose.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Set

import pytest

ROOT = Path(__file__).resolve().parent.parent
FACADE = "gradcam_tf1"
MAX_LINES = 320

MORE = {"spark", "texts", "concepts", "features"}

# A module imports from the rows above its own. Files of one package (loaders, binding, ...) share a name and a row.
LAYERS = (
    {"_version", "errors", "atomic_files"},
    {"types", "tf_runtime", "labels", "targets", "forked_process"},
    {"graphdef"},
    {"images", "gradients"},
    {"scoring"},
    {"binding", "loaders"},
    {"methods", "nets"},
    {"metrics"},
    {"drawing"},
    {"engine"},
    {"run", "export"},
    {"report"},
    {"graph"},
    {"serve", "training", "diagnosis", "evaluation", "sanity", "comparison", "strategies", "conversion"} | MORE,
    {"cli"},
    {"__main__"},
)
TOP = (
    "__init__", "__main__", "_version", "errors", "types", "targets", "labels", "tf_runtime", "graph", "atomic_files",
    "forked_process",
)  # fmt: skip
ROW = {component: row for row, components in enumerate(LAYERS) for component in components}

# Who may import what from outside, apart from the standard library and numpy.
LIGHT, TF, SPARK = {"errors", "types", "labels", "targets", "atomic_files", "forked_process"}, {"tf_runtime"}, {"spark"}
NO_TENSORFLOW = {"images", "drawing", "metrics", "strategies"} | LIGHT
RUNS_USERS_CODE = "gradcam_tf1.cli.keras_tool"  # modules of the current folder, after --allow-code
DOORS = {"tensorflow": TF, "tf_keras": TF, "keras": set(), "pickle": {"nets"}, "pyspark": SPARK, "pyarrow": SPARK}


class Module(NamedTuple):
    """One file of the package: its dotted name, the component it belongs to, its text and its syntax tree."""

    name: str
    component: str
    text: str
    tree: ast.Module


def module(name: str, text: str) -> Module:
    return Module(name, name.split(".")[1] if "." in name else FACADE, text, ast.parse(text))


def package() -> Iterator[Module]:
    for folder, prefix in ((ROOT / "gradcam_tf1", "gradcam_tf1"), (ROOT / "nets", "gradcam_tf1.nets")):
        for path in sorted(folder.rglob("*.py")):
            parts = [part for part in path.relative_to(folder).with_suffix("").parts if part != "__init__"]
            yield module(".".join([prefix, *parts]), path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all imports, inside functions too; those for type checkers only are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots, name = "." * node.level, node.module or ""
            yield from (f"{dots}{name}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield from imported(node)


def import_problems(item: Module) -> List[str]:
    problems = []
    for name in imported(item.tree):
        top, *rest = name.split(".")
        if top == "":
            problems.append(f"{item.name}: relative import {name}")
        elif top == FACADE and item.component != FACADE:
            target = rest[0]
            if target not in ROW:
                problems.append(f"{item.name}: imports {name}, which has no row in LAYERS")
            elif target != item.component and ROW[target] >= ROW[item.component]:
                problems.append(f"{item.name}: imports {name}, which is not below it")
            elif target == "tf_runtime" and item.component in NO_TENSORFLOW:
                problems.append(f"{item.name}: imports {name}, but does without TensorFlow")
        elif item.component not in DOORS.get(top, {item.component}):
            problems.append(f"{item.name}: imports {top}, allowed in {sorted(DOORS[top])} only")
        elif item.component in LIGHT and top in ("cv2", "scipy", "h5py", "PIL", "google"):
            problems.append(f"{item.name}: imports {top}, but is a light module")
    return problems


def called(node: ast.AST) -> str:
    """`eval`, `pickle.load`, ... for a call of a plain or dotted name."""
    parts: List[str] = []
    target = node.func if isinstance(node, ast.Call) else node
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    return ".".join(reversed([*parts, target.id])) if isinstance(target, ast.Name) else ""


NEVER_CALLED = {
    "eval",
    "exec",
    "compile",
    "pickle.load",
    "pickle.loads",
    "os.chdir",
    "os.system",
    "logging.basicConfig",
}
NEVER_CALLED |= {
    "tf.disable_v2_behavior",
    "tf.disable_eager_execution",
    "tf.InteractiveSession",
    "tf.reset_default_graph",
}
# These act on the whole program, unless inside catch_warnings; in the command line, this is the program.
FILTERS = {"warnings.simplefilter", "warnings.filterwarnings"}


def in_catch_warnings(tree: ast.AST) -> Set[ast.AST]:
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With)]
    caught = [b for b in blocks if any(called(item.context_expr) == "warnings.catch_warnings" for item in b.items)]
    return {node for block in caught for node in ast.walk(block)}


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a module that run when it is imported: no bodies of functions, no annotations."""
    if isinstance(node, (ast.FunctionDef, ast.Lambda)):
        parts = [*getattr(node, "decorator_list", []), *node.args.defaults, *filter(None, node.args.kw_defaults)]
    elif isinstance(node, ast.AnnAssign):
        parts = [node.value] if node.value else []
    else:
        yield node
        parts = list(ast.iter_child_nodes(node))
    for part in parts:
        yield from run_at_import(part)


def tensorflow_at_import(item: Module) -> List[str]:
    """`tf` is lazy: reading an attribute of it while a module is imported imports TensorFlow after all."""
    uses = [node for node in run_at_import(item.tree) if isinstance(node, ast.Attribute) and called(node)[:3] == "tf."]
    return [f"{item.name}:{node.lineno}: {called(node)} at import" for node in uses]


def habit_problems(item: Module) -> List[str]:
    problems = []
    restored = in_catch_warnings(item.tree)
    for node in ast.walk(item.tree):
        found = ""
        if isinstance(node, ast.Call) and called(node) in NEVER_CALLED:
            found = f"call of {called(node)}"
        elif (
            isinstance(node, ast.Call) and called(node) in FILTERS and node not in restored and item.component != "cli"
        ):
            found = f"call of {called(node)} outside catch_warnings"
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            found = "bare except"
        elif isinstance(node, ast.Assert):
            found = "assert"
        elif isinstance(node, ast.Attribute) and called(node) == "sys.path" and item.name != RUNS_USERS_CODE:
            found = "use of sys.path"
        if found:
            problems.append(f"{item.name}:{node.lineno}: {found}")
    problems += tensorflow_at_import(item)
    if item.text.count("\n") > MAX_LINES:
        problems.append(f"{item.name}: {item.text.count(chr(10))} lines, more than {MAX_LINES}")
    return problems


@pytest.fixture(scope="module")
def modules() -> List[Module]:
    return list(package())


def test_imports_point_one_way(modules):
    assert [problem for item in modules for problem in import_problems(item)] == []


def test_the_package_has_no_bad_habits(modules):
    assert [problem for item in modules for problem in habit_problems(item)] == []


def test_files_of_tests_are_short_too():
    lines = {path.name: path.read_text(encoding="utf-8").count("\n") for path in (ROOT / "tests").rglob("*.py")}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def circle(below: Dict[str, Set[str]]) -> List[str]:
    """The names on one circle of the arrows name -> names, or none."""
    clear: Set[str] = set()

    def search(name: str, path: List[str]) -> List[str]:
        if name in path:
            return path[path.index(name) :]
        found: List[str] = []
        if name not in clear:
            found = next(filter(None, (search(other, [*path, name]) for other in sorted(below[name]))), [])
            clear.add(name)
        return found

    return next(filter(None, (search(name, []) for name in sorted(below))), [])


def test_no_imports_run_in_a_circle(modules):
    found = {item.name: set(imported(item.tree)) for item in modules}
    below = {
        name: {each.rsplit(".", parts)[0] for each in names for parts in range(3)}
        & found.keys() - {name, FACADE, name.rpartition(".")[0]}
        for name, names in found.items()
    }
    assert circle(below) == []


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d"]


def repeated(names: Iterable[str]) -> List[str]:
    counts = Counter(names)
    return sorted(name for name, count in counts.items() if count > 1)


def test_no_two_modules_and_no_two_classes_share_a_name(modules):
    packages = {path.name for path in (ROOT / "gradcam_tf1").iterdir() if path.is_dir()}
    names = [item.name.rpartition(".")[2] for item in modules if item.name.count(".") > 1]
    assert repeated([*names, *packages & set(names)]) == []
    trees = [ast.walk(item.tree) for item in modules]
    assert repeated(node.name.lstrip("_") for tree in trees for node in tree if isinstance(node, ast.ClassDef)) == []


def test_a_repeated_name_is_found():
    assert repeated(["walk", "cells", "walk"]) == ["walk"]


def test_the_top_holds_what_everybody_uses_and_nothing_else():
    there = {path.name for path in (ROOT / "gradcam_tf1").iterdir() if path.name != "__pycache__"}
    files = {f"{name}.py" for name in TOP}
    assert {name for name in there if name.endswith(".py")} == files


def test_every_module_has_exactly_one_row(modules):
    components: Set[str] = {item.component for item in modules} - {FACADE}
    assert sum(len(row) for row in LAYERS) == len(ROW)
    assert components == set(ROW)


BROKEN = {
    "import gradcam_tf1.graph": "imports gradcam_tf1.graph, which is not below it",
    "from gradcam_tf1.images.geometry import fit": "imports gradcam_tf1.images.geometry.fit, which is not below it",
    "def late():\n    from gradcam_tf1 import graph": "imports gradcam_tf1.graph, which is not below it",
    "from gradcam_tf1.utils import anything": "which has no row in LAYERS",
    "from .errors import GradCamError": "relative import .errors.GradCamError",
    "import tensorflow as tf": "imports tensorflow, allowed in ['tf_runtime'] only",
    "from tensorflow.python.framework import ops": "imports tensorflow, allowed in ['tf_runtime'] only",
    "import pickle": "imports pickle, allowed in ['nets'] only",
    "x = eval('1')": ":1: call of eval",
    "import pickle\nx = pickle.load(f)": ":2: call of pickle.load",
    "try:\n    pass\nexcept:\n    pass": ":3: bare except",
    "assert x": ":1: assert",
    "Rule = Callable[[tf.Tensor], tf.Tensor]": ":1: tf.Tensor at import",
    "def f(x: tf.Tensor, kind=tf.float32):\n    pass": ":1: tf.float32 at import",
    "import warnings\nwarnings.simplefilter('ignore')": ":2: call of warnings.simplefilter outside catch_warnings",
    "import sys\nsys.path.insert(0, '..')": ":2: use of sys.path",
    "x = 1\n" * (MAX_LINES + 1): f"{MAX_LINES + 1} lines",
}


@pytest.mark.parametrize("text", sorted(BROKEN))
def test_a_broken_rule_is_found(text):
    item = module("gradcam_tf1.labels", text)
    assert BROKEN[text] in "\n".join(import_problems(item) + habit_problems(item))


def test_images_do_without_tensorflow():
    assert import_problems(module("gradcam_tf1.drawing.style", "from gradcam_tf1.tf_runtime import tf")) == [
        "gradcam_tf1.drawing.style: imports gradcam_tf1.tf_runtime.tf, but does without TensorFlow"
    ]


def test_a_light_module_stays_light():
    assert import_problems(module("gradcam_tf1.errors", "import cv2")) == [
        "gradcam_tf1.errors: imports cv2, but is a light module"
    ]


def test_tensorflow_may_be_named_in_annotations_and_functions():
    text = "def f(x: tf.Tensor) -> tf.Tensor:\n    return tf.nn.relu(x)\n\nclass A:\n    y: tf.Tensor"
    assert habit_problems(module("gradcam_tf1.labels", text)) == []


def test_warnings_may_be_filtered_where_the_filter_ends():
    text = "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('ignore')"
    assert habit_problems(module("gradcam_tf1.labels", text)) == []


def test_imports_for_type_checkers_are_free():
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gradcam_tf1.graph import GradCamGraph"
    assert import_problems(module("gradcam_tf1.labels", text)) == []
