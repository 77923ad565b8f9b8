"""Options written side by side, as the records that `explain` and `visualize_imgs` take."""

from __future__ import annotations

from dataclasses import fields

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.methods import method
from gradcam_tf1.run.run_options import RunOptions


def grouped(**flat):
    """`steps` is the progress of the methods, `progress` that of the run; other names go where they are a field."""
    records = {"run": RunOptions, "style": Style, "options": ExplainOptions}
    found = {name: {} for name in records}
    rest = {}
    for name, value in flat.items():
        place = next((key for key, kind in records.items() if name in [item.name for item in fields(kind)]), None)
        if name == "steps":
            found["options"]["progress"] = value
        elif place is None:
            rest[name] = value
        else:
            found[place][name] = value
    return {**rest, **{name: records[name](**given) for name, given in found.items() if given}}


def chosen(names, options):
    """The methods of these names with their options, {name: {option: value}}."""
    names = [names] if isinstance(names, str) else names
    return [method(name, **options[name]) if name in options else name for name in names]
