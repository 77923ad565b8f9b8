"""Explain a list of texts and write what each word counts for, as JSON lines and as a page."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.choices import Methods
from gradcam_tf1.texts.text_lines import EncodedText
from gradcam_tf1.texts.word_weights import word_weights
from gradcam_tf1.texts.words_page import words_page

ROWS_NAME, PAGE_NAME = "words.jsonl", "words.html"
_TOGETHER = 64  # texts whose maps are in memory at the same time


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
        The words, without padding.
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
    texts: Sequence[EncodedText],
    targets: Any = None,
    methods: Methods = "integrated_gradients",
    layers: Any = None,
    progress: Optional[Callable[[int, int], None]] = None,
) -> Iterator[WordRow]:
    """Explain texts.

    Parameters
    ----------
    net : GradCamGraph
        A net of token ids.
    texts : sequence of EncodedText
        The texts.
    targets, methods, layers
        As in `GradCamGraph.explain`.
    progress : callable or None
        Called with the number of finished texts and of all texts.

    Yields
    ------
    WordRow
        Text by text; each has its targets, and each of these its methods and layers.

    Raises
    ------
    OptionError
        If the net takes no texts, or a text does not fit it.
    """
    if not net.binding.token_ids:
        raise OptionError(
            f"'{net.binding.input}' takes no token ids; name the placeholder of the ids as input, or explain images"
        )
    done = 0
    for start, group in _groups(texts):
        rows = {name: [text.inputs[name] for text in group] for name in group[0].inputs}
        found = net.explain(
            [text.ids for text in group], targets, methods, layers, options=ExplainOptions(inputs=rows or None)
        )
        for n, text in enumerate(group):
            yield from _rows(found, n, start + n, text.words)
        done += len(group)
        if progress is not None:
            progress(done, len(texts))


def _groups(texts: Sequence[EncodedText]) -> Iterator[Any]:
    """Return (number of the first, texts): neighbours of one length that have the same inputs."""
    start = 0
    for end in range(1, len(texts) + 1):
        if end == len(texts) or end - start == _TOGETHER or _kind(texts[end]) != _kind(texts[start]):
            yield start, texts[start:end]
            start = end


def _kind(text: EncodedText) -> Any:
    return len(text.ids), sorted(text.inputs)


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


def write_words(folder: str, rows: Sequence[WordRow], facts: Dict[str, str]) -> str:
    """Write the rows as JSON lines and as a page; return the path of the page.

    Parameters
    ----------
    folder : str
        Output folder; it is made if absent.
    rows : sequence of WordRow
        What to write.
    facts : mapping of str to str
        What stands at the head of the page.

    Raises
    ------
    OSError
        If a file cannot be written; names the path.
    """
    os.makedirs(folder, exist_ok=True)
    lines = "".join(json.dumps(_finite(row), ensure_ascii=False) + "\n" for row in rows)
    write_whole(os.path.join(folder, ROWS_NAME), lines.encode("utf-8", "backslashreplace"), "words")
    return words_page(os.path.join(folder, PAGE_NAME), rows, facts)


def _finite(row: WordRow) -> Dict[str, Any]:
    values = dict(vars(row))
    for name in ("score", "probability"):
        if values[name] is not None and not np.isfinite(values[name]):
            values[name] = None
    return values
