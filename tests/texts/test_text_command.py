"""`gradcam-tf1 text`: numbers, page and terminal; and what it refuses."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from text_nets import HEAD, WORDS, convolution, frozen, masked_mean, table

from gradcam_tf1.cli import main
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.texts import word_weights


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "net.pb").write_bytes(frozen(masked_mean).SerializeToString())
    (tmp_path / "cnn.pb").write_bytes(frozen(convolution).SerializeToString())
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    (tmp_path / "labels.txt").write_text("negative\npositive\n")
    (tmp_path / "texts.txt").write_text("The film was very good!\n\nnot <script>alert(1)</script> bad\n")
    return tmp_path


def run(desk, texts="texts.txt", net="net.pb", *more):
    words = ["text", str(desk / net), str(desk / texts), "--out", str(desk / "out"), *more]
    return CliRunner().invoke(main, words, color=True)


def rows(desk):
    return [json.loads(line) for line in (desk / "out" / "words.jsonl").read_text(encoding="utf-8").splitlines()]


def test_words_count_for_what_they_say(desk):
    done = run(desk, "texts.txt", "net.pb", "--vocab", str(desk / "vocab.txt"), "--labels", str(desk / "labels.txt"))
    assert done.exit_code == 0, done.output
    good, bad = rows(desk)
    assert (good["label"], bad["label"], good["status"], good["signed"]) == ("positive", "negative", "ok", True)
    assert good["words"] == ["The", "film", "was", "very", "good"]
    assert bad["words"] == ["not", "bad"]
    wanted = table()[[WORDS.index(word.lower()) for word in good["words"]]] @ HEAD[:, 1] / 5
    np.testing.assert_allclose(good["weights"], wanted, rtol=1e-4, atol=1e-6)
    assert bad["words"][int(np.argmax(bad["weights"]))] == "bad"
    assert "\x1b[30m\x1b[48;2;255;55;55mgood\x1b[0m" in done.output
    page = (desk / "out" / "words.html").read_text(encoding="utf-8")
    assert 'class="shade10" title="' in page
    assert ">good</span>" in page


def test_layer_methods_and_several_classes(desk):
    more = ["--vocab", str(desk / "vocab.txt"), "--method", "gradcam,gradient_x_input", "--top-k", "2", "-q"]
    done = run(desk, "texts.txt", "cnn.pb", *more)
    assert (done.exit_code, done.output) == (0, "")
    found = rows(desk)
    of_a_class = [(0, "gradcam", "features:0"), (0, "gradient_x_input", "")]
    assert [(row["text"], row["method"], row["layer"]) for row in found[:4]] == of_a_class * 2
    assert {row["class_id"] for row in found[:4]} == {0, 1}
    with GradCamGraph(str(desk / "cnn.pb")) as net:
        ids = [WORDS.index(word) for word in ("the", "film", "was", "very", "good")] + [0] * 5
        cam = net.explain([ids], found[0]["class_id"]).map("gradcam")
    np.testing.assert_allclose(found[0]["weights"], cam.placed()[:5], rtol=1e-5)
    assert word_weights(cam, ["a"] * 5 + [""] * 5)[5:].max() == 0


def test_json_lines_need_no_vocabulary_and_bring_further_inputs(desk):
    """Strange tokens are text on the page and on the terminal."""
    lines = [{"tokens": ["<b>", "\x1b[31m", "good", *[""] * 7], "ids": [2, 3, 5, *[0] * 7]}]
    (desk / "texts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = run(desk, "texts.jsonl")
    assert done.exit_code == 0, done.output
    assert "\\x1b[31m" in done.output
    assert "&lt;b&gt;" in (desk / "out" / "words.html").read_text(encoding="utf-8")
    assert rows(desk)[0]["words"] == ["<b>", "\x1b[31m", "good"]


REFUSED = {
    "no vocabulary": ("the film\n", "texts.txt", [], "holds words, and the net takes ids: give its vocabulary"),
    "empty": ("\n \n", "texts.txt", ["--vocab", "vocab.txt"], "are empty; write one text a line"),
    "no lines": ("{}\n", "texts.jsonl", [], "line 1 of .* is not {"),
    "lengths": ('\n{"tokens": ["a"], "ids": [1, 2]}', "texts.jsonl", [], "line 2 of .* as many tokens as ids"),
    "fractions": ('{"tokens": ["a"], "ids": [1.5]}', "texts.jsonl", [], r"line 1 of .*\(whole numbers\)"),
    "option": ("the\n", "texts.txt", ["--set", "rise.masks=2"], "--set rise: 'rise' is not among the methods"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(kind, desk, monkeypatch):
    text, name, more, match = REFUSED[kind]
    monkeypatch.chdir(desk)
    (desk / name).write_text(text)
    done = run(desk, name, "net.pb", *more)
    assert done.exit_code == 2 or done.exit_code == 1
    assert re.search(match, done.output), done.output
    assert not (desk / "out").exists()


def test_nets_of_images_and_commands_for_images(desk, photos_net):
    done = run(desk, "texts.txt", photos_net, "--vocab", str(desk / "vocab.txt"))
    assert "takes no token ids; name the placeholder of the ids as input, or explain images" in done.output
    for command in ("run", "sanity"):
        done = CliRunner().invoke(main, [command, str(desk / "net.pb"), str(desk), "--out", str(desk / "o")])
        assert done.exit_code != 0
        assert "takes token ids of texts at 'ids:0', not images; explain them with `gradcam-tf1 text" in done.output
    done = CliRunner().invoke(main, ["export", str(desk / "net.pb"), "--out", str(desk / "o")])
    assert "the net takes token ids at 'ids:0'; only nets of images" in done.output


@pytest.fixture
def photos_net():
    from gradcam_tf1.nets.demo import demo_model

    return demo_model()


def test_the_commands_that_come_before_know_texts(desk):
    done = CliRunner().invoke(main, ["inspect", str(desk / "net.pb")])
    assert "texts of 10 tokens, 10 different ids at ids:0, 6 numbers each" in done.output
    done = CliRunner().invoke(main, ["doctor", str(desk / "net.pb")])
    assert done.exit_code == 0, done.output
    assert "4 texts of random words" in done.output
    assert "gradcam-tf1 text" in done.output
    done = CliRunner().invoke(main, ["convert", str(desk / "net.pb"), str(desk / "copy.pb")])
    assert done.exit_code == 0, done.output
    assert "next: gradcam-tf1 text" in done.output


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("words.jsonl", '{"tokens": ["good"], "ids": [1]}\n'),
        ("words.jsonl", ""),
        ("words.html", "<p>mine</p>"),
    ],
)
def test_files_of_others_are_kept(desk, name, content):
    """The texts themselves may be the file words.jsonl of the output folder."""
    (desk / "out").mkdir()
    (desk / "out" / name).write_text(content)
    texts = f"out/{name}" if "tokens" in content else "texts.txt"
    done = run(desk, texts, "net.pb", "--vocab", str(desk / "vocab.txt"))
    assert (done.exit_code, done.exception.__class__) == (2, SystemExit), done.output
    assert f"{name}' was not written by this toolkit, and would be overwritten" in " ".join(done.output.split())
    assert [path.name for path in (desk / "out").iterdir()] == [name]
    assert (desk / "out" / name).read_text() == content


def test_a_later_run_replaces_an_earlier_one(desk):
    for more in (["--top-k", "2"], []):
        done = run(desk, "texts.txt", "net.pb", "--vocab", str(desk / "vocab.txt"), "-q", *more)
        assert (done.exit_code, done.output) == (0, "")
    assert len(rows(desk)) == 2
