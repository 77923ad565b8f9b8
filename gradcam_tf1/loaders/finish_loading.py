"""The last step of every loader: fold the variables, clean up, record."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional, Tuple

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.attributes import Defaults
from gradcam_tf1.graphdef.check_graph import check
from gradcam_tf1.graphdef.cleanup import clean
from gradcam_tf1.graphdef.fold_variables import Read, Values, fold
from gradcam_tf1.types import LoadedModel


class Declared(NamedTuple):
    """What the source says about itself: its input and output tensors, and the defaults of its ops' attributes."""

    inputs: Tuple[str, ...] = ()
    outputs: Tuple[str, ...] = ()
    defaults: Optional[Defaults] = None


NOTHING = Declared()


def finish(
    graph_def: Any, source: str, kind: str, read: Optional[Read] = None, declared: Declared = NOTHING
) -> LoadedModel:
    """Turn a graph (changed in place) into the record.

    read: variable names -> the values there are; left out for a graph that should have no variables.
    """
    notes = []
    try:
        check(graph_def)
        missing = fold(graph_def, read or _no_values)
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
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # attributes not as their op has them
        raise ModelFileError(f"{source}: the graph is damaged ({type(error).__name__}: {error})") from error
    return LoadedModel(graph_def, source, kind, declared.inputs, declared.outputs, tuple(notes))


def _no_values(_: List[str]) -> Values:
    return {}


def _missing_note(missing: Tuple[str, ...]) -> str:
    shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    return f"variables without a value stand as placeholders ({len(missing)}): {shown}"
