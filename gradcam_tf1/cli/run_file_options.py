"""`--config` and `--write-config`: options of `run` from a file, and the options of a run as a file."""

from __future__ import annotations

import difflib
import os
from typing import Any, Iterator, NamedTuple, Sequence

import click
import yaml

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.cli.older_names import OLDER_NAMES, OlderNames, translated
from gradcam_tf1.cli.run_files import Entry, read_run_file
from gradcam_tf1.errors import OptionError

WRITTEN = "# written by gradcam-tf1 run --write-config"
KERAS_KEYS = ("model_class", "loader_method", "weight_path", "model_inputs", "process", "process_inputs")
_META = "gradcam_tf1.run_file"
_COMMAND_ONLY = ("config", "write_config", "allow_code", "help")
_NOT_SAVED = (*_COMMAND_ONLY, "resume", "show", "quiet")
_ON, _OFF = ("true", "yes", "on"), ("false", "no", "off")


class Saved(NamedTuple):
    """What a run was asked for.

    Attributes
    ----------
    options : dict
        Parameter -> its words on the command line and in the file together.
    keras : dict
        The keys of the older Keras tool, with the types of the file.
    """

    options: dict[str, Any]
    keras: dict[str, Any]


class _Key(NamedTuple):
    """An option of `run` as a key of a run file."""

    param: click.Parameter
    flag: str  # "--alpha"; "" for an argument
    off: bool = False  # whether it is the "--no-..." form of a flag


class RunFileCommand(OlderNames):
    """A command whose options and arguments may also stand in the file of --config. The command line wins."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add what the file says and the command line does not, then parse."""
        words = list(translated(args))
        given = self._words_of(ctx, words)
        path, keras = given.get("config"), {}
        used: dict[str, Entry] = {}
        if isinstance(path, str) and not set(ctx.help_option_names) & set(words):
            if not os.path.isfile(os.path.expanduser(path)):
                there = os.path.lexists(os.path.expanduser(path))
                reason = f"{path!r} is not a regular file" if there else f"no such file: {path!r}"
                raise click.BadParameter(reason, ctx, param_hint="'--config'")
            entries = read_run_file(path, KERAS_KEYS)
            keras = {name: entries.pop(name).value for name in KERAS_KEYS if name in entries}
            if keras:
                words = _with_stand_in(words, given, str(keras.get("model_class")))
            words, used = _merged(words, given, _by_param(self, entries))
        ctx.meta[_META] = Saved(self._words_of(ctx, words), keras)
        try:
            return super().parse_args(ctx, words)
        except click.BadParameter as error:
            entry = used.get(getattr(error.param, "name", None) or "")
            if entry is None or isinstance(error, click.MissingParameter):
                raise
            raise OptionError(f"{entry.where}: {error.message}") from error

    def _words_of(self, ctx: click.Context, words: Sequence[str]) -> dict[str, Any]:
        """Return the words of each parameter, those that are not there left out."""
        values = self.make_parser(ctx).parse_args(list(words))[0]
        return {name: value for name, value in values.items() if _is_given(value)}


def _is_given(value: Any) -> bool:
    # what stands for "not there" differs between versions of click: None, or a value called UNSET
    return value is not None and value != () and getattr(value, "name", "") != "UNSET"


def saved(ctx: click.Context) -> Saved:
    """Return what the command line and the file of this run say."""
    found: Saved = ctx.meta[_META]
    return found


def _with_stand_in(words: list[str], given: dict[str, Any], name: str) -> list[str]:
    """Put the class of an older tool's file where MODEL stands; the words of the command line are IMAGES."""
    images = [] if "model" not in given else [given.pop("model")]
    given["model"] = name
    given["images"] = (*images, *given.get("images", ()))
    if not given["images"]:
        del given["images"]
    return [name, *words]


def _keys(command: click.Command) -> dict[str, _Key]:
    keys: dict[str, _Key] = {}
    for param in command.params:
        if isinstance(param, click.Argument):
            keys[str(param.name)] = _Key(param, "")
        elif param.name not in _COMMAND_ONLY:
            names = [(flag, False) for flag in param.opts] + [(flag, True) for flag in param.secondary_opts]
            keys.update({flag[2:]: _Key(param, flag, off) for flag, off in names if flag.startswith("--")})
    for older, present in OLDER_NAMES.items():
        if (present or "images") in keys:
            keys[older.replace("_", "-")] = keys[present or "images"]
    return keys


def _by_param(command: click.Command, entries: dict[str, Entry]) -> dict[str, tuple[_Key, Entry]]:
    """Return the entries by the name of their parameter. Raises OptionError for a key that is no option."""
    keys = _keys(command)
    found: dict[str, tuple[_Key, Entry]] = {}
    for name, entry in entries.items():
        key = keys.get(name.lstrip("-").replace("_", "-"))
        if key is None:
            raise OptionError(f"{entry.where} is no option of run{_nearest(name, keys)}")
        param = str(key.param.name)
        if param in found:
            raise OptionError(f"{entry.where} sets what {found[param][1].where} sets; keep one of them")
        found[param] = key, entry
    return found


def _nearest(name: str, keys: dict[str, _Key]) -> str:
    plain = name.lstrip("-").replace("_", "-")
    if plain in ("config", "write-config", "allow-code"):
        return " that a file can hold; give it on the command line"
    near = difflib.get_close_matches(plain, [*keys, *KERAS_KEYS], 1, 0.5)
    return f"; did you mean {near[0]}?" if near else "; `gradcam-tf1 run --help` lists them"


def _merged(
    words: list[str], given: dict[str, Any], entries: dict[str, tuple[_Key, Entry]]
) -> tuple[list[str], dict[str, Entry]]:
    """Return the words with those of the file, and the entries that were used, by parameter."""
    options: list[str] = []
    used = {}
    for name, (key, entry) in entries.items():
        if name == "trust_model" and name not in given and _truth(entry):
            raise OptionError(
                f"{entry.where} lets code in the model file run, and a file cannot allow that by itself; add "
                "--trust-model to the command if you trust the model"
            )
        if name not in given:
            used[name] = entry
            options += _option_words(key, entry) if key.flag else []
    positional = [word for name in ("model", "images") if name in used for word in _texts(used[name])]
    if "model" in used and len(_texts(used["model"])) != 1:
        raise OptionError(f"{used['model'].where} is one model")
    ending = [*([] if "--" in words or not positional else ["--"]), *positional]
    return [*options, *words, *ending], used


def _option_words(key: _Key, entry: Entry) -> Iterator[str]:
    """Yield the words of one option."""
    param = key.param
    if isinstance(param, click.Option) and param.is_flag:
        flag = (param.secondary_opts if _truth(entry) == key.off else param.opts)[:1]
        yield from flag if flag and (param.secondary_opts or _truth(entry)) else ()
        return
    lone = getattr(param, "flag_value", None)
    if type(lone) is float and entry.text in _ON + _OFF:  # the value may be left out
        yield from [f"{key.flag}={lone}"] if _truth(entry) else []
        return
    for text in _texts(entry) if param.multiple else [_joined(param, entry)]:
        yield f"{key.flag}={text}"


def _truth(entry: Entry) -> bool:
    text = entry.text.lower() if isinstance(entry.text, str) else entry.text
    if text not in _ON + _OFF:
        raise OptionError(f"{entry.where} is true or false, not {entry.text!r}")
    return text in _ON


def _texts(entry: Entry) -> list[str]:
    """Return the values of an option that may have several."""
    if isinstance(entry.text, dict):
        return [f"{_scalar(entry, name)}={_scalar(entry, value)}" for name, value in entry.text.items()]
    items = entry.text if isinstance(entry.text, list) else [entry.text]
    return [",".join(_scalar(entry, part) for part in (item if isinstance(item, list) else [item])) for item in items]


def _joined(param: click.Parameter, entry: Entry) -> str:
    """Return the value of an option that has one; [240, 320] for 240x320, [3, 2, 1] for 3,2,1."""
    if not isinstance(entry.text, list):
        return _scalar(entry, entry.text)
    metavar = param.metavar or ""
    joint = "," if "," in metavar else "x" if metavar == "HxW" else None
    if joint is None:
        raise OptionError(f"{entry.where} has one value, not a list")
    return joint.join(_scalar(entry, part) for part in entry.text)


def _scalar(entry: Entry, text: Any) -> str:
    if text is None:
        raise OptionError(f"{entry.where} has no value; give one, or leave the line out")
    if not isinstance(text, str):
        raise OptionError(f"{entry.where} is a value or a list of values, nothing deeper")
    if not _fits_command_line(text):
        raise OptionError(f"{entry.where} has a character that no path and no command line can have: {text!r}")
    return text


def _fits_command_line(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def write_run_file(path: str, asked: Saved) -> None:
    """Write the options of a run as a run file.

    Parameters
    ----------
    path : str
        The file. One that this function wrote before is replaced.
    asked : Saved
        The options.

    Raises
    ------
    OptionError
        If another file is there.
    OSError
        If the file cannot be written.
    """
    path = os.path.expanduser(path)
    if os.path.lexists(path) and not _is_ours(path):
        raise OptionError(
            f"--write-config: {path!r} exists and was not written by --write-config; it is kept, choose another name"
        )
    options = {name: _plain(value) for name, value in asked.options.items() if name not in _NOT_SAVED}
    values = {**_named(options), **asked.keras}
    if asked.keras:
        del values["model"]
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=False)
    write_whole(path, f"{WRITTEN}\n{text}".encode(), "run file")


def _is_ours(path: str) -> bool:
    if not os.path.isfile(path):  # opening a pipe would wait for a writer
        return False
    with open(path, "rb") as file:
        return file.readline(len(WRITTEN) + 2).rstrip() == WRITTEN.encode()


def _named(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options by the names that they have on the command line."""
    command = click.get_current_context().command
    names = {key.param.name: name for name, key in reversed(list(_keys(command).items())) if not key.off}
    ordered = [param.name for param in command.params if param.name in options]
    return {names[name]: options[name] for name in ordered}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return True  # an option with a value that may be left out
    for kind in (int, float):  # unquoted if it reads back as the same text, which nan and 1e-05 do not
        try:
            if yaml.safe_dump(kind(value)).partition("\n")[0] == value:
                return kind(value)
        except ValueError:
            pass
    return value
