"""Files of texts: one text a line, or JSON lines of tokens and ids. No TensorFlow here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence

from gradcam_tf1.errors import OptionError
from gradcam_tf1.texts.vocabulary import Vocabulary

_MOST_BYTES = 200_000_000


@dataclass(frozen=True)
class EncodedText:
    """A text as the net takes it.

    Attributes
    ----------
    words : list of str
        T words, "" at padding.
    ids : list of int
        Their ids.
    inputs : mapping
        Further tensor -> the text's value, such as the mask of BERT.
    """

    words: List[str]
    ids: List[int]
    inputs: Mapping[str, Any] = field(default_factory=dict)


def read_texts(
    path: str, vocabulary: Optional[Vocabulary], length: Optional[int], size: Optional[int]
) -> List[EncodedText]:
    """Read the texts of a file.

    Parameters
    ----------
    path : str
        A text file with one text a line, or a `.jsonl` file with {"tokens": [...], "ids": [...]} a line, and with
        "inputs": {tensor: value} where the net takes more.
    vocabulary : Vocabulary or None
        For texts.
    length : int or None
        Number of positions, T; None if the net takes any number.
    size : int or None
        Number of ids that the net knows.

    Returns
    -------
    list of EncodedText
        One for each line that is not blank.

    Raises
    ------
    OptionError
        If the file cannot be read, or a line is no text or has no ids.
    """
    lines = _lines(path)
    if path.endswith(".jsonl"):
        return [_from_json(path, number, line) for number, line in lines]
    if vocabulary is None:
        raise OptionError(
            f"'{path}' holds words, and the net takes ids: give its vocabulary (--vocab FILE), or a .jsonl file with "
            '{"tokens": [...], "ids": [...]} on each line'
        )
    ids, words = vocabulary.encode([line for _, line in lines], length, size)
    return [EncodedText(row, list(map(int, numbers))) for row, numbers in zip(words, ids)]


def _lines(path: str) -> List[Any]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(_MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"the texts '{path}' cannot be read: {error}") from error
    if len(text) > _MOST_BYTES:
        raise OptionError(f"the texts '{path}' are larger than {_MOST_BYTES:,} characters; split the file")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise OptionError(f"the texts '{path}' are empty; write one text a line")
    return lines


def _from_json(path: str, number: int, line: str) -> EncodedText:
    try:
        values: Dict[str, Any] = json.loads(line)
        tokens: Sequence[Any] = values["tokens"]
        ids: Sequence[Any] = values["ids"]
        inputs = values.get("inputs", {})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise OptionError(f'line {number} of \'{path}\' is not {{"tokens": [...], "ids": [...]}}') from error
    whole = all(isinstance(id_, int) and not isinstance(id_, bool) for id_ in ids) if isinstance(ids, list) else False
    if not isinstance(tokens, list) or not whole or len(tokens) != len(ids) or not isinstance(inputs, dict):
        raise OptionError(
            f"line {number} of '{path}' must have as many tokens as ids (whole numbers), and inputs by tensor name"
        )
    return EncodedText([str(token) for token in tokens], list(ids), inputs)
