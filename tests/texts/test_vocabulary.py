"""Vocabularies: their files, and the ids of texts."""

from __future__ import annotations

import json

import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.texts import Vocabulary

TOKENIZER = {
    "class_name": "Tokenizer",
    "config": {
        "num_words": 4, "oov_token": "<OOV>", "lower": True, "filters": "!.,",
        "word_index": json.dumps({"<OOV>": 1, "the": 2, "film": 3, "rare": 4}),
    },
}  # fmt: skip
FILES = {
    "lines": ("<pad>\n<unk>\nthe\nfilm\n", {"<pad>": 0, "<unk>": 1, "the": 2, "film": 3}),
    "tabs": ("the\t7\nfilm\t3\n\n", {"the": 7, "film": 3}),
    "mapping": ('{"the": 7, "film": 3.0}', {"the": 7, "film": 3}),
    "list": ('["<pad>", "the"]', {"<pad>": 0, "the": 1}),
    "turned mapping": ('{"7": "the", "3": "film"}', {"the": 7, "film": 3}),
    "Windows": ("the\t7\r\nfilm\t3\r\n", {"the": 7, "film": 3}),
    "words with numbers": ("the\nroute 66\nfilm\n", {"the": 0, "route 66": 1, "film": 2}),
    "strange ends of lines": ("a\u2028b\nc\x85d\r\nfilm\n", {"a\u2028b": 0, "c\x85d": 1, "film": 2}),
    "special": ("[PAD]\n[UNK]\nthe\n", {"[PAD]": 0, "[UNK]": 1, "the": 2}),
    "keras": (json.dumps(TOKENIZER), {"<OOV>": 1, "the": 2, "film": 3}),
}


@pytest.mark.parametrize("kind", FILES)
def test_forms_of_files(kind, tmp_path):
    text, ids = FILES[kind]
    (tmp_path / "vocab").write_bytes(b"\xef\xbb\xbf" + text.encode())  # with a byte order mark
    read = Vocabulary.read(str(tmp_path / "vocab"))
    assert read.ids == ids
    assert (read.unknown, read.left_out == "!.,") == ((1, True) if kind == "keras" else (None, False))
    assert Vocabulary.read(str(tmp_path / "vocab"), offset=3, unknown=2).ids == {w: i + 3 for w, i in ids.items()}


REFUSED = {
    "numbers": ("{" + '"a": 1.5' + "}", "is JSON, but neither word -> id, nor a list of words, nor a Keras Tokenizer"),
    "config": ('{"config": {}}', "is JSON, but neither"),
    "characters": (
        json.dumps({"config": {**TOKENIZER["config"], "char_level": True}}),
        "into characters, or at another",
    ),
    "large": ('{"a": 1e400}', "is JSON, but neither"),
    "deep": ("[" * 100_000, "is JSON, but neither"),
    "twice": ("good\nbad\ngood\n", "'good' has two ids in the vocabulary .*, 0 and 2; .* write word<TAB>id lines"),
    "twice with tabs": ("good\t4\ngood\t5\n", "'good' has two ids in the vocabulary .*, 4 and 5"),
    "twice in a mapping": ('{"good": 1, "good": 2}', "'good' has two ids in the vocabulary .*, 1 and 2"),
    "twice in a turned mapping": ('{"1": "good", "2": "good"}', "'good' has two ids in the vocabulary .*, 1 and 2"),
    "head": ("word\tid\ngood\t4\nbad\t5\n", "line 1 of the vocabulary .* is not as the others: .* without a head"),
    "a stray tab": ("good\nbad\tfilm\nnot\n", "line 2 of the vocabulary .* is not as the others"),
    "ids first": ("4\tgood\n5\tbad\n", "line 1 of the vocabulary .* some are word<TAB>id"),
    "commas": ("word,id\ngood,4\nbad,5\n", "end with a number behind a space or comma; write word<TAB>id"),
    "counts": ("the 2313\nfilm 14\n", "end with a number behind a space or comma"),
    "vectors": ("the 0.1 -2e-3\nfilm 0.3 4\n", "end with a number behind a space or comma"),
    "twice in a list": ('["good", "good"]', "'good' has two ids in the vocabulary .*, 0 and 1"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_files_that_are_no_vocabulary(kind, tmp_path):
    text, match = REFUSED[kind]
    (tmp_path / "vocab").write_text(text)
    with pytest.raises(OptionError, match=match):
        Vocabulary.read(str(tmp_path / "vocab"))


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "vocab").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="the vocabulary .* is not UTF-8, see its byte 1; save it as UTF-8"):
        Vocabulary.read(str(tmp_path / "vocab"))
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(OptionError, match="the vocabulary .* cannot be read"):
            Vocabulary.read(str(path))


WORDS = {"the": 2, "film": 3, "good": 4}


def test_short_and_long_texts():
    words = Vocabulary(WORDS, unknown=1)
    ids, shown = words.encode(["The film, good!", "good"], length=2)
    assert ids.tolist() == [[2, 3], [4, 0]]
    assert shown == [["The", "film"], ["good", ""]]
    ids, shown = Vocabulary(WORDS, unknown=1, pad_before=True, padding=9).encode(["the film good", "good"], length=2)
    assert ids.tolist() == [[3, 4], [9, 4]]
    assert shown == [["film", "good"], ["", "good"]]
    assert words.encode(["the odd film", "good"])[0].tolist() == [[2, 1, 3], [4, 0, 0]]


def test_no_texts():
    with pytest.raises(OptionError, match="there are no texts"):
        Vocabulary(WORDS).encode([])


def test_a_number_that_is_no_id(tmp_path):
    (tmp_path / "vocab").write_text("good\t\u00b2\n", encoding="utf-8")
    with pytest.raises(OptionError, match="line 1 of the vocabulary .* is not as the others: some are word<TAB>id"):
        Vocabulary.read(str(tmp_path / "vocab"))


def test_unknown_words():
    assert Vocabulary(WORDS).encode(["the odd film"])[0].tolist() == [[2, 3]]
    assert Vocabulary(WORDS, unknown=1).encode(["the good film"], size=4)[0].tolist() == [[2, 1, 3]]
    assert Vocabulary(WORDS, lower=False, unknown=1).encode(["The film"])[0].tolist() == [[1, 3]]
    with pytest.raises(OptionError, match="no word of the text 'odd' is in the vocabulary, and there is no unknown id"):
        Vocabulary(WORDS).encode(["the", "odd"])


def test_ids_that_the_net_does_not_know():
    for fields, option in (({"unknown": 10}, "unknown"), ({"unknown": -1}, "unknown"), ({"padding": 10}, "pad")):
        with pytest.raises(OptionError, match=f"the net knows the ids 0 to 9; give one of these .--{option}-id N"):
            Vocabulary(WORDS, **fields).encode(["the film"], size=10)
    with pytest.raises(OptionError, match="the id of unknown words is 10000000000"):
        Vocabulary(WORDS, unknown=10**10).encode(["the odd film"])


def test_blank_lines_hold_no_word(tmp_path):
    (tmp_path / "vocab").write_text("<pad>\n\n\nfilm\n")
    assert Vocabulary.read(str(tmp_path / "vocab")).ids == {"<pad>": 0, "film": 3}
