"""`gradcam-tf1 text`: numbers, page and terminal; and what it refuses."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner
from text_nets import HEAD, WORDS, convolution, frozen, masked_mean, table

from gradcam_tf1.cli import main, text_command, word_colors
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.texts import word_weights
from gradcam_tf1.texts.words_page import visible


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


def test_words_count_for_what_they_say(desk, monkeypatch):
    monkeypatch.setattr(text_command, "in_colors", lambda: True)
    monkeypatch.setenv("COLORTERM", "truecolor")
    done = run(desk, "texts.txt", "net.pb", "--vocab", str(desk / "vocab.txt"), "--labels", str(desk / "labels.txt"))
    assert done.exit_code == 0, done.output
    good, bad = rows(desk)
    assert (good["label"], bad["label"], good["status"], good["signed"]) == ("positive", "negative", "ok", True)
    assert good["words"] == ["The", "film", "was", "very", "good"]
    assert bad["words"] == ["not", "bad"]
    wanted = table()[[WORDS.index(word.lower()) for word in good["words"]]] @ HEAD[:, 1] / 5
    np.testing.assert_allclose(good["weights"], wanted, rtol=1e-4, atol=1e-6)
    assert bad["words"][int(np.argmax(bad["weights"]))] == "bad"
    assert "\x1b[38;2;0;0;0m\x1b[48;2;255;55;55mgood\x1b[0m" in done.output
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


def test_words_without_colours_have_numbers(desk, monkeypatch):
    """In a file, a pipe and with NO_COLOR; whatever the terminal, no escape sequence is left then."""
    more = ("--vocab", str(desk / "vocab.txt"), "--labels", str(desk / "labels.txt"))
    done = run(desk, "texts.txt", "net.pb", *more)
    assert "red for it" not in done.output
    assert "+10 most for it, -10 most against it" in done.output
    assert re.search(r"The(\(.\d\))? film\S* was\S* very\S* good\(\+10\)\n", done.output), done.output
    assert "\x1b" not in done.output
    (desk / "vocab.txt").write_text("\n".join(WORDS[:4]))  # which is worth a warning, in yellow
    assert "\x1b[33mWarning" in run(desk, "texts.txt", "net.pb", *more).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run(desk, "texts.txt", "net.pb", *more).output


@pytest.mark.parametrize(
    ("color", "terminal", "wanted"), [(None, True, True), (None, False, False), (False, True, False)]
)
def test_colours_are_for_terminals(color, terminal, wanted, monkeypatch):
    monkeypatch.setattr(word_colors.sys, "stdout", SimpleNamespace(isatty=lambda: terminal))
    with click.Context(main, color=color):
        assert word_colors.in_colors() is wanted


def contrast(pair):
    """Of WCAG 2: 4.5 and more can be read."""
    shares = [[level / 255 for level in color] for color in pair]
    linear = [[s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in color] for color in shares]
    dark, light = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in linear)
    return (light + 0.05) / (dark + 0.05)


def test_words_can_be_read_on_their_colours(monkeypatch):
    levels = [0, 95, 135, 175, 215, 255]
    for shade in [*range(-10, 0), *range(1, 11)]:
        assert contrast(word_colors.colors_of(shade)) >= 4.5
        numbers = [word_colors._indexed(color) - 16 for color in word_colors.colors_of(shade)]
        assert contrast([[levels[n // 36], levels[n // 6 % 6], levels[n % 6]] for n in numbers]) >= 4.5
    monkeypatch.setenv("COLORTERM", "truecolor")
    words = ["a\x1b[2J", "\u202eb", "c"]
    shown = word_colors.colored_words(words, [10, -10, 0], True)
    of_red, of_blue = "\x1b[38;2;0;0;0m\x1b[48;2;255;55;55m", "\x1b[38;2;255;255;255m\x1b[48;2;55;55;255m"
    assert shown == f"{of_red}a\\x1b[2J\x1b[0m {of_blue}\\u202eb\x1b[0m c"
    monkeypatch.setenv("COLORTERM", "")
    assert word_colors.colored_words(["a"], [10], True) == "\x1b[38;5;16m\x1b[48;5;203ma\x1b[0m"
    assert word_colors.colored_words(words, [10, -3, 0], False) == "a\\x1b[2J(+10) \\u202eb(-3) c"


def test_words_that_nobody_would_see_are_escaped_on_the_page():
    same = ["good", "\U0001f468\u200d\U0001f469", "\u05e9\u05dc\u05d5\u05dd", "a\u0301", "<b>"]
    assert list(map(visible, same)) == same
    hidden = ["\x1b[31m", "\u202egood", "\u200b", "\ufeff", "\x00", "a\u2069"]
    assert list(map(visible, hidden)) == ["\\x1b[31m", "\\u202egood", "\\u200b", "\\ufeff", "\\x00", "a\\u2069"]
