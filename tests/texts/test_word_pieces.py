"""WordPiece: the examples of BERT's own tests, and the ids of whole texts."""

from __future__ import annotations

import pytest

from gradcam_tf1.texts import Vocabulary
from gradcam_tf1.texts.word_pieces import pieces, words

PIECES = ["[UNK]", "[CLS]", "[SEP]", "want", "##want", "##ed", "wa", "un", "runn", "##ing", ","]
IDS = {piece: number for number, piece in enumerate(PIECES)}


@pytest.mark.parametrize(
    ("text", "lower", "wanted"),
    [
        (" \tHeLLo!how  \n Are yoU?  ", True, ["hello", "!", "how", "are", "you", "?"]),
        (" \tHeLLo!how  \n Are yoU?  ", False, ["HeLLo", "!", "how", "Are", "yoU", "?"]),
        ("H\u00e9llo", True, ["hello"]),
        ("H\u00e9llo", False, ["H\u00e9llo"]),
        ("ah\u535a\u63a8zz", True, ["ah", "\u535a", "\u63a8", "zz"]),
        ("a\x00b\ufffdc\u200dd e\u00a0f", True, ["abcd", "e", "f"]),  # no letters; a space that does not break
        ("$1.50 (US)", True, ["$", "1", ".", "50", "(", "us", ")"]),
    ],
)
def test_words(text, lower, wanted):
    assert words(text, lower) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("unwanted running", ["un", "##want", "##ed", "runn", "##ing"]),
        ("unwantedX running", ["[UNK]", "runn", "##ing"]),
        ("UNwant\u00e9d,running", ["un", "##want", "##ed", ",", "runn", "##ing"]),
        ("un" * 101, ["[UNK]"]),  # longer than 200 letters
    ],
)
def test_pieces(text, wanted):
    assert list(pieces(text, IDS, True)) == wanted


def read(tmp_path, lines, **fields):
    (tmp_path / "vocab.txt").write_text("\n".join(lines), encoding="utf-8")
    return Vocabulary.read(str(tmp_path / "vocab.txt"), **fields)


def test_texts_are_enclosed_cut_and_filled(tmp_path):
    vocabulary = read(tmp_path, ["[PAD]", *PIECES])
    assert (vocabulary.pieces, vocabulary.lower, vocabulary.unknown, vocabulary.padding) == (True, True, 1, 0)
    ids, shown = vocabulary.encode(["Unwanted running", "odd"], length=5)
    assert shown == [["[CLS]", "un", "##want", "##ed", "[SEP]"], ["[CLS]", "[UNK]", "[SEP]", "", ""]]
    assert ids.tolist() == [[2, 8, 5, 6, 3], [2, 1, 3, 0, 0]]
    assert vocabulary.split("Unwanted") == ["un", "##want", "##ed"]


def test_vocabularies_with_capitals_keep_the_case(tmp_path):
    cased = ["[PAD]", *PIECES, "Un"]
    assert read(tmp_path, cased).split("Unwanted") == ["Un", "##want", "##ed"]
    assert read(tmp_path, cased, lower=True).split("Unwanted") == ["un", "##want", "##ed"]


def test_padding_is_where_the_vocabulary_has_it(tmp_path):
    assert read(tmp_path, [*PIECES, "[PAD]"]).encode(["want"], length=4)[0].tolist() == [[1, 3, 2, 11]]
