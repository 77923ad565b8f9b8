"""Vocabularies: words and their token ids. No TensorFlow here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.texts import word_pieces

_PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'  # what Keras leaves out of words
_MOST_BYTES = 200_000_000
_NUMBER = re.compile("[0-9]{1,9}")
_NUMBERED = re.compile(r".*\S[ ,;]+[0-9.eE+-]*[0-9]\s*")  # a word and its id or count, or its embedding
_MOST_IDS = 2**31
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
    pieces : bool
        Whether texts are cut into pieces as BERT does (WordPiece), with [CLS] in front and [SEP] behind if the
        vocabulary has both; `left_out` does not count then.
    """

    ids: Mapping[str, int]
    unknown: Optional[int] = None
    padding: int = 0
    pad_before: bool = False
    lower: bool = True
    left_out: str = _PUNCTUATION
    pieces: bool = False

    @classmethod
    def read(cls, path: str, offset: int = 0, **fields: Any) -> Vocabulary:
        """Read a vocabulary from a file.

        Parameters
        ----------
        path : str
            A text file with one word a line, the first one being id 0, or with `word<TAB>id` a line; a JSON file of
            word -> id or id -> word, or a list of words; or the JSON of a Keras `Tokenizer`. With words such as ##ing
            it is one of WordPiece.
        offset : int
            Number that is added to each id: 3 for the word index of Keras's IMDB data.
        **fields
            Other attributes; those of a Keras `Tokenizer` and of WordPiece come from the file unless they are given.

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
        ids = {word: id_ + offset for word, id_ in ids.items()}
        if not found and word_pieces.is_of_pieces(ids):
            found = _of_pieces(ids)
        return cls(ids, **{**found, **fields})

    def split(self, text: str) -> List[str]:
        """Return the words of a text as they are written, or its pieces."""
        if self.pieces:
            return list(word_pieces.pieces(text, self.ids, self.lower))
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
            If no word of a text has an id, or the net does not know an id for unknown words or padding.
        """
        self.check_ids(size)
        if not len(texts):
            raise OptionError("there are no texts; give a list of one or more")
        most = None if self.pad_before else length
        rows = [self._known(text, size, most) for text in texts]
        for text, row in zip(texts, rows):
            if not row:
                raise OptionError(f"no word of the text {text[:40]!r} is in the vocabulary, and there is no unknown id")
        rows = [self._enclosed(row, length) for row in rows]
        length = length or max(map(len, rows))
        ids = np.full((len(rows), length), self.padding, np.int64)
        words = [[""] * length for _ in rows]
        for n, row in enumerate(rows):
            kept = row[-length:] if self.pad_before else row[:length]
            first = length - len(kept) if self.pad_before else 0
            for place, (word, id_) in enumerate(kept, first):
                ids[n, place], words[n][place] = id_, word
        return ids, words

    def missing(self, text: str, size: Optional[int] = None) -> Tuple[int, int]:
        """Return how many words of a text have no id of their own that the net knows, and how many words it has."""
        words = self.split(text)
        if self.pieces:
            return words.count(word_pieces.UNKNOWN), len(words)
        ids = (self.ids.get(word.lower() if self.lower else word, -1) for word in words)
        return sum(not 0 <= id_ < (size or id_ + 1) for id_ in ids), len(words)

    def check_ids(self, size: Optional[int]) -> None:
        """Raise OptionError if the ids of unknown words and padding are none of the `size` ids of the net."""
        most = (size or _MOST_IDS) - 1
        for what, option, id_ in (("unknown words", "unknown", self.unknown), ("padding", "pad", self.padding)):
            if id_ is not None and not 0 <= id_ <= most:
                raise OptionError(
                    f"the id of {what} is {id_}, and the net knows the ids 0 to {most}; give one of these "
                    f"(--{option}-id N)"
                )

    def _enclosed(self, row: List[Tuple[str, int]], length: Optional[int]) -> List[Tuple[str, int]]:
        """Return the pieces of a text between [CLS] and [SEP], cut so that both have room; words as they are."""
        first, last = (self.ids.get(mark) for mark in (word_pieces.FIRST, word_pieces.LAST))
        if not self.pieces or first is None or last is None or (length or 3) < 3:
            return row
        kept = row if length is None else row[: length - 2]
        return [(word_pieces.FIRST, first), *kept, (word_pieces.LAST, last)]

    def _known(self, text: str, size: Optional[int], most: Optional[int]) -> List[Tuple[str, int]]:
        """Return the words that have an id, with it; at most so many."""
        found: List[Tuple[str, int]] = []
        for word in word_pieces.pieces(text, self.ids, self.lower) if self.pieces else self.split(text):
            id_ = self.ids.get(word.lower() if self.lower and not self.pieces else word, -1)
            known: Optional[int] = id_ if 0 <= id_ < (size or id_ + 1) else self.unknown
            if known is not None:
                found.append((word, known))
                if len(found) == most:
                    break
        return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise OptionError(f"the vocabulary '{path}' cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise OptionError(
            f"the vocabulary '{path}' is not UTF-8, see its byte {error.start + 1}; save it as UTF-8"
        ) from error
    if len(text) > _MOST_BYTES:
        raise OptionError(f"the vocabulary '{path}' is larger than {_MOST_BYTES:,} characters")
    return text


def _parsed(path: str, text: str) -> Tuple[Dict[str, int], Dict[str, Any]]:
    """Return word -> id, and what the file says about splitting texts."""
    first = text.lstrip().partition("\n")[0].strip()
    if first.startswith(("{", "[")) and not _SPECIAL.fullmatch(first):
        try:
            return _from_json(path, json.loads(text, object_pairs_hook=_Pairs))
        except OptionError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise OptionError(
                f"the vocabulary '{path}' is JSON, but neither word -> id, nor a list of words, nor a Keras Tokenizer"
            ) from error
    rows = text.split("\n")  # not splitlines: a word may hold what Unicode calls the end of a line
    lines = [line.rstrip("\r").split("\t") for line in (rows[:-1] if rows[-1] == "" else rows)]
    written = [line for line in lines if line != [""]]
    with_id = sum(map(_has_id, written))
    if with_id == len(written):
        return _unique(path, ((line[0], int(line[1])) for line in written)), {}
    if any(len(line) > 1 for line in lines):
        number = next(n for n, line in enumerate(lines, 1) if _is_odd(line, 2 * with_id > len(written)))
        raise OptionError(
            f"line {number} of the vocabulary '{path}' is not as the others: some are word<TAB>id; write all lines so, "
            "without a head, or one word a line"
        )
    if len(lines) > 1 and all(_NUMBERED.fullmatch(line[0]) for line in lines[1:]):
        raise OptionError(
            f"the lines of the vocabulary '{path}' end with a number behind a space or comma; write word<TAB>id if it "
            "is the id, or one word a line"
        )
    return _unique(path, ((line[0].strip(), number) for number, line in enumerate(lines))), {}


def _has_id(line: Sequence[str]) -> bool:
    return len(line) == 2 and _NUMBER.fullmatch(line[1].strip()) is not None


def _is_odd(line: Sequence[str], most_have_ids: bool) -> bool:
    """Return whether a line is unlike the most."""
    return line != [""] and not _has_id(line) if most_have_ids else len(line) > 1


def _unique(path: str, rows: Iterable[Tuple[str, int]]) -> Dict[str, int]:
    """Return word -> id of the lines that have a word. Raises OptionError for a word with two ids."""
    ids: Dict[str, int] = {}
    for word, id_ in rows:
        if word and ids.setdefault(word, id_) != id_:
            raise OptionError(
                f"{word!r} has two ids in the vocabulary '{path}', {ids[word]} and {id_}; find out which one the net "
                "was trained with, and write word<TAB>id lines with that one only"
            )
    return ids


def _of_pieces(ids: Mapping[str, int]) -> Dict[str, Any]:
    """Return what a vocabulary of WordPiece says about texts."""
    found: Dict[str, Any] = {"pieces": True, "lower": not word_pieces.keeps_case(ids)}
    found["unknown"] = ids.get(word_pieces.UNKNOWN)
    found["padding"] = ids.get(word_pieces.PADDING, 0)
    return found


class _Pairs(Dict[str, Any]):
    """An object of JSON that keeps keys which come twice."""

    def __init__(self, pairs: List[Tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _from_json(path: str, values: Any) -> Tuple[Dict[str, int], Dict[str, Any]]:
    if isinstance(values, list):
        return _unique(path, ((str(word), number) for number, word in enumerate(values))), {}
    config = values.get("config")
    if not isinstance(config, dict):
        of_ids = all(isinstance(word, str) for _, word in values.pairs)  # id -> word, as index_word of Keras
        pairs = ((word, int(id_)) for id_, word in values.pairs) if of_ids else iter(values.pairs)
        return _unique(path, ((word, _whole(id_)) for word, id_ in pairs)), {}
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
