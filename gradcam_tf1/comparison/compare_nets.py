"""Compare two nets on images: one pass, one row per image, then the means, the files and the page."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from gradcam_tf1._version import __version__
from gradcam_tf1.comparison.compare_options import CompareOptions
from gradcam_tf1.comparison.comparison_files import (
    CSV_NAME,
    JOURNAL_NAME,
    JSON_NAME,
    PAGE_NAME,
    error_of,
    write_csv,
    write_json,
)
from gradcam_tf1.comparison.comparison_page import write_comparison_page
from gradcam_tf1.comparison.comparison_result import Columns, Comparison
from gradcam_tf1.comparison.differing_images import MostDifferent
from gradcam_tf1.comparison.image_pair import NAMES, ComparedImage, FittedTwice, NetPair, Row
from gradcam_tf1.comparison.stored_rows import check_row
from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.images.preprocessing import as_preprocessing
from gradcam_tf1.images.window import make_window
from gradcam_tf1.methods.choices import choose_methods
from gradcam_tf1.run.image_stream import ImageStream, StreamOptions, open_stream
from gradcam_tf1.run.reading import RunImage
from gradcam_tf1.run.row_journal import RowJournal, check_beside
from gradcam_tf1.run.settings import net_settings, net_warnings
from gradcam_tf1.tf_runtime import tf

_DEFAULT = CompareOptions()


class _RowList:
    """The rows of a comparison without a folder."""

    def __init__(self) -> None:
        self._rows: List[Row] = []

    def write(self, row: Row) -> None:
        self._rows.append(row)

    def rows(self) -> Iterator[Row]:
        return iter(self._rows)


class _JournalRows:
    """The rows of a journal, read when they are asked for."""

    def __init__(self, journal: RowJournal) -> None:
        self._journal = journal

    def __iter__(self) -> Iterator[Row]:
        return self._journal.rows()


def compare_nets(
    net_a: GradCamGraph,
    net_b: GradCamGraph,
    images: Any,
    out_folder: Optional[str] = None,
    *,
    options: CompareOptions = _DEFAULT,
) -> Comparison:
    """Compare what two nets say of the same images, and where they look.

    Of each image: whether both have the same top class, how far scores and probabilities are apart, and how alike the
    maps of A's top class are in both, and the maps of each net's own top class. Classes are matched by name if both
    nets have labels, else by id. Each net gets the image at its own input size, and its map is placed by its own cells.

    Parameters
    ----------
    net_a, net_b : GradCamGraph
        The nets, of any form; they are not changed.
    images : str or list of str
        As in `visualize_imgs`.
    out_folder : str or None
        Gets comparison.jsonl, comparison.json, comparison.csv and comparison.html; made if absent. None writes nothing.
    options : CompareOptions
        Methods, tolerances, images.

    Returns
    -------
    Comparison
        Means with intervals, checks and the verdict.

    Raises
    ------
    OptionError
        If classes, images or methods do not fit both nets, or another program has files of these names in the folder.
    ManifestError
        If a row of an earlier comparison, which goes on, is damaged.
    ImageFileError
        If there is no image at all, or none could be compared; one that cannot be read does not end the comparison.
    BindingError, TargetError
        If the request does not fit one of the nets.
    OSError
        If a file cannot be written.

    References
    ----------
    The similarity of maps: https://arxiv.org/abs/1810.03292
    """
    if not isinstance(options, CompareOptions):
        raise OptionError(f"options is {options!r}; give options=CompareOptions(...)")
    if options.resume and out_folder is None:
        raise OptionError("resume goes on in the folder of an earlier comparison; give out_folder")
    folder = None if out_folder is None else as_folder(out_folder)
    pair = NetPair(net_a, net_b, options)
    stream = _stream(pair, images, folder or "", options)
    settings = _settings(pair, options)
    with ExitStack() as stack:
        rows: Union[_RowList, RowJournal] = _RowList()
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
            journal_path = os.path.join(folder, JOURNAL_NAME)
            check_beside(journal_path, (JSON_NAME, CSV_NAME, PAGE_NAME))
            rows = stack.enter_context(RowJournal(journal_path, settings, options.resume))
        task = _Task(pair, options, rows)
        task.run(stream)
        task.draw_missing(images, folder or "")
        found = task.result()
        if folder is not None:
            write_json(folder, found, settings)
            write_csv(folder, rows.rows(), pair.methods)
            write_comparison_page(folder, found, task.different, _about(pair))
    return found


class _Task:
    """One comparison.

    Parameters
    ----------
    pair : NetPair
        The nets.
    options : CompareOptions
        Its options.
    rows : RowJournal or list of rows
        Gets the row of each image.
    """

    def __init__(self, pair: NetPair, options: CompareOptions, rows: Union[_RowList, RowJournal]) -> None:
        self._pair, self._options, self._rows = pair, options, rows
        self._columns = Columns(pair.methods)
        self._complete = True
        self._reason = ""  # why the first image failed
        self.different = MostDifferent(options.shown)

    def run(self, stream: ImageStream) -> None:
        """Compare the images that have no row yet."""
        done: List[str] = []
        for row in self._rows.rows():
            check_row(row, self._pair.methods, getattr(self._rows, "path", ""))
            self._add(row)
            done.append(row["relative"])
        with closing(stream.images(done)) as items:
            for item in items:
                if self._options.stop is not None and self._options.stop():
                    self._complete = False
                    break
                row, found = self._compared(item)
                self._rows.write(row)
                if self._add(row) and found is not None and item.image is not None:
                    self.different.draw(row, found, item.image)
                if self._options.progress is not None:
                    self._options.progress(row["relative"], stream.count)

    def _add(self, row: Row) -> bool:
        """Count a row; return whether its image is among the most different ones."""
        self._columns.add(row)
        self._reason = self._reason or error_of(row)
        return self.different.wants(row)

    def _compared(self, item: RunImage) -> Tuple[Row, Optional[ComparedImage]]:
        row: Row = {"index": item.index, "source": item.file.source, "relative": item.file.relative, "error": None}
        if not isinstance(item.fitted, FittedTwice):
            return {**row, "error": item.error, "no_answer": {}}, None
        found = self._pair.compare(item.fitted)
        return {**row, **found.row}, found

    def draw_missing(self, images: Any, folder: str) -> None:
        """Draw the most different images that an earlier, interrupted comparison has found."""
        missing = {row["relative"]: row for row in self.different.undrawn()}
        if not missing:
            return
        stream = _stream(self._pair, images, folder, self._options)
        listing = [file for file in stream.listing if file.relative in missing]
        with closing(replace(stream, listing=listing, count=len(listing)).images()) as items:
            for item in items:
                if isinstance(item.fitted, FittedTwice) and item.image is not None:
                    row = missing[item.file.relative]
                    found = self._pair.compare(item.fitted)
                    if found.maps:
                        self.different.draw(row, found, item.image)

    def result(self) -> Comparison:
        """Return the means and the verdict. Raises ImageFileError if there is nothing to compare."""
        columns = self._columns
        if not columns.images and not columns.one_sided and (self._complete or columns.failed):
            raise ImageFileError(f"no image could be compared; the first reason: {self._reason}")
        if not columns.images and not columns.one_sided:
            raise OptionError("the comparison was stopped before the first image; nothing is known")
        models = [net.model.source for net in self._pair.nets]
        notes = [f"{name}: {warning}" for name, net in zip(NAMES, self._pair.nets) for warning in net_warnings(net)]
        notes += [] if self._pair.classes is None else list(self._pair.classes.notes)
        notes += [self._pair.note] if self._pair.note else []
        rows = self._rows
        all_rows: Iterable[Row] = list(rows.rows()) if isinstance(rows, _RowList) else ()
        if isinstance(rows, RowJournal):
            all_rows = _JournalRows(rows)
        return columns.result((models[0], models[1]), self._options, tuple(notes), all_rows, complete=self._complete)


def _stream(pair: NetPair, images: Any, folder: str, options: CompareOptions) -> ImageStream:
    """Return the images, each fitted to both nets."""
    wanted = StreamOptions(
        options.n_images,
        options.seed,
        options.max_pixels,
        options.threads,
        make_window(options.window),
        options.timeout,
    )
    stream = open_stream(pair.nets[0], images, folder, wanted)
    return replace(stream, reader=replace(stream.reader, fit=pair.fit))


def _about(pair: NetPair) -> Dict[str, str]:
    """Return what the page says of the models."""
    facts = {}
    for name, net in zip(NAMES, pair.nets):
        preset = as_preprocessing(net.preset or net.model.preprocessing or net.binding.preprocessing)
        size = " x ".join("any" if side is None else str(side) for side in net.binding.image_size)
        pixels = "its own" if preset is None else preset.description
        facts[name] = (
            f"{net.model.source}: {net.model.kind}; input {net.binding.input} ({size}, {net.fit_mode}); logits "
            f"{net.binding.logits}; layer {net.binding.layer}; pixels {pixels}"
        )
    return {**facts, "versions": f"gradcam_tf1 {__version__}, TensorFlow {tf.__version__}"}


def _settings(pair: NetPair, options: CompareOptions) -> Dict[str, Any]:
    """Return everything that changes a row."""
    nets = zip("ab", pair.nets)
    explain = options.explain
    return {
        **{
            f"{which}_{name}": value
            for which, net in nets
            for name, value in net_settings(net).items()
            if name != "model"
        },
        **{"methods": {name: dict(given) for name, given in choose_methods(options.methods).items()}},
        **{"score": options.score, "n_images": options.n_images, "seed": options.seed},
        **{name: getattr(explain, name) for name in ("noise", "aug_smooth", "eigen_smooth")},
        **{"max_pixels": options.max_pixels, "window": asdict(make_window(options.window))},
    }
