"""A study as one HTML file: a verdict, facts, tables, plots and images. No TensorFlow here."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import ClassVar, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.report.page import whole_page
from gradcam_tf1.report.plots import Plot
from gradcam_tf1.report.previews import jpeg
from gradcam_tf1.report.static_files import STUDY_SCRIPTS, STUDY_STYLES

_SIDE = 512  # longest side of an image of a strip, in pixels
_WORDS = {"good": "Yes.", "bad": "No.", "doubt": "Not certain."}


@dataclass(frozen=True)
class Verdict:
    """The answer of a study.

    Attributes
    ----------
    kind : {"good", "bad", "doubt"}
        Its colour.
    text : str
        A sentence.
    word : str
        What stands in front of it, in bold; "" for Yes, No, Not certain.
    """

    kind: str
    text: str
    word: str = ""


@dataclass(frozen=True)
class StudyTable:
    """A table. It scrolls inside itself where the screen is narrow.

    Attributes
    ----------
    head : sequence of str
        Names of the columns; the first one is the name of the row.
    rows : sequence of sequences of str
        The rows; the caller formats the numbers.
    caption : str
        What the table says; "" for none.
    """

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class StripImage:
    """An image of a strip.

    Attributes
    ----------
    pixels : np.ndarray
        uint8 [H, W, 3], RGB.
    caption : str
        What it shows.
    """

    pixels: np.ndarray
    caption: str


@dataclass(frozen=True)
class ImageStrip:
    """Images side by side.

    Attributes
    ----------
    caption : str
        Of all of them together; "" for none.
    images : sequence of StripImage
        The images.
    """

    kind: ClassVar[str] = "strip"
    caption: str
    images: Sequence[StripImage]


@dataclass(frozen=True)
class ColoredWords:
    """A text whose words have the colours of what they count for.

    Attributes
    ----------
    caption : str
        What the colours say.
    words : sequence of (str, int, str)
        The word, its shade from -10 (blue, against) to 10 (red, for), and the number behind it.
    """

    kind: ClassVar[str] = "words"
    caption: str
    words: Sequence[Tuple[str, int, str]]


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading.

    Attributes
    ----------
    title : str
        The heading.
    text : sequence of str
        Paragraphs.
    parts : sequence of StudyTable, Plot, ImageStrip or ColoredWords
        What follows them.
    """

    title: str
    text: Sequence[str] = ()
    parts: Sequence[Union[StudyTable, Plot, ImageStrip, ColoredWords]] = ()


@dataclass(frozen=True)
class Study:
    """What a page shows.

    Attributes
    ----------
    title : str
        Its title.
    verdict : Verdict or None
        The answer, if there is one.
    facts : mapping of str to str
        What was measured, on what, and how.
    sections : sequence of Section
        The rest.
    """

    title: str
    verdict: Optional[Verdict] = None
    facts: Mapping[str, str] = field(default_factory=dict)
    sections: Sequence[Section] = ()


def write_study(path: str, study: Study) -> str:
    """Write a study as one HTML file that needs no network, whole or not at all; an older file is replaced.

    Parameters
    ----------
    path : str
        The file, in an existing folder.
    study : Study
        What it shows. All text is shown as text, whatever it contains.

    Returns
    -------
    str
        The path.

    Raises
    ------
    OSError
        If the file cannot be written; names the path.
    """
    verdict = study.verdict
    values = {
        **{"title": study.title, "study": study, "svg_url": _svg_url, "jpeg_url": _jpeg_url},
        "verdict_word": "" if verdict is None else verdict.word or _WORDS[verdict.kind],
    }
    text = "".join(whole_page("study.html", STUDY_SCRIPTS, STUDY_STYLES, values))
    write_whole(path, text.encode("utf-8", "replace"), "page")
    return path


def _svg_url(svg: str) -> str:
    return _url("image/svg+xml", svg.encode())


def _jpeg_url(pixels: np.ndarray) -> str:
    return _url("image/jpeg", jpeg(pixels, _SIDE))


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
