"""The page of a report: as a folder of files, or as one file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import lru_cache
from typing import Any, Iterable, Iterator, Mapping, Sequence

import jinja2
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from gradcam_tf1.atomic_files import make_folders, write_whole
from gradcam_tf1.report.static_files import REPORT_SCRIPTS, REPORT_STYLES, static_text

# No network at all. 'self' is the folder of the page, also for a page that was opened from disk.
_FOLDER_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; {rest}"
_SINGLE_POLICY = "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; {rest}"
CONCEPTS_SCRIPT = "concepts.js"
_REST = "base-uri 'none'; form-action 'none'"


def record_script(name: str, value: Any) -> str:
    """Return the script that hands a record to the page.

    Parameters
    ----------
    name : str
        "index", or the id of an image.
    value : Any
        The record: dicts, lists, strings, finite numbers, None.

    Returns
    -------
    str
        One line of ASCII.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return f"gradcam.receive({json.dumps(name)},{text});\n"


def write_page(folder: str, index: Mapping[str, Any]) -> None:
    """Write the page of a report, without the records of its images: index.html, index.js, concepts.js and static/.

    Parameters
    ----------
    folder : str
        The folder of the report, which must exist.
    index : mapping
        What the page knows of all images, classes and the run; its concepts have a file of their own.

    Raises
    ------
    OSError
        If a file cannot be written; names the path.
    """
    for name in (*REPORT_SCRIPTS, *REPORT_STYLES):
        _write(folder, f"static/{name}", static_text(name))
    _write(folder, "index.js", record_script("index", {**index, "concepts": None}))
    write_page_of_concepts(folder, index.get("concepts"))
    page = _template("folder.html").render(
        title=index["title"],
        policy=_FOLDER_POLICY.format(rest=_REST),
        scripts=[f"static/{name}" for name in REPORT_SCRIPTS],
        styles=[f"static/{name}" for name in REPORT_STYLES],
    )
    _write(folder, "index.html", page)


def write_page_of_concepts(folder: str, concepts: Any) -> None:
    """Write what the page shows of concepts, None for nothing; the rest of the page stays. Raises OSError."""
    _write(folder, CONCEPTS_SCRIPT, record_script("concepts", concepts))


def single_page(index: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Make the report as one HTML file.

    Parameters
    ----------
    index : mapping
        What the page knows of all images, classes and the run.
    records : iterable of mapping
        The records of the images, taken one by one; `preview`, `thumb` and `pixels` are data URLs.

    Yields
    ------
    str
        The next part of the file.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    values = {"title": index["title"], "index": _data(index), "blocks": _blocks(records)}
    yield from whole_page("single.html", REPORT_SCRIPTS, REPORT_STYLES, values)


def whole_page(
    template: str, scripts: Sequence[str], styles: Sequence[str], values: Mapping[str, Any]
) -> Iterator[str]:
    """Make a page that is one file: its policy allows its own script, its own style, and images inside it.

    Parameters
    ----------
    template : str
        File in `templates/`; gets `policy`, `script`, `style` and the values, all escaped.
    scripts, styles : sequence of str
        Names for `static_text`.
    values : mapping
        What the template shows; `title` is among them.

    Yields
    ------
    str
        The next part of the file.
    """
    script = "\n".join(map(static_text, scripts))
    style = "\n".join(map(static_text, styles))
    policy = _SINGLE_POLICY.format(rest=_REST, script=_hash(script), style=_hash(style))
    yield from _template(template).generate(policy=policy, script=Markup(script), style=Markup(style), **values)


def _blocks(records: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield the id and the JSON of each record; the thumbnail apart, so that the gallery need not read the record."""
    for record in records:
        yield f"{record['id']}-thumb", _data(record["thumb"])
        yield record["id"], _data({**record, "thumb": None})


def _data(value: Any) -> Markup:
    """Return JSON that can stand inside a script element: without <, > and &."""
    return htmlsafe_json_dumps(value, allow_nan=False, separators=(",", ":"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@lru_cache(maxsize=None)
def _template(name: str) -> jinja2.Template:
    loader = jinja2.PackageLoader("gradcam_tf1.report")
    environment = jinja2.Environment(autoescape=True, loader=loader, undefined=jinja2.StrictUndefined)
    return environment.get_template(name)


def _write(folder: str, name: str, text: str) -> None:
    path = os.path.join(folder, *name.split("/"))
    make_folders(folder, path)
    write_whole(path, text.encode(), "report")
