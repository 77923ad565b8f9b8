"""Explain a list of texts and write what each word counts for, as JSON lines and as a page."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.atomic_files import read_own, whole_file
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import BindingError, FeedError, OptionError, RunError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.choices import Methods
from gradcam_tf1.run.own_record import not_ours
from gradcam_tf1.texts.text_lines import EncodedText
from gradcam_tf1.texts.word_weights import word_weights
from gradcam_tf1.texts.words_page import MOST, words_page

ROWS_NAME, PAGE_NAME = "words.jsonl", "words.html"
_TOGETHER = 64  # texts whose maps are in memory at the same time
_MOST_WORDS = 100_000  # on the page
_MOST_BYTES = 16 << 20  # of the first row


@dataclass(frozen=True)
class WordRow:
    """What the words of one text count for, by one method and for one target.

    Attributes
    ----------
    text : int
        Number of the text, from 0.
    class_id, label, score, probability
        The target, as in `Map`.
    method, layer : str
        The method, and the layer of layer methods.
    status, reason : str
        "ok", "empty" or "failed", and why.
    signed : bool
        Whether negative weights speak against the class.
    words : list of str
        The words, without padding; [] for a text without ids.
    weights : list of float
        One for each word.
    """

    text: int
    class_id: int
    label: Optional[str]
    score: float
    probability: Optional[float]
    method: str
    layer: str
    status: str
    reason: str
    signed: bool
    words: List[str]
    weights: List[float]


def explain_texts(
    net: GradCamGraph,
    texts: Iterable[EncodedText],
    targets: Any = None,
    methods: Methods = "integrated_gradients",
    layers: Any = None,
) -> Iterator[List[WordRow]]:
    """Explain texts, some at a time.

    Parameters
    ----------
    net : GradCamGraph
        A net of token ids.
    texts : iterable of EncodedText
        The texts.
    targets, methods, layers
        As in `GradCamGraph.explain`.

    Yields
    ------
    list of WordRow
        For each text, its targets, and for each of these its methods and layers; one failed row for a text that cannot
        be explained.

    Raises
    ------
    OptionError
        If the net takes no texts.
    GradCamError
        What no text would change: an unknown class, a method that does not fit the net.
    """
    if not net.binding.token_ids:
        raise OptionError(
            f"'{net.binding.input}' takes no token ids; name the placeholder of the ids as input, or explain images"
        )
    waiting, start = iter(texts), 0
    for chunk in iter(lambda: list(islice(waiting, _TOGETHER)), []):
        found: Dict[int, List[WordRow]] = {}
        for kind in dict.fromkeys(map(_kind, chunk)):
            group = [(start + n, text) for n, text in enumerate(chunk) if _kind(text) == kind]
            found.update(_explained(net, group, (targets, methods, layers)))
        yield from (found[start + n] for n in range(len(chunk)))
        start += len(chunk)


_Group = Sequence[Tuple[int, EncodedText]]  # texts with their numbers


def _kind(text: EncodedText) -> Any:
    """Return what texts have in common that run together."""
    return bool(text.failure), len(text.ids), tuple(sorted(text.inputs))


def _explained(net: GradCamGraph, group: _Group, asked: Tuple[Any, Any, Any]) -> Iterator[Tuple[int, List[WordRow]]]:
    """Yield number and rows of texts of one kind; if they fail together, each by itself."""
    if group[0][1].failure:
        yield from ((number, [_failed(number, text, text.failure)]) for number, text in group)
        return
    inputs = {name: [text.inputs[name] for _, text in group] for name in group[0][1].inputs}
    try:
        found = net.explain([text.ids for _, text in group], *asked, options=ExplainOptions(inputs=inputs or None))
    except (OptionError, RunError, BindingError) as error:
        if isinstance(error, BindingError) and not (inputs or isinstance(error, FeedError)):
            raise  # a layer that the net does not have
        if len(group) == 1:
            yield group[0][0], [_failed(*group[0], str(error))]
            return
        for one in group:
            yield from _explained(net, [one], asked)
        return
    for n, (number, text) in enumerate(group):
        yield number, list(_rows(found, n, number, text.words))


def _failed(number: int, text: EncodedText, reason: str) -> WordRow:
    words = [word for word in text.words if word]
    about: Dict[str, Any] = {"class_id": -1, "label": None, "score": float("nan"), "probability": None, "method": ""}
    return WordRow(number, **about, layer="", status="failed", reason=reason, signed=False, words=words, weights=[])


def _rows(found: Explanation, n: int, number: int, words: List[str]) -> Iterator[WordRow]:
    failure = found.failures[n] if found.failures else ""
    kept = [place for place, word in enumerate(words) if word]
    for t in range(found.scores.shape[1]):
        for method, layer in found.maps:
            one = found.map(method, n, t, layer or None)
            weights = np.zeros(len(words)) if failure else word_weights(one, words)
            yield WordRow(
                text=number,
                class_id=one.class_id,
                label=one.label,
                score=one.score,
                probability=one.probability,
                method=method,
                layer=layer,
                status="failed" if failure else one.status,
                reason=failure or one.reason,
                signed=METHODS[method].signed,
                words=[words[place] for place in kept],
                weights=[float(weights[place]) for place in kept],
            )


class WordFiles:
    """Writes rows as they come: all of them as JSON lines, and the first as a page at the end.

    Parameters
    ----------
    folder : str
        Output folder; it is made if absent.

    Raises
    ------
    OptionError
        If the folder has files of these names that are not ours, such as the texts themselves.
    """

    def __init__(self, folder: str) -> None:
        for path in (os.path.join(folder, ROWS_NAME), os.path.join(folder, PAGE_NAME)):
            if os.path.lexists(path) and not _are_ours(os.path.join(folder, ROWS_NAME)):
                raise OptionError(not_ours(path))
        self._folder = folder
        self.texts = self.failed = 0
        self.shown: List[WordRow] = []
        self._words = 0
        self._reason = ""  # why the first failed text failed

    def write(self, texts: Iterable[List[WordRow]], facts: Mapping[str, str]) -> str:
        """Write the rows of texts and the page; return its path.

        Parameters
        ----------
        texts : iterable of list of WordRow
            From `explain_texts`.
        facts : mapping of str to str
            What stands at the head of the page.

        Raises
        ------
        OptionError
            If no text has an answer; nothing is written then.
        OSError
            If a file cannot be written; names the path.
        """
        made = not os.path.isdir(self._folder)
        os.makedirs(self._folder, exist_ok=True)
        try:
            with whole_file(os.path.join(self._folder, ROWS_NAME), "words") as file:
                for rows in texts:
                    self._count(rows)
                    file.write("".join(map(_line, rows)).encode("utf-8", "backslashreplace"))
                if self.failed == self.texts:
                    raise OptionError(self._reason or "the run was stopped before a text was explained")
        except BaseException:
            if made and not os.listdir(self._folder):
                os.rmdir(self._folder)
            raise
        more = {} if self._shown_texts == self.texts else {"Shown": f"{self._shown_texts} of {self.texts:,} texts"}
        return words_page(os.path.join(self._folder, PAGE_NAME), self.shown, {**facts, **more})

    @property
    def _shown_texts(self) -> int:
        return len({row.text for row in self.shown})

    def _count(self, rows: Sequence[WordRow]) -> None:
        self.texts += 1
        if all(row.status == "failed" for row in rows):
            self.failed += 1
            self._reason = self._reason or rows[0].reason
        self._words += sum(len(row.words) for row in rows)
        if self.texts == 1 or (self.texts <= MOST and self._words <= _MOST_WORDS):
            self.shown += rows


def _are_ours(path: str) -> bool:
    """Return whether the first line of a file is a row of ours."""
    try:
        stored = json.loads(read_own(path, _MOST_BYTES).split(b"\n")[0].decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(stored, dict) and stored.keys() >= {each.name for each in fields(WordRow)}


def _line(row: WordRow) -> str:
    values = dict(vars(row))
    for name in ("score", "probability"):
        if values[name] is not None and not np.isfinite(values[name]):
            values[name] = None
    return json.dumps(values, ensure_ascii=False) + "\n"
