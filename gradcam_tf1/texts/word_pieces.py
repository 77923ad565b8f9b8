"""WordPiece, as BERT cuts texts into pieces of a vocabulary. No TensorFlow here.

References
----------
https://github.com/google-research/bert/blob/master/tokenization.py
"""

from __future__ import annotations

import unicodedata
from typing import Container, Iterator, List, Mapping

MARK = "##"  # how a piece that goes on with a word begins
FIRST, LAST, UNKNOWN, PADDING = "[CLS]", "[SEP]", "[UNK]", "[PAD]"
_LONGEST = 200  # letters of a word; longer ones are unknown
_NO_LETTERS = "\x00\ufffd"
# first and last letter of each block of Chinese characters, which are words of their own
_CHINESE = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


def is_of_pieces(ids: Mapping[str, int]) -> bool:
    """Return whether a vocabulary has parts of words."""
    return any(word.startswith(MARK) and len(word) > len(MARK) for word in ids)


def keeps_case(ids: Mapping[str, int]) -> bool:
    """Return whether a vocabulary has words with capitals, besides [CLS] and its like."""
    return any(word != word.lower() for word in ids if not (word.startswith("[") and word.endswith("]")))


def pieces(text: str, ids: Container[str], lower: bool) -> Iterator[str]:
    """Cut a text into pieces: the longest that fits, from the left; a word without a cut is [UNK].

    Parameters
    ----------
    text : str
        The text.
    ids : container of str
        The pieces of the vocabulary.
    lower : bool
        Whether capitals and accents are taken away.

    Yields
    ------
    str
        The pieces, those inside of a word with ## in front.
    """
    return (piece for word in words(text, lower) for piece in _cut(word, ids))


def words(text: str, lower: bool) -> List[str]:
    """Return the words of a text; each punctuation mark and each Chinese character is one."""
    cleaned = "".join(_cleaned(letter) for letter in text)
    return [word for part in cleaned.split() for word in _split(_plain(part) if lower else part)]


def _cleaned(letter: str) -> str:
    if letter in "\t\n\r" or unicodedata.category(letter) == "Zs":
        return " "
    if letter in _NO_LETTERS or unicodedata.category(letter).startswith("C"):
        return ""
    return f" {letter} " if any(first <= ord(letter) <= last for first, last in _CHINESE) else letter


def _plain(word: str) -> str:
    """Return a word in lower case without accents."""
    return "".join(each for each in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(each) != "Mn")


def _split(word: str) -> Iterator[str]:
    start = 0
    for place, letter in enumerate(word):
        if _is_mark(letter):
            yield from (part for part in (word[start:place], letter) if part)
            start = place + 1
    if word[start:]:
        yield word[start:]


def _is_mark(letter: str) -> bool:
    """Return whether a letter is punctuation; all ASCII signs count."""
    ascii_sign = 33 <= ord(letter) < 127 and not letter.isalnum()
    return ascii_sign or unicodedata.category(letter).startswith("P")


def _cut(word: str, ids: Container[str]) -> List[str]:
    found: List[str] = []
    start = 0
    while start < len(word) <= _LONGEST:
        mark = MARK if start else ""
        ends = (end for end in range(len(word), start, -1) if mark + word[start:end] in ids)
        end = next(ends, None)
        if end is None:
            return [UNKNOWN]
        found.append(mark + word[start:end])
        start = end
    return found or [UNKNOWN]
