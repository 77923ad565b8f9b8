"""Load SavedModels: those of TensorFlow 1 are a graph and a checkpoint; TensorFlow 2 flattens its own."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Iterable, List, Mapping, Optional, Sequence, Tuple

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.allowed_ops import reaches_outside
from gradcam_tf1.graphdef.attributes import file_defaults
from gradcam_tf1.graphdef.check_graph import check
from gradcam_tf1.graphdef.cut_ops import called_functions, functions_with
from gradcam_tf1.graphdef.file_kinds import Content, identify
from gradcam_tf1.graphdef.nodes import keep_only, parse_edge
from gradcam_tf1.graphdef.private_files import private_folder
from gradcam_tf1.graphdef.training_ops import SAVERS, VARIABLES
from gradcam_tf1.loaders.checkpoint import fold_meta_graph, open_values
from gradcam_tf1.loaders.finish_loading import NOTHING, Declared, finish
from gradcam_tf1.loaders.frozen import load_graph_file, read_message
from gradcam_tf1.loaders.moving_averages import Averages
from gradcam_tf1.loaders.saved_model_copy import write_copy
from gradcam_tf1.tf_runtime import flatten_saved_model, saved_model_message, tf
from gradcam_tf1.types import LoadedModel

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import SignatureDef

FILES = ("saved_model.pb", "saved_model.pbtxt")
_DEFAULT_TAG, _DEFAULT_SIGNATURE = "serve", "serving_default"
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def is_saved_model(content: Content) -> bool:
    """Whether a path is the folder of a SavedModel or its saved_model.pb."""
    if content.kind == "folder":
        return any(os.path.isfile(os.path.join(content.path, name)) for name in FILES)
    return content.kind in ("SavedModel", "SavedModel text")


def load_saved_model(
    content: Content,
    tag: Optional[str],
    signature: Optional[str],
    trusted: bool = False,
    averages: Optional[Averages] = None,
) -> LoadedModel:
    """Load a frozen graph from a SavedModel; its signature names the inputs and outputs.

    Parameters
    ----------
    content : Content
        The folder, or its saved_model.pb.
    tag, signature : str or None
        The graph and the signature to load; None takes the default, see `loaders.load`.
    trusted : bool
        Let TensorFlow run the initialisers of a SavedModel written by TensorFlow 2.
    averages : Averages, optional
        Whether moving averages replace the values of variables.

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    ModelFileError
        If the model is damaged, needs trust or TensorFlow 2, or has no such tag or signature.
    """
    if content.kind == "folder":
        path = next(path for path in (os.path.join(content.path, name) for name in FILES) if os.path.isfile(path))
        content = identify(path)
        if content.kind in ("graph", "graph text"):  # a frozen graph under that name
            return load_graph_file(path, content.kind == "graph text")
        if not is_saved_model(content):
            raise ModelFileError(f"{path} is {content.kind}; expected a SavedModel")
    folder = os.path.dirname(content.path) or "."
    saved = read_message(content.path, saved_model_message(), content.kind == "SavedModel text")
    meta = _pick_graph(saved.meta_graphs, tag, folder)
    key, notes = _pick_signature(meta.signature_def, signature, folder)
    if key and _written_by_tf2(meta, key):
        _check_functions(meta, folder, trusted)
        return _flattened(folder, meta, key, trusted)
    signature_def = meta.signature_def[key] if key else None
    declared = Declared(_names(signature_def.inputs), _names(signature_def.outputs)) if signature_def else NOTHING
    if any(node.op in VARIABLES for node in meta.graph_def.node):
        with open_values(os.path.join(folder, "variables", "variables"), averages) as values:
            model = fold_meta_graph(meta, values, folder, "SavedModel", declared)
    else:
        declared = declared._replace(defaults=file_defaults(meta.meta_info_def.stripped_op_list))
        model = finish(meta.graph_def, folder, "SavedModel", declared=declared)
    return replace(model, notes=(*model.notes, *notes))


def _pick_graph(graphs: Sequence[tf.MetaGraphDef], tag: Optional[str], folder: str) -> tf.MetaGraphDef:
    """Return the graph with the requested tags ("serve" or "serve,gpu"); by default `serve`, else the only graph."""
    tag_sets = [frozenset(graph.meta_info_def.tags) for graph in graphs]
    shown = [",".join(sorted(tags)) for tags in tag_sets]
    twice = [text for tags, text in zip(tag_sets, shown) if tag_sets.count(tags) > 1]
    if twice:
        raise ModelFileError(
            f"{folder} has two graphs tagged {twice[0]!r}, and one is expected for each tag; save it again with one of "
            "them, or with different tags"
        )
    requested = frozenset(filter(None, (_DEFAULT_TAG if tag is None else tag).split(",")))
    if requested in tag_sets:
        return graphs[tag_sets.index(requested)]
    if tag is None and len(graphs) == 1:
        return graphs[0]
    raise ModelFileError(
        f"{folder} has no graph tagged {','.join(sorted(requested))!r}; tags found: {_listed(shown)}; choose one with "
        "tag="
    )


def _pick_signature(
    signatures: Mapping[str, SignatureDef], requested: Optional[str], folder: str
) -> Tuple[Optional[str], List[str]]:
    """Return the requested signature; by default `serving_default`, else the only one, else None and a note."""
    keys = [key for key in sorted(signatures) if not key.startswith("__")]
    if requested is not None and requested not in keys:
        raise ModelFileError(f"{folder} has no signature {requested!r}; signatures found: {_listed(keys)}")
    if requested is None and _DEFAULT_SIGNATURE in keys:
        requested = _DEFAULT_SIGNATURE
    if requested is None and len(keys) == 1:
        requested = keys[0]
    if requested is None:
        return None, [f"no signature chosen (possible: {_listed(keys)}); inputs and outputs are searched in the graph"]
    return requested, []


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"


def _names(infos: Mapping[str, tf.TensorInfo]) -> Tuple[str, ...]:
    return tuple(infos[key].name for key in sorted(infos) if infos[key].name)


def _written_by_tf2(meta: tf.MetaGraphDef, key: str) -> bool:
    """Whether the net is a function and the graph only calls it."""
    calls = {node.name for node in meta.graph_def.node if node.op in _CALLS}
    outputs = _names(meta.signature_def[key].outputs)
    return bool(meta.HasField("object_graph_def")) and any(parse_edge(name).node in calls for name in outputs)


def _check_functions(meta: tf.MetaGraphDef, folder: str, trusted: bool) -> None:
    """Refuse functions that touch files or run code: TensorFlow may run functions while it loads such a model.

    Every SavedModel has functions that save and restore. The loader needs none of them, so they are removed, in place:
    a stranger's file can have TensorFlow call functions that it does not list.
    """
    try:
        check(meta.graph_def)
    except ModelFileError as error:
        raise ModelFileError(f"{folder}: {error}") from error
    if trusted:
        return
    library = meta.graph_def.library
    called = called_functions(library, meta.object_graph_def.concrete_functions)
    for function in library.function:
        for node in function.node_def:
            if reaches_outside(node.op) and (function.signature.name in called or not SAVERS.match(node.op)):
                raise ModelFileError(
                    f"{folder}: the op {node.op} (node {node.name!r} of the function {function.signature.name!r}) "
                    "touches files or runs code, and TensorFlow may run it while it loads the model; if you trust the "
                    "author of the model, load it with trust_model=True or --trust-model"
                )
    outside = functions_with(library, lambda node: reaches_outside(node.op))
    keep_only(library.function, lambda function: function.signature.name not in outside)


def _flattened(folder: str, meta: tf.MetaGraphDef, key: str, trusted: bool) -> LoadedModel:
    """Let TensorFlow 2 flatten a private copy of the model."""
    if not runtime.IS_TF2:
        raise ModelFileError(
            f"{folder} was written by TensorFlow 2 (tf.saved_model.save), whose functions TensorFlow {tf.__version__} "
            "cannot unpack; open it with the toolkit on TensorFlow 2, or freeze it there and load the .pb here"
        )
    with private_folder() as copy:
        write_copy(folder, meta, copy, with_assets=trusted)
        try:
            graph_def, inputs, outputs = flatten_saved_model(copy, list(meta.meta_info_def.tags), key)
        except Exception as error:  # TensorFlow's loader raises errors of many types on damaged objects
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].replace(copy, folder)
            raise ModelFileError(f"{folder}: TensorFlow cannot load this SavedModel: {reason}") from error
    return finish(graph_def, folder, "SavedModel", declared=Declared(inputs, outputs))
