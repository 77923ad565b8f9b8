"""Read run files: the options of `gradcam-tf1 run` in YAML or JSON. Data only: no tags, no aliases, no code."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any, Container, NamedTuple

import yaml

from gradcam_tf1.errors import OptionError

MOST_BYTES = 64 << 10  # of a run file; PyYAML takes about a second for them
_DEEPEST = 50  # values inside each other; options need four


class Entry(NamedTuple):
    """One key of a run file.

    Attributes
    ----------
    where : str
        "run.yml, line 3: alpha", for messages.
    text : object
        The value as text, as a command line would hold it: a str, a list of these, or a dict; None for no value.
    value : object
        Of a typed key, the same with the types of the file: bool, int, float, str, list, dict; else None.
    """

    where: str
    text: Any
    value: Any


def read_run_file(path: str, typed: Container[str] = ()) -> dict[str, Entry]:
    """Read a run file.

    Parameters
    ----------
    path : str
        A YAML file, or a JSON file if its name ends with ".json".
    typed : container of str
        Keys whose values are wanted with the types of the file.

    Returns
    -------
    dict
        Key as written -> Entry, in the order of the file.

    Raises
    ------
    OptionError
        If the file cannot be read, is too large, is not one mapping, or has a key twice.
    """
    text = _text(path)
    return _from_json(path, text, typed) if path.lower().endswith(".json") else _from_yaml(path, text, typed)


def _text(path: str) -> str:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise OptionError(f"run file {path!r} cannot be read: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise OptionError(f"run file {path!r} is larger than {MOST_BYTES >> 10} kB; it holds options only")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise OptionError(f"{path}, line {line}: the file is not UTF-8 text; save it as UTF-8") from error


def _refuse_more_than_data(text: str) -> None:
    """Raise a YAML error for a tag, and for an alias: a few of them can stand for more values than memory holds.

    Raises RecursionError for a value inside many others: the time that PyYAML needs grows with the square of the depth.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError
        if isinstance(event, yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not read; write the value", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, "tags are not read; write the value", event.start_mark)


def _from_yaml(path: str, text: str, typed: Container[str]) -> dict[str, Entry]:
    try:
        _refuse_more_than_data(text)
        return _entries(path, yaml.SafeLoader(text), typed)
    except OptionError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        hint = "; indent with spaces" if "\\t" in str(error.problem) else ""
        place = f"{path}, line {mark.line + 1}" if mark else path
        raise OptionError(f"{place}: not a run file in YAML: {error.problem}{hint}") from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise OptionError(f"{path}, line {line}: not a run file in YAML: {error.reason}") from error
    except RecursionError as error:
        raise OptionError(f"{path}: its values are nested too deeply for options") from error
    except ValueError as error:  # a date that does not exist, such as 2020-99-99
        raise OptionError(f"{path}: a value cannot be read: {error}; put it in quotes") from error


def _entries(path: str, loader: Any, typed: Container[str]) -> dict[str, Entry]:
    root, entries = loader.get_single_node(), {}
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise OptionError(f"{path}: a run file is a mapping of options to values, such as 'preset: inception'")
    for key, node in root.value if root is not None else ():
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise OptionError(f"{path}, line {line}: a key is the name of an option")
        where = f"{path}, line {line}: {key.value}"
        if key.value in entries:
            raise OptionError(f"{where} is there twice; keep one of them")
        value = loader.construct_object(node, deep=True) if key.value in typed else None
        entries[key.value] = Entry(where, _as_text(node, where), value)
    return entries


def _as_text(node: yaml.Node, where: str) -> Any:
    """Return the value as it is written, so that no, 017, 1e-3 and 12:30 are what they look like."""
    if isinstance(node, yaml.SequenceNode):
        return [_as_text(item, where) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        if not all(isinstance(name, str) for name in names):
            raise OptionError(f"{where} has a key that is not a name")
        _refuse_twice(names, where)
        return {name: _as_text(item, where) for name, (_, item) in zip(names, node.value)}
    return None if node.tag == "tag:yaml.org,2002:null" and node.style is None else node.value


def _refuse_twice(names: list[str], where: str) -> None:
    if len(set(names)) < len(names):
        raise OptionError(f"{where}: {Counter(names).most_common(1)[0][0]} is there twice; keep one of them")


def _from_json(path: str, text: str, typed: Container[str]) -> dict[str, Entry]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        _refuse_twice([name for name, _ in items], path)
        return dict(items)

    try:
        values = json.loads(text or "{}", object_pairs_hook=pairs)
        if not isinstance(values, dict):
            raise OptionError(
                f'{path}: a run file is a mapping of options to values, such as {{"preset": "inception"}}'
            )
        texts = _json_text(values)
    except json.JSONDecodeError as error:
        raise OptionError(f"{path}, line {error.lineno}: not a run file in JSON: {error.msg}") from error
    except RecursionError as error:
        raise OptionError(f"{path}: its values are nested too deeply for options") from error
    except OptionError:
        raise
    except ValueError as error:  # a number with more digits than Python reads
        raise OptionError(f"{path}: a number has more digits than can be read; put it in quotes") from error
    return {key: Entry(f"{path}: {key}", texts[key], value if key in typed else None) for key, value in values.items()}


def _json_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_json_text(item) for item in value]
    if isinstance(value, dict):
        return {key: _json_text(item) for key, item in value.items()}
    return value if value is None or isinstance(value, str) else json.dumps(value)
