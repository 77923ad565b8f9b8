"""`gradcam-tf1 text`: what the words of a text count for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Iterable, Iterator

import click

from gradcam_tf1.cli.describe import describe
from gradcam_tf1.cli.method_options import methods_with_options, set_option, several_methods
from gradcam_tf1.cli.progress import MAX_REASONS, STOPPED, Progress, Stopper
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import model_options_of_all_images, names_or_numbers, open_net
from gradcam_tf1.cli.terminal import say, say_page, warn
from gradcam_tf1.cli.word_colors import colored_words, in_colors
from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.targets import Top

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph
    from gradcam_tf1.texts.explain_texts import WordFiles, WordRow
    from gradcam_tf1.texts.text_lines import EncodedText, TextForm
    from gradcam_tf1.texts.vocabulary import Vocabulary

_METHODS = ("integrated_gradients",)
_LISTED, _WORDS = 20, 400  # texts that are printed, and words of each
_VOCABULARY = ("offset", "unknown", "padding", "pad_before", "lower")


@click.command(short_help="Show what the words of a text count for.")
@model_options_of_all_images
@click.argument("texts", type=click.Path())
@click.option("--out", "out_folder", type=click.Path(), required=True, help="Folder for the page and the numbers.")
@click.option(
    "--vocab",
    "vocabulary",
    type=click.Path(),
    metavar="FILE",
    help="Words and their ids: one word a line (the first is id 0), word<TAB>id, JSON of word -> id, or the JSON of a "
    "Keras Tokenizer. With words such as ##ing, texts are cut into pieces as BERT does.",
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
@click.option(
    "--lower/--keep-case",
    "lower",
    default=None,
    help="Look words up in lower case (default; WordPiece: unless the vocabulary has capitals).",
)
@click.option(
    "--length",
    type=click.IntRange(min=1),
    metavar="T",
    help="Fill or cut texts to T words, for a net that takes any number (default: each text as long as it is).",
)
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
    from gradcam_tf1.texts.text_lines import names_of_inputs

    as_folder(out_folder)
    chosen = methods_with_options(options.pop("methods"), options.pop("settings"), _METHODS)
    targets: list[Any] = [*options.pop("classes")]
    top, length = options.pop("top_k"), options.pop("length")
    targets += [Top(top)] if top else []
    vocabulary = _vocabulary(options)
    session = make_session(options)
    layers = options["layers"] or None
    with open_net(session=session, preset="raw", **options) as net:
        from gradcam_tf1.texts.explain_texts import WordFiles, explain_texts
        from gradcam_tf1.texts.text_lines import read_texts

        net.check_inputs(_known(net, names_of_inputs(texts)))
        if not quiet:
            describe(net)
        form = _form(net, length)
        facts = {"Model": net.model.source, "Texts": texts, **_vocabulary_facts(vocabulary, form)}
        files = WordFiles(out_folder)
        with Progress(quiet) as progress, Stopper("text") as stop:
            missing = [0, 0]
            encoded = _counted(read_texts(texts, vocabulary, form), missing)
            rows = explain_texts(net, encoded, targets or None, chosen, layers)
            page = files.write(_until_stopped(rows, progress, stop), facts)
    if 2 * missing[0] > missing[1]:
        warn(f"{missing[0]:,} of {missing[1]:,} words are not in the vocabulary: is it the right one?")
    _finish(files, page, quiet, stop())


def _vocabulary(options: dict[str, Any]) -> Vocabulary | None:
    """Take the options of the vocabulary out of `options`, and read it."""
    path = options.pop("vocabulary")
    given = {name: value for name, value in ((name, options.pop(name)) for name in _VOCABULARY) if value is not None}
    if path is None:
        return None
    from gradcam_tf1.texts.vocabulary import Vocabulary

    return Vocabulary.read(path, **given)


def _known(net: GradCamGraph, names: Iterable[str]) -> list[str]:
    """Return those of the names that are tensors of the net; a text with another one fails by itself."""
    from gradcam_tf1.binding.tensor_names import find_tensor

    known = []
    for name in names:
        try:
            known.append(find_tensor(net.graph, name).name)
        except BindingError as error:
            warn(f"the texts have values for {name!r}: {error}")
    return known


def _form(net: GradCamGraph, length: int | None) -> TextForm:
    from gradcam_tf1.texts.text_lines import TextForm

    binding = net.binding
    fixed = (binding.array_shape or (None, None))[1]
    if length is not None and fixed not in (None, length):
        raise OptionError(f"the net takes {fixed} tokens, not {length}; leave --length out")
    masks = [name for name, kind in binding.text_inputs.items() if kind == "mask"]
    return TextForm(fixed or length, binding.vocabulary or None, masks)


def _vocabulary_facts(vocabulary: Vocabulary | None, form: TextForm) -> dict[str, str]:
    """Return how many words and ids there are; warn if the ids cannot be those of the training."""
    if vocabulary is None or form.size is None:
        return {}
    most = max(vocabulary.ids.values(), default=0)
    if most >= form.size:
        beyond = sum(id_ >= form.size for id_ in vocabulary.ids.values())
        warn(f"{beyond:,} words have ids from {form.size:,} on, which the net does not know: they count as unknown")
    elif most < form.size / 2:
        warn(f"the largest id of a word is {most:,}, and the net knows {form.size:,} ids: is it the right vocabulary?")
    return {"Vocabulary": f"{len(vocabulary.ids):,} words; the net knows {form.size:,} ids"}


def _counted(texts: Iterable[EncodedText], missing: list[int]) -> Iterator[EncodedText]:
    """Yield the texts; count their words that are not in the vocabulary, and all of them, into `missing`."""
    for text in texts:
        for n, count in enumerate(text.missing):
            missing[n] += count
        yield text


def _until_stopped(texts: Iterable[list[WordRow]], progress: Progress, stop: Stopper) -> Iterator[list[WordRow]]:
    told = 0
    for rows in texts:
        progress.show("texts", None)
        for row in rows:
            told += row.status == "failed"
            if row.status == "failed" and told <= MAX_REASONS:
                say(f"failed: text {row.text + 1}: {row.reason}", err=True)
        yield rows
        if stop():
            return


def _finish(files: WordFiles, page: str, quiet: bool, stopped: bool) -> None:
    from gradcam_tf1.texts.words_page import caption, shades

    colors = in_colors()
    for row in files.shown if not quiet else ():
        if row.text < _LISTED and row.weights:
            say(f"\n{row.text + 1}. {caption(row, colors)}")
            click.echo(colored_words(row.words[:_WORDS], shades(row.weights), colors))
            if len(row.words) > _WORDS:
                say(f"... and {len(row.words) - _WORDS:,} words more, see the page")
    if not quiet:
        explained = files.texts - files.failed
        counted = f"{explained} text{'' if explained == 1 else 's'} explained, {files.failed} failed"
        say(f"\n{counted}; results in {os.path.dirname(page)}")
        say_page(page)
    click.get_current_context().exit(STOPPED if stopped else 1 if files.failed else 0)
