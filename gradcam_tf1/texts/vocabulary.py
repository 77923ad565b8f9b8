"""Vocabularies: words and their token ids. No TensorFlow here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError

_PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'  # what Keras leaves out of words
_MOST_BYTES = 200_000_000
_PIECE = "##"  # how WordPiece marks a part of a word
_NUMBER = re.compile("[0-9]{1,9}")
_SPECIAL = re.compile(r"\[\w+\]")  # as [PAD] and [UNK], the first words of many vocabularies


@dataclass(frozen=True)
class Vocabulary:
    """Words and their ids.

    Attributes
    ----------
    ids : mapping of str to int
        The id of each word.
    unknown : int or None
        The id of all other words; None to leave them out, as Keras does.
    padding : int
        The id that fills short texts.
    pad_before : bool
        Whether short texts are filled, and long ones cut, in front, as Keras does by default; False: at the end.
    lower : bool
        Whether words are looked up in lower case.
    left_out : str
        Characters that separate words and belong to none.
    """

    ids: Mapping[str, int]
    unknown: Optional[int] = None
    padding: int = 0
    pad_before: bool = False
    lower: bool = True
    left_out: str = _PUNCTUATION

    @classmethod
    def read(cls, path: str, offset: int = 0, **fields: Any) -> Vocabulary:
        """Read a vocabulary from a file.

        Parameters
        ----------
        path : str
            A text file with one word a line, the first one being id 0, or with `word<TAB>id` a line; a JSON file of
            word -> id, or a list of words; or the JSON of a Keras `Tokenizer`.
        offset : int
            Number that is added to each id: 3 for the word index of Keras's IMDB data.
        **fields
            Other attributes; those of a Keras `Tokenizer` come from its file unless they are given.

        Returns
        -------
        Vocabulary
            The vocabulary.

        Raises
        ------
        OptionError
            If the file cannot be read or is no vocabulary.
        """
        text = _read(path)
        ids, found = _parsed(path, text)
        if any(word.startswith(_PIECE) for word in ids):
            raise OptionError(
                f"'{path}' is a vocabulary of WordPiece, whose words are cut into pieces by rules of its own; write "
                'the tokens and ids of your tokenizer as JSON lines instead: {"tokens": [...], "ids": [...]}'
            )
        return cls({word: id_ + offset for word, id_ in ids.items()}, **{**found, **fields})

    def split(self, text: str) -> List[str]:
        """Return the words of a text, as they are written."""
        return text.translate({ord(char): " " for char in self.left_out}).split()

    def encode(
        self, texts: Sequence[str], length: Optional[int] = None, size: Optional[int] = None
    ) -> Tuple[np.ndarray, List[List[str]]]:
        """Return the ids of texts, and the word at each position.

        Parameters
        ----------
        texts : sequence of str
            N texts.
        length : int or None
            Number of positions, T; None for those of the longest text.
        size : int or None
            Number of ids that the net knows; words with larger ids are unknown.

        Returns
        -------
        (np.ndarray, list of list of str)
            int64 [N, T], and N lists of T words, "" at padding.

        Raises
        ------
        OptionError
            If no word of a text has an id.
        """
        if not len(texts):
            raise OptionError("there are no texts; give a list of one or more")
        rows = [self._known(text, size) for text in texts]
        for text, row in zip(texts, rows):
            if not row:
                raise OptionError(f"no word of the text {text[:40]!r} is in the vocabulary, and there is no unknown id")
        length = length or max(map(len, rows))
        ids = np.full((len(rows), length), self.padding, np.int64)
        words = [[""] * length for _ in rows]
        for n, row in enumerate(rows):
            kept = row[-length:] if self.pad_before else row[:length]
            first = length - len(kept) if self.pad_before else 0
            for place, (word, id_) in enumerate(kept, first):
                ids[n, place], words[n][place] = id_, word
        return ids, words

    def _known(self, text: str, size: Optional[int]) -> List[Tuple[str, int]]:
        """Return the words that have an id, with it."""
        found = []
        for word in self.split(text):
            id_ = self.ids.get(word.lower() if self.lower else word, -1)
            known: Optional[int] = id_ if 0 <= id_ < (size or id_ + 1) else self.unknown
            if known is not None:
                found.append((word, known))
        return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(_MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"the vocabulary '{path}' cannot be read: {error}") from error
    if len(text) > _MOST_BYTES:
        raise OptionError(f"the vocabulary '{path}' is larger than {_MOST_BYTES:,} characters")
    return text


def _parsed(path: str, text: str) -> Tuple[Dict[str, int], Dict[str, Any]]:
    """Return word -> id, and what the file says about splitting texts."""
    first = text.lstrip().partition("\n")[0].strip()
    if first.startswith(("{", "[")) and not _SPECIAL.fullmatch(first):
        try:
            return _from_json(json.loads(text))
        except OptionError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise OptionError(
                f"the vocabulary '{path}' is JSON, but neither word -> id, nor a list of words, nor a Keras Tokenizer"
            ) from error
    rows = text.split("\n")  # not splitlines: a word may hold what Unicode calls the end of a line
    lines = [line.rstrip("\r").split("\t") for line in (rows[:-1] if rows[-1] == "" else rows)]
    if all(len(line) == 2 and _NUMBER.fullmatch(line[1].strip()) for line in lines if line != [""]):
        return {word: int(id_) for word, id_ in (line for line in lines if line != [""])}, {}
    odd = next((number for number, line in enumerate(lines, 1) if len(line) > 1), None)
    if odd is not None:
        raise OptionError(
            f"line {odd} of the vocabulary '{path}' has a tab, but not every line is word<TAB>id; write all lines so, "
            "or one word a line"
        )
    return {line[0].strip(): number for number, line in enumerate(lines)}, {}


def _from_json(values: Any) -> Tuple[Dict[str, int], Dict[str, Any]]:
    if isinstance(values, list):
        return {str(word): number for number, word in enumerate(values)}, {}
    config = values.get("config")
    if not isinstance(config, dict):
        return {word: _whole(id_) for word, id_ in values.items()}, {}
    if config.get("char_level") or config.get("split", " ") != " ":
        raise OptionError(
            "the Keras Tokenizer cuts texts into characters, or at another mark than spaces; write its tokens and ids "
            'as JSON lines instead: {"tokens": [...], "ids": [...]}'
        )
    index = {word: _whole(id_) for word, id_ in json.loads(config["word_index"]).items()}
    unknown = index.get(config.get("oov_token") or "")
    most = config.get("num_words")
    kept = {word: id_ for word, id_ in index.items() if most is None or id_ < _whole(most)}
    return kept, {"unknown": unknown, "lower": bool(config["lower"]), "left_out": str(config["filters"])}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value or not 0 <= value < 2**31:
        raise ValueError(value)
    return int(value)
