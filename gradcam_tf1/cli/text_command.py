"""`gradcam-tf1 text`: what the words of a text count for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

import click

from gradcam_tf1.cli.describe import describe
from gradcam_tf1.cli.method_options import methods_with_options, set_option, several_methods
from gradcam_tf1.cli.progress import Progress
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import model_options, names_or_numbers, open_net
from gradcam_tf1.cli.terminal import say, say_page, shown
from gradcam_tf1.targets import Top

if TYPE_CHECKING:
    from gradcam_tf1.texts.explain_texts import WordRow

_METHODS = ("integrated_gradients",)
_LISTED = 20  # texts that are printed
_VOCABULARY = ("offset", "unknown", "padding", "pad_before", "lower")


@click.command(short_help="Show what the words of a text count for.")
@model_options
@click.argument("texts", type=click.Path())
@click.option("--out", "out_folder", type=click.Path(), required=True, help="Folder for the page and the numbers.")
@click.option(
    "--vocab",
    "vocabulary",
    type=click.Path(),
    metavar="FILE",
    help="Words and their ids: one word a line (the first is id 0), word<TAB>id, JSON of word -> id, or the JSON of a "
    "Keras Tokenizer.",
)
@click.option("--id-offset", "offset", type=int, help="Number added to each id of the vocabulary (Keras's IMDB: 3).")
@click.option("--unknown-id", "unknown", type=int, help="Id of words that are not in it (default: leave them out).")
@click.option("--pad-id", "padding", type=int, help="Id that fills short texts (default: 0).")
@click.option(
    "--pad-before/--pad-after",
    "pad_before",
    default=None,
    help="Fill short texts, and cut long ones, in front (Keras's default) or at the end (default).",
)
@click.option("--lower/--keep-case", "lower", default=None, help="Look words up in lower case (default).")
@several_methods("show", _METHODS)
@set_option
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="ID|NAME",
    callback=names_or_numbers,
    help="Class to explain (default: the top class of each text). Repeatable.",
)
@click.option("--top-k", type=click.IntRange(min=1), metavar="N", help="Explain the N classes with the highest scores.")
@click.option("--labels", type=click.Path(), metavar="FILE", help="Names of the classes.")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Texts that run together.")
@session_options
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def text(texts: str, out_folder: str, quiet: bool, **options: Any) -> None:
    """Explain the texts of the file TEXTS, one a line, with the network MODEL, which takes token ids.

    TEXTS needs --vocab, unless it is a .jsonl file with {"tokens": [...], "ids": [...]} on each line. Prints the words
    in colours, and writes OUT/words.html and OUT/words.jsonl.

    Exit code 1: a text has no answer.
    """
    chosen = methods_with_options(options.pop("methods"), options.pop("settings"), _METHODS)
    targets: list[Any] = [*options.pop("classes")]
    top = options.pop("top_k")
    targets += [Top(top)] if top else []
    vocabulary = _vocabulary(options)
    session = make_session(options)
    layers = options["layers"] or None
    with open_net(session=session, preset="raw", **options) as net:
        from gradcam_tf1.texts.explain_texts import explain_texts, write_words
        from gradcam_tf1.texts.text_lines import read_texts

        if not quiet:
            describe(net)
        length = (net.binding.array_shape or (None, None))[1]
        read = read_texts(texts, vocabulary, length, net.binding.vocabulary or None)
        with Progress(quiet) as progress:
            rows = list(
                explain_texts(net, read, targets or None, chosen, layers, lambda _, n: progress.show("texts", n))
            )
        page = write_words(out_folder, rows, {"Model": net.model.source, "Texts": texts})
    _finish(rows, page, quiet)


def _vocabulary(options: dict[str, Any]) -> Any:
    """Take the options of the vocabulary out of `options`, and read it."""
    path = options.pop("vocabulary")
    given = {name: value for name, value in ((name, options.pop(name)) for name in _VOCABULARY) if value is not None}
    if path is None:
        return None
    from gradcam_tf1.texts.vocabulary import Vocabulary

    return Vocabulary.read(path, **given)


def _finish(rows: Sequence[WordRow], page: str, quiet: bool) -> None:
    from gradcam_tf1.texts.words_page import caption, shades

    for row in rows if not quiet else ():
        if row.text < _LISTED:
            say(f"\n{row.text + 1}. {caption(row)}")
            click.echo(" ".join(_colored(word, shade) for word, shade in zip(row.words, shades(row.weights))))
    failed = [row for row in rows if row.status == "failed"]
    for row in failed:
        say(f"failed: text {row.text + 1}: {row.reason}", err=True)
    if not quiet:
        say()
        say_page(page)
    click.get_current_context().exit(1 if failed else 0)


def _colored(word: str, shade: int) -> str:
    """Return a word on red where it speaks for the class, on blue where against it."""
    if not shade:
        return shown(word)
    faint, strong = 255 - 20 * abs(shade), 255
    red, green, blue = (strong, faint, faint) if shade > 0 else (faint, faint, strong)
    return click.style(shown(word), fg="black", bg=(red, green, blue))
