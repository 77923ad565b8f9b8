"""Texts from strangers: a bad line is a failed row, and the others have their answers."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from bert_nets import PIECES, bert
from click.testing import CliRunner
from text_nets import WORDS, frozen, masked_mean

from gradcam_tf1.cli import main, text_command
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.texts import Vocabulary
from gradcam_tf1.texts import explain_texts as explaining


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pb").write_bytes(frozen(masked_mean).SerializeToString())
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    return tmp_path


def run(*words):
    return CliRunner().invoke(main, ["text", *words, "--out", "out", "--method", "gradient_x_input"])


def rows(desk):
    return [json.loads(line) for line in (desk / "out" / "words.jsonl").read_text(encoding="utf-8").splitlines()]


LINES = [
    (b"\xef\xbb\xbfthe film", ["the", "film"], ""),
    (b"good " * 250_000, [], "line 2 of 'texts.txt' is longer than 1,000,000 bytes; split it"),
    (b"", None, ""),
    (b"bad\x00film good\r", ["good"], ""),
    (b"good \xff", [], "line 5 of 'texts.txt' is not UTF-8, see its byte 6; save the file as UTF-8"),
    ("\u05e1\u05e8\u05d8 film \U0001f600".encode(), ["film"], ""),
    (b"odd", [], r"line 7 of 'texts.txt' has no word of the vocabulary, and there is no id for unknown .*--unknown-id"),
    (b"bad \xe2\x80\xae not", ["bad", "not"], ""),
]


def test_lines(desk):
    (desk / "texts.txt").write_bytes(b"\n".join(line for line, _, _ in LINES))
    done = run("net.pb", "texts.txt", "--vocab", "vocab.txt")
    assert done.exit_code == 1, done.output
    wanted = [(words, match) for _, words, match in LINES if words is not None]
    assert len(rows(desk)) == len(wanted)
    for row, (words, match) in zip(rows(desk), wanted):
        assert row["words"] == words
        assert row["status"] == ("failed" if match else "ok")
        assert re.match(match, row["reason"])
    assert "4 texts explained, 3 failed; results in out" in done.output
    assert "failed: text 2: line 2 of" in done.output
    assert "failed: line 5 of &#39;texts.txt&#39; is not UTF-8" in (desk / "out" / "words.html").read_text()


BAD = {
    '{"tokens": ["a"]}': "line 2 of .* is not",
    "[1]": "line 2 of .* is not",
    "[" * 10_000: "line 2 of .* is not",
    '{"tokens": ["a"], "ids": [99]}': "line 2 of .* has 1 tokens, and the net takes 10; pad or cut it",
    json.dumps({"tokens": ["a"] * 10, "ids": [99] * 10}): "line 2 .* has the id 99, and the net knows the ids 0 to 9",
    json.dumps({"tokens": ["a"] * 10, "ids": [-1] * 10}): "line 2 .* has the id -1, and the net knows the ids 0 to 9",
    json.dumps({"tokens": ["a"] * 10, "ids": [10**30] * 10}): "line 2 .* has the id 1000",
    json.dumps({"tokens": ["a"] * 10, "ids": [1] * 10, "inputs": {"nope": 1}}): "no tensor 'nope' in the graph",
}


def test_json_lines(desk):
    good = json.dumps({"tokens": ["good", "\ud800", "[PAD]", *[""] * 7], "ids": [5, 6, *[0] * 8]})
    for line, match in BAD.items():
        (desk / "texts.jsonl").write_text(f"{good}\n{line}\n{good}\n")
        done = run("net.pb", "texts.jsonl")
        assert done.exit_code == 1, done.output
        first, second, third = rows(desk)
        assert (first["words"], third["status"]) == (["good", "\ud800"], "ok")  # a lone surrogate
        assert (second["status"], re.match(match, second["reason"]) is not None) == ("failed", True), second["reason"]


def test_texts_beside_a_bad_line_run_together(desk, monkeypatch):
    calls = []
    whole = GradCamGraph.explain

    def counted(self, inputs, *more, **options):
        calls.append(len(inputs))
        return whole(self, inputs, *more, **options)

    monkeypatch.setattr(GradCamGraph, "explain", counted)
    good = {"tokens": ["good"] * 10, "ids": [5] * 10}
    (desk / "texts.jsonl").write_text("\n".join(map(json.dumps, [{**good, "ids": [77] * 10}] + [good] * 63)))
    run("net.pb", "texts.jsonl")
    assert calls == [63]


REFUSED = [
    ((), "give its vocabulary"),
    (("--vocab", "vocab.txt", "--unknown-id", "10"), "the id of unknown words is 10, and the net knows the ids 0 to 9"),
    (("--vocab", "vocab.txt", "--unknown-id", "-1"), "the id of unknown words is -1"),
    (("--vocab", "vocab.txt", "--pad-id", "99999999999999999999"), "the id of padding is 9999"),
    (("--vocab", "vocab.txt", "--length", "4"), "the net takes 10 tokens, not 4; leave --length out"),
    (("--vocab", "vocab.txt", "--class", "7"), "7"),
]


@pytest.mark.parametrize(("more", "match"), REFUSED)
def test_what_no_line_would_change_is_refused(more, match, desk):
    (desk / "texts.txt").write_text("the film\ngood\n")
    done = run("net.pb", "texts.txt", *more)
    assert done.exit_code == 2, done.output
    assert match in done.output
    assert not (desk / "out").exists()


def test_other_encodings_and_an_output_that_is_a_file(desk):
    (desk / "texts.txt").write_text("good\n", encoding="utf-16")
    assert (
        "the texts 'texts.txt' are UTF-16; save them as UTF-8"
        in run("net.pb", "texts.txt", "--vocab", "vocab.txt").output
    )
    (desk / "out").write_text("mine")
    done = run("net.pb", "texts.txt", "--vocab", "vocab.txt")
    assert "'out' is not a folder; choose another output folder" in done.output
    assert (desk / "out").read_text() == "mine"


def test_vocabularies_of_another_size(desk):
    (desk / "texts.txt").write_text("the film new\n")
    (desk / "large.txt").write_text("\n".join([*WORDS, "new", "newer"]))
    done = run("net.pb", "texts.txt", "--vocab", "large.txt")
    assert "2 words have ids from 10 on, which the net does not know: they count as unknown" in done.output
    assert rows(desk)[0]["words"] == ["the", "film"]
    (desk / "small.txt").write_text("\n".join(WORDS[:4]))
    done = run("net.pb", "texts.txt", "--vocab", "small.txt")
    assert "the largest id of a word is 3, and the net knows 10 ids: is it the right vocabulary?" in done.output
    assert "4 words; the net knows 10 ids" in (desk / "out" / "words.html").read_text()


def test_ctrl_c_keeps_what_is_done(desk, monkeypatch):
    class Stopped(text_command.Stopper):
        def __call__(self):
            return True

    monkeypatch.setattr(text_command, "Stopper", Stopped)
    (desk / "texts.txt").write_text("the film\n" * 200)
    done = run("net.pb", "texts.txt", "--vocab", "vocab.txt", "-q")
    assert done.exit_code == 130
    assert len(rows(desk)) == 1
    assert [path.name for path in sorted((desk / "out").iterdir())] == ["words.html", "words.jsonl"]


def test_many_texts_are_shown_in_part(desk, monkeypatch):
    monkeypatch.setattr(explaining, "MOST", 2)
    (desk / "texts.txt").write_text("the film\ngood\nbad\n")
    assert run("net.pb", "texts.txt", "--vocab", "vocab.txt").exit_code == 0
    assert len(rows(desk)) == 3
    page = (desk / "out" / "words.html").read_text()
    assert "2 of 3 texts" in page
    assert ">bad</span>" not in page


def test_lengths_of_a_net_that_takes_any(desk):
    (desk / "free.pb").write_bytes(frozen(masked_mean, length=None).SerializeToString())
    (desk / "texts.txt").write_text("the film was good\nbad\n")
    assert run("free.pb", "texts.txt", "--vocab", "vocab.txt").exit_code == 0
    assert [row["words"] for row in rows(desk)] == [["the", "film", "was", "good"], ["bad"]]
    assert run("free.pb", "texts.txt", "--vocab", "vocab.txt", "--length", "2").exit_code == 0
    assert [row["words"] for row in rows(desk)] == [["the", "film"], ["bad"]]


def test_bert_takes_words_or_its_own_tokens(desk):
    """The mask is 1 at the pieces, and at the tokens that are no padding; inputs of a line replace it."""
    (desk / "bert.pb").write_bytes(bert().SerializeToString())
    (desk / "pieces.txt").write_text("\n".join(PIECES))
    (desk / "texts.txt").write_text("Boring film!\n")
    assert run("bert.pb", "texts.txt", "--vocab", "pieces.txt").exit_code == 0
    (words,) = rows(desk)
    assert words["words"] == ["[CLS]", "bor", "##ing", "film", "!", "[SEP]"]
    ids = [2, 9, 10, 5, 12, 3, 0, 0]
    line = {"tokens": [*words["words"], "[PAD]", "[PAD]"], "ids": ids}
    (desk / "texts.jsonl").write_text(json.dumps(line))
    assert run("bert.pb", "texts.jsonl").exit_code == 0
    assert rows(desk)[0]["score"] == pytest.approx(words["score"], rel=1e-5)
    assert rows(desk)[0]["words"] == words["words"]
    given = [{**line, "inputs": {"segment_ids": [n] * 8, "input_mask:0": [1] * 8}} for n in (0, 1)]
    (desk / "texts.jsonl").write_text("\n".join(map(json.dumps, given)))
    assert run("bert.pb", "texts.jsonl").exit_code == 0
    scores = [row["score"] for row in rows(desk)]
    with GradCamGraph("bert.pb") as net:
        for n in (0, 1):
            feed = {"input_ids:0": [ids], "input_mask:0": np.ones((1, 8)), "segment_ids:0": np.full((1, 8), n)}
            wanted = net.sess.run("loss/BiasAdd:0", feed)[0, rows(desk)[n]["class_id"]]
            assert scores[n] == pytest.approx(wanted, rel=1e-4)
    assert abs(scores[0] - words["score"]) > 1e-4


def test_texts_of_unknown_words_are_told(desk):
    """They have answers, but those of the unknown word."""
    (desk / "texts.txt").write_text("zzz qqq\nthe Film\nyyy\n")
    done = run("net.pb", "texts.txt", "--vocab", "vocab.txt", "--unknown-id", "1")
    assert done.exit_code == 0, done.output
    assert "3 of 5 words are not in the vocabulary: is it the right one?" in done.output
    first, _, last = rows(desk)
    assert (first["words"], last["words"]) == (["zzz", "qqq"], ["yyy"])
    assert first["weights"][0] == pytest.approx(first["weights"][1])
    (desk / "texts.txt").write_text("zzz the Film\n")
    assert "not in the vocabulary" not in run("net.pb", "texts.txt", "--vocab", "vocab.txt").output
    assert Vocabulary({"good": 12, "film": 3}).missing("good Film", size=10) == (1, 2)
    assert Vocabulary.read("vocab.txt", lower=False).missing("good Film") == (1, 2)


def test_a_long_text_is_printed_in_part(desk):
    (desk / "free.pb").write_bytes(frozen(masked_mean, length=None).SerializeToString())
    (desk / "texts.txt").write_text("film " * 10_000)
    done = run("free.pb", "texts.txt", "--vocab", "vocab.txt")
    assert done.exit_code == 0, done.output
    assert done.output.count("film(") == 400
    assert "... and 9,600 words more, see the page" in done.output
    assert len(rows(desk)[0]["weights"]) == 10_000
