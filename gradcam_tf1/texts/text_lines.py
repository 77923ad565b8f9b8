"""Files of texts: one text a line, or JSON lines of tokens and ids. No TensorFlow here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from gradcam_tf1.errors import OptionError
from gradcam_tf1.texts.vocabulary import Vocabulary
from gradcam_tf1.texts.word_pieces import PADDING

_MOST_BYTES, _MOST_WORDS = 1_000_000, 20_000  # of one text
_LOOKED_AT = 100  # lines at the head of a file
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}  # byte order marks
_MARK = b"\xef\xbb\xbf"  # that of UTF-8


@dataclass(frozen=True)
class EncodedText:
    """A text as the net takes it, or why it is not explained.

    Attributes
    ----------
    words : list of str
        T words, "" at padding.
    ids : list of int
        Their ids.
    inputs : mapping
        Further tensor -> the text's value, such as the mask of BERT.
    failure : str
        Why there are no ids; "" if there are.
    missing : (int, int)
        How many words of a text are not in the vocabulary, and how many it has; (0, 0) where the ids are given.
    """

    words: List[str]
    ids: List[int]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    missing: Tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class TextForm:
    """How a net takes texts.

    Attributes
    ----------
    length : int or None
        Number of positions, T; None if the net takes any number.
    size : int or None
        Number of ids that the net knows.
    masks : sequence of str
        Inputs that are 1 at words and 0 at padding.
    """

    length: Optional[int] = None
    size: Optional[int] = None
    masks: Sequence[str] = ()


def read_texts(path: str, vocabulary: Optional[Vocabulary], form: TextForm) -> Iterator[EncodedText]:
    """Read the texts of a file one by one.

    Parameters
    ----------
    path : str
        A text file with one text a line, or a `.jsonl` file with {"tokens": [...], "ids": [...]} a line, and with
        "inputs": {tensor: value} where the net takes more.
    vocabulary : Vocabulary or None
        For texts.
    form : TextForm
        What the net takes.

    Yields
    ------
    EncodedText
        One for each line that is not blank. A line that is no text, or has no ids, is one with a `failure`.

    Raises
    ------
    OptionError
        If the file cannot be read or is empty, or there is no vocabulary.
    """
    if vocabulary is None and not path.endswith(".jsonl"):
        raise OptionError(
            f"'{path}' holds words, and the net takes ids: give its vocabulary (--vocab FILE), or a .jsonl file with "
            '{"tokens": [...], "ids": [...]} on each line'
        )
    if vocabulary is not None:
        vocabulary.check_ids(form.size)
    empty = True
    for number, line in _lines(path):
        empty = False
        try:
            if not isinstance(line, str):
                raise line
            if path.endswith(".jsonl") or vocabulary is None:
                yield _checked(_from_json(line), form)
            else:
                yield _encoded(line, vocabulary, form)
        except OptionError as error:
            yield EncodedText([], [], failure=f"line {number} of '{path}' {error}")
    if empty:
        raise OptionError(f"the texts '{path}' are empty; write one text a line")


def names_of_inputs(path: str) -> List[str]:
    """Return the further inputs that the first texts of a `.jsonl` file have; [] for other files."""
    names: Dict[str, None] = {}
    for _, line in islice(_lines(path), _LOOKED_AT) if path.endswith(".jsonl") else ():
        try:
            names.update(dict.fromkeys(_from_json(line).inputs) if isinstance(line, str) else {})
        except OptionError:  # `read_texts` says what is wrong
            continue
    return list(names)


def _lines(path: str) -> Iterator[Tuple[int, Union[str, OptionError]]]:
    """Yield (number, text) of the lines that are not blank, or what is wrong with them."""
    try:
        with open(path, "rb") as file:
            first = file.read(2)
            if first in _MARKS:
                raise OptionError(f"the texts '{path}' are {_MARKS[first]}; save them as UTF-8")
            file.seek(0)
            number = 0
            for number, raw in enumerate(iter(lambda: file.readline(_MOST_BYTES + 1), b""), 1):
                line = _decoded(file, raw[len(_MARK) :] if number == 1 and raw.startswith(_MARK) else raw)
                if not isinstance(line, str) or line.strip():
                    yield number, line
    except OSError as error:
        raise OptionError(f"the texts '{path}' cannot be read: {error.strerror or error}") from error


def _decoded(file: BinaryIO, raw: bytes) -> Union[str, OptionError]:
    if len(raw) > _MOST_BYTES and not raw.endswith(b"\n"):
        while raw and not raw.endswith(b"\n"):  # leave the rest of the line out, without keeping it
            raw = file.readline(_MOST_BYTES)
        return OptionError(f"is longer than {_MOST_BYTES:,} bytes; split it into texts")
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        return OptionError(f"is not UTF-8, see its byte {error.start + 1}; save the file as UTF-8")


def _encoded(line: str, vocabulary: Vocabulary, form: TextForm) -> EncodedText:
    try:
        ids, words = vocabulary.encode([line], form.length, form.size)
    except OptionError as error:
        raise OptionError(
            "has no word of the vocabulary, and there is no id for unknown ones (--unknown-id)"
        ) from error
    inputs = {name: [int(word != "") for word in words[0]] for name in form.masks}
    missing = vocabulary.missing(line, form.size)
    return _checked(EncodedText(words[0], list(map(int, ids[0])), inputs, missing=missing), form)


def _from_json(line: str) -> EncodedText:
    try:
        values: Dict[str, Any] = json.loads(line)
        tokens: Sequence[Any] = values["tokens"]
        ids: Sequence[Any] = values["ids"]
        inputs = values.get("inputs", {})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise OptionError('is not {"tokens": [...], "ids": [...]}') from error
    whole = all(isinstance(id_, int) and not isinstance(id_, bool) for id_ in ids) if isinstance(ids, list) else False
    if not isinstance(tokens, list) or not whole or len(tokens) != len(ids) or not isinstance(inputs, dict):
        raise OptionError("must have as many tokens as ids (whole numbers), and inputs by tensor name")
    return EncodedText(["" if token == PADDING else str(token) for token in tokens], list(ids), inputs)


def _checked(text: EncodedText, form: TextForm) -> EncodedText:
    """Return the text if the net can take it. Raises OptionError, which goes on with the number of the line."""
    count = len(text.ids)
    if not count or count != (form.length or count):
        raise OptionError(f"has {count} tokens, and the net takes {form.length or 'one or more'}; pad or cut it")
    if form.length is None and count > _MOST_WORDS:
        raise OptionError(f"has {count:,} tokens; more than {_MOST_WORDS:,} are not explained together; split it")
    outside = [id_ for id_ in text.ids if not 0 <= id_ < (form.size or id_ + 1)]
    if outside:
        raise OptionError(f"has the id {outside[0]}, and the net knows the ids 0 to {(form.size or 0) - 1}")
    return text
