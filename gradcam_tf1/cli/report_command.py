"""`gradcam-tf1 report`: write the report of a finished or running output folder."""

from __future__ import annotations

import os

import click

from gradcam_tf1.cli.progress import Progress
from gradcam_tf1.cli.terminal import say_page
from gradcam_tf1.images.image_files import MAX_PIXELS

_BESIDE = "OUT/report.html"


@click.command(short_help="Show the results of a run in a browser.")
@click.argument("out_folder", metavar="OUT", type=click.Path())
@click.option(
    "--single-file",
    metavar="[PATH]",
    is_flag=False,
    flag_value=_BESIDE,
    help=f"Write one HTML file with all images inside; {_BESIDE} without a path.",
)
@click.option(
    "--truth",
    metavar="folders|FILE.csv",
    help="True classes, to see what is wrong: the name of each image's folder, or a CSV file of image and label.",
)
@click.option("--title", metavar="TEXT", help="Title of the page.")
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    show_default=True,
    help="Do not read originals with more pixels.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def report(
    out_folder: str, single_file: str | None, truth: str | None, title: str | None, max_pixels: int, quiet: bool
) -> None:
    """Write a report of OUT, the output folder of a run: pages for a browser that need no server and no network.

    The run may be finished or still going on, with or without --report. Repeat the command to bring the report up to
    date. The page is OUT/report/index.html.

    OUT may also be the Parquet files of `gradcam-tf1 spark` in a local folder. Then the output folder of a run is made
    of them in OUT/_run, which Spark does not read, and the page is OUT/_run/report/index.html.
    """
    from gradcam_tf1.report.write_report import write_report
    from gradcam_tf1.spark.parquet_rows import is_rows_folder

    file: bool | str = single_file is not None
    if single_file not in (None, _BESIDE):
        file = str(single_file)
    if is_rows_folder(out_folder):
        out_folder = _run_folder(out_folder, quiet)
    with Progress(quiet) as progress:
        page = write_report(out_folder, truth, file, title, max_pixels, progress.show)
    if not quiet:
        say_page(page)


def _run_folder(rows_folder: str, quiet: bool) -> str:
    """Make the output folder of a run of the rows of a cluster."""
    from gradcam_tf1.spark.run_folder import write_run_folder

    with Progress(quiet) as progress:
        return write_run_folder(rows_folder, os.path.join(rows_folder, "_run"), progress.show)
