"""Write the report of a run: records that are missing, the index, the page. No TensorFlow here."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.report.class_summary import ClassSummaries
from gradcam_tf1.report.image_columns import ImageColumns
from gradcam_tf1.report.page import write_page
from gradcam_tf1.report.remade_record import RecordMaker
from gradcam_tf1.report.report_folder import ReportFolder, check_output_folder, ident_of
from gradcam_tf1.report.run_facts import RunFacts
from gradcam_tf1.report.run_rows import digest_of, run_rows, run_settings
from gradcam_tf1.report.single_file import single_path, write_single
from gradcam_tf1.report.stored_concepts import read_concepts
from gradcam_tf1.report.stored_strategies import read_strategies
from gradcam_tf1.report.truth import FOLDERS, ClassNames, FolderTruth, TableTruth, Truth
from gradcam_tf1.run.manifest_lines import plain_values
from gradcam_tf1.run.result import Result

Shown = Callable[[str, Optional[int]], None]
Collect = Callable[[Dict[str, Any], Optional[bool]], None]


def write_report(
    out_folder: str,
    truth: Optional[str] = None,
    single_file: Union[bool, str] = False,
    title: Optional[str] = None,
    max_pixels: int = MAX_PIXELS,
    progress: Optional[Shown] = None,
) -> str:
    """Write a report of a finished or running output folder, for a browser; a second call updates it.

    What a run with `RunOptions(report=True)` kept is used as it is. Other maps are read from the numbers of
    `Style(raw=True)`, else from the heat maps, and originals from where the run found them.

    Parameters
    ----------
    out_folder : str
        The output folder of `visualize_imgs`.
    truth : str or None
        "folders" if the folder of each image is named like its class, or the path of a CSV file with the columns image
        and label, a class name or id.
    single_file : bool or str
        True writes one file, report.html in the output folder; a path writes it there. Otherwise the folder `report`.
    title : str or None
        Title of the page; None for the name of the output folder.
    max_pixels : int
        Larger originals and heat maps are not read.
    progress : callable or None
        Called with the name of each image and the number of all, None if unknown.

    Returns
    -------
    str
        Path of the page.

    Raises
    ------
    OptionError
        If the folder is not that of a run, `report` or the file belongs to another program, or the truth does not fit.
    ManifestError
        If a line of the manifest is damaged.
    OSError
        If a file cannot be read or written.
    """
    checked = check_output_folder(out_folder)
    _check(title, single_file, max_pixels)
    file = single_path(checked, single_file) if single_file is not False else ""
    folder, index = update_report(checked, truth, title, max_pixels, progress)
    write_page(folder.path, plain_values(index))
    if file:
        write_single(folder, plain_values(index), file)
    return file or os.path.join(folder.path, "index.html")


def update_report(
    out_folder: str,
    truth: Optional[str] = None,
    title: Optional[str] = None,
    max_pixels: int = MAX_PIXELS,
    progress: Optional[Shown] = None,
    collect: Optional[Collect] = None,
) -> Tuple[ReportFolder, Dict[str, Any]]:
    """Bring the records of a report up to date, and return its folder and index; the page is not written.

    `collect` gets each record, and whether the top class is the true one, None if this is not known. The other
    parameters and the errors are those of `write_report`.
    """
    folder = ReportFolder(check_output_folder(out_folder))
    settings = run_settings(folder.out_folder)
    true = _truth(truth, settings, folder.out_folder)
    folder.make()
    index = _Contents(folder, settings, true, max_pixels, collect).read(progress)
    index["title"] = title or f"Report of {os.path.basename(os.path.abspath(folder.out_folder))}"
    return folder, index


class _Contents:
    """Brings the records up to date, and collects the index.

    Parameters
    ----------
    folder : ReportFolder
        The report.
    settings : mapping
        Of run.json.
    truth : Truth or None
        The true classes.
    max_pixels : int
        Larger images are not read.
    collect : callable or None
        See `update_report`.
    """

    def __init__(
        self,
        folder: ReportFolder,
        settings: Mapping[str, Any],
        truth: Optional[Truth],
        max_pixels: int,
        collect: Optional[Collect] = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._truth = truth
        self._collect = collect
        self._digest = hashlib.sha256()
        self._maker = RecordMaker(folder, settings, max_pixels)
        self._columns = ImageColumns()
        self._classes = ClassSummaries()
        self._facts = RunFacts(settings)

    def read(self, progress: Optional[Shown]) -> Dict[str, Any]:
        """Return the index without its title."""
        for result in run_rows(self._folder.out_folder):
            self._add(result)
            if progress is not None:
                progress(result.relative, self._facts.total)
        facts, has_truth, digest = self._facts, self._truth is not None, self._digest.hexdigest()
        return {
            **{"version": 1, "made": datetime.now(timezone.utc).isoformat(timespec="seconds")},
            **{"complete": facts.complete, "total": facts.total},
            **{"methods": facts.methods, "layers": facts.layers, "colormap": self._maker.colormap},
            "truth_from": None if self._truth is None else self._truth.source,
            "images": self._columns.as_json(has_truth),
            "classes": self._classes.as_json(self._columns, has_truth),
            "run": facts.as_json(self._doubts()),
            **{"digest": digest, "strategies": read_strategies(self._folder.out_folder, digest)},
            "concepts": read_concepts(self._folder, self._settings),
        }

    def _add(self, result: Result) -> None:
        """Make the record of an image unless it is there, and add it."""
        record = self._folder.read_record(ident_of(result.index))
        if record is None or record.get("row") != digest_of(result):
            record = self._maker.make(result)
        elif not self._folder.has_images(record):
            self._maker.draw_again(result, record)
        true = None if self._truth is None else self._truth.of(result)
        text = None if true is None else true.text
        if record["truth"] != text:
            record["truth"] = text
            self._folder.write_record(record)
        predicted = result.predicted
        is_known = true is not None and true.class_id is not None and predicted >= 0
        wrong = true.class_id != predicted if true is not None and is_known else None
        self._columns.add(record, predicted, wrong)
        self._classes.add(record)
        self._facts.add(record)
        self._digest.update(record["row"].encode("ascii"))
        if self._collect is not None:
            self._collect(record, None if wrong is None else not wrong)

    def _doubts(self) -> List[str]:
        truth = [] if self._truth is None else self._truth.doubts()
        left_out = ["there are more classes than mean maps are kept of"] if self._classes.left_out else []
        return [*truth, *left_out]


def _check(title: Any, single_file: Any, max_pixels: Any) -> None:
    if title is not None and not isinstance(title, str):
        raise OptionError(f"the title is a text, not {title!r}")
    if not isinstance(single_file, (bool, str, os.PathLike)):
        raise OptionError(f"single_file is True, False or a path, not {single_file!r}")
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int) or max_pixels < 1:
        raise OptionError(f"max_pixels is a whole number, at least 1, not {max_pixels!r}")


def _truth(given: Any, settings: Mapping[str, Any], out_folder: str) -> Optional[Truth]:
    if given is None:
        return None
    if not isinstance(given, (str, os.PathLike)):
        raise OptionError(f"truth is 'folders' or the path of a CSV file, not {given!r}")
    names = ClassNames(settings)
    if given == FOLDERS:
        return FolderTruth(names)
    return TableTruth(os.path.expanduser(os.fspath(given)), names, run_rows(out_folder))
