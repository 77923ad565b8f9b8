"""The last step of every loader: check the graph, fold its variables, repair it and make the record."""

from __future__ import annotations

from dataclasses import replace
from typing import List, NamedTuple, Optional, Tuple, Union

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.gradients.einsum_gradient import register_einsum_gradient
from gradcam_tf1.graphdef.attributes import Defaults
from gradcam_tf1.graphdef.check_graph import check
from gradcam_tf1.graphdef.cleanup import clean
from gradcam_tf1.graphdef.fold_variables import Read, Values, fold
from gradcam_tf1.graphdef.large_constants import ApartGraph
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel


class Declared(NamedTuple):
    """What the source states about itself.

    Attributes
    ----------
    inputs, outputs : tuple of str
        The names of its input and output tensors; empty if it states none.
    defaults : dict or None
        Defaults of the attributes of its ops, see `attributes.file_defaults`.
    """

    inputs: Tuple[str, ...] = ()
    outputs: Tuple[str, ...] = ()
    defaults: Optional[Defaults] = None


NOTHING = Declared()


def finish(
    graph: Union[tf.GraphDef, ApartGraph],
    source: str,
    kind: str,
    read: Optional[Read] = None,
    declared: Declared = NOTHING,
) -> LoadedModel:
    """Check, fold and repair a graph, and make the record.

    Parameters
    ----------
    graph : GraphDef or ApartGraph
        The graph, also without its large values; changed in place.
    source : str
        What the user gave, for messages ("model.pb").
    kind : str
        The form of the source ("frozen graph").
    read : callable, optional
        Names of variables -> the values that exist. Leave it out for a graph that must have no variables.
    declared : Declared
        The inputs, outputs and defaults that the source states.

    Returns
    -------
    LoadedModel
        The frozen graph, the values of large variables `apart`: `graph_def` is None, see `whole`.

    Raises
    ------
    ModelFileError
        If the graph is refused, cannot be repaired or has variables without a way to read them.
    """
    notes = []
    graph_def, contents = apart = graph if isinstance(graph, ApartGraph) else ApartGraph(graph, {})
    register_einsum_gradient()
    try:
        check(graph_def, contents)
        missing = fold(graph_def, read or _no_values, contents)
        if missing and read is None:
            raise ModelFileError(
                f"the graph is not frozen: it has no values for {len(missing)} of its variables, the first is "
                f"{missing[0]!r}; give the checkpoint (its .meta or prefix) or freeze the graph first"
            )
        if missing:
            notes.append(_missing_note(missing))
        notes.extend(clean(graph_def, declared.defaults))
    except ModelFileError as error:
        raise ModelFileError(f"{source}: {error}") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # attributes that do not fit their op
        raise ModelFileError(f"{source}: the graph is damaged ({type(error).__name__}: {error})") from error
    return LoadedModel(None, source, kind, declared.inputs, declared.outputs, tuple(notes), apart=apart)


def whole(model: LoadedModel) -> LoadedModel:
    """Return a model with its whole graph in `graph_def`."""
    return model if model.apart is None else replace(model, graph_def=model.apart.whole(), apart=None)


def _no_values(_: List[str]) -> Values:
    return {}


def _missing_note(missing: Tuple[str, ...]) -> str:
    shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    return f"variables without a value became placeholders ({len(missing)}): {shown}"
