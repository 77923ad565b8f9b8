"""Show concepts that were found after the report of a run was written."""

from __future__ import annotations

import os

from gradcam_tf1.report.page import CONCEPTS_SCRIPT, write_page_of_concepts
from gradcam_tf1.report.report_folder import ReportFolder, check_output_folder
from gradcam_tf1.report.run_rows import run_settings
from gradcam_tf1.report.stored_concepts import read_concepts
from gradcam_tf1.report.write_report import write_report
from gradcam_tf1.run.manifest_lines import plain_values


def show_concepts(out_folder: str) -> str:
    """Give the report of a run the page Concepts; a report that is there keeps its title and true classes.

    Parameters
    ----------
    out_folder : str
        The output folder of a run, with what `find_concepts` or `tcav` wrote.

    Returns
    -------
    str
        Path of the page of the report.

    Raises
    ------
    OptionError, ManifestError, OSError
        As `write_report`.
    """
    folder = ReportFolder(check_output_folder(out_folder))
    folder.check()
    if not os.path.isfile(os.path.join(folder.path, CONCEPTS_SCRIPT)):
        return write_report(out_folder)
    concepts = read_concepts(folder, run_settings(folder.out_folder))
    write_page_of_concepts(folder.path, plain_values(concepts))
    return os.path.join(folder.path, "index.html")
