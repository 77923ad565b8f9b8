"""The page of explained texts: their words in the colours of what they count for. No TensorFlow here."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Dict, List, Mapping, Sequence

from gradcam_tf1.report.study_page import ColoredWords, Section, Study, write_study

if TYPE_CHECKING:
    from gradcam_tf1.texts.explain_texts import WordRow

SHADES = 10
MOST = 500  # texts on the page
_TITLE_WORDS = 8
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # what Unicode calls controls of direction


def words_page(path: str, rows: Sequence[WordRow], facts: Mapping[str, str]) -> str:
    """Write the page and return its path.

    Parameters
    ----------
    path : str
        The HTML file.
    rows : sequence of WordRow
        What to show, those of one text together.
    facts : mapping of str to str
        What stands at its head.

    Raises
    ------
    OSError
        If the file cannot be written; names the path.
    """
    texts: Dict[int, List[WordRow]] = {}
    for row in rows:
        texts.setdefault(row.text, []).append(row)
    shown = [texts[number] for number in sorted(texts)]
    sections = [Section(_title(group[0]), parts=[_colored(row) for row in group]) for group in shown]
    return write_study(path, Study("Explained texts", facts=facts, sections=sections))


def shades(weights: Sequence[float]) -> List[int]:
    """Return the shade of each weight, -10 to 10: its share of the largest magnitude."""
    largest = max((abs(weight) for weight in weights), default=0.0)
    return [0 if largest == 0 else round(SHADES * weight / largest) for weight in weights]


def caption(row: WordRow, colors: bool = True) -> str:
    """Say what is explained, and what the colours mean, or the shades without them; of a text that failed, why."""
    if row.status == "failed":
        return f"failed: {row.reason}"
    target = row.label or (f"class {row.class_id}" if row.class_id >= 0 else "the score")
    share = "" if row.probability is None else f", probability {row.probability:.3g}"
    layer = f" at {row.layer}" if row.layer else ""
    most, least = ("red", "blue") if colors else (f"+{SHADES} most", f"-{SHADES} most")
    meaning = f"{most} for it, {least} against it" if row.signed else f"{most} for it"
    why = "" if row.status == "ok" else f" {row.status}: {row.reason}."
    return f"{target}, score {row.score:.4g}{share}: {row.method}{layer}, {meaning}.{why}"


def visible(word: str) -> str:
    """Return a word for a page: what would be invisible or turn the direction of the text is escaped."""
    seen = "".join(letter if _is_plain(letter) else _escaped(letter) for letter in word)
    empty = all(unicodedata.category(letter)[0] in "CZM" for letter in seen)  # such as a zero-width space alone
    return "".join(map(_escaped, seen)) if empty else seen


def _is_plain(letter: str) -> bool:
    hidden = unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
    return not hidden and unicodedata.bidirectional(letter) not in _TURNING


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def _title(row: WordRow) -> str:
    first = " ".join(map(visible, row.words[:_TITLE_WORDS])) or "not explained"
    return f"{row.text + 1}. {first}{' ...' if len(row.words) > _TITLE_WORDS else ''}"


def _colored(row: WordRow) -> ColoredWords:
    weights = row.weights or [0.0] * len(row.words)
    words = [
        (visible(word), shade, f"{weight:.4g}") for word, shade, weight in zip(row.words, shades(weights), weights)
    ]
    return ColoredWords(caption(row), words)
