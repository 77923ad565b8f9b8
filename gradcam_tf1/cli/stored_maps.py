"""Measure the maps that `gradcam-tf1 spark` stored: the rows as `evaluate_stored` takes them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

import click

from gradcam_tf1.cli.progress import Progress
from gradcam_tf1.errors import OptionError

if TYPE_CHECKING:
    from gradcam_tf1.evaluation.evaluation_result import Evaluation
    from gradcam_tf1.evaluation.stored_evaluation import StoredImage
    from gradcam_tf1.spark.parquet_rows import Row, StoredRows


def measure_rows(
    folder: str, methods: Sequence[str], metrics: Any, out_folder: str | None, quiet: bool, options: Mapping[str, Any]
) -> Evaluation:
    """Measure the maps of the first target of each image. Raises OptionError, ManifestError.

    Parameters
    ----------
    folder : str
        Parquet files.
    methods : sequence of str
        Those to measure; none for all that are stored.
    metrics : any
        See `evaluate`.
    out_folder, quiet
        As of the command.
    options : mapping
        Fields of EvaluateOptions.
    """
    from gradcam_tf1.evaluation.evaluate_options import EvaluateOptions
    from gradcam_tf1.evaluation.stored_evaluation import evaluate_stored
    from gradcam_tf1.spark.parquet_rows import StoredRows, is_rows_folder

    if not is_rows_folder(folder):
        raise click.UsageError("Missing argument 'IMAGES...'.")
    stored = StoredRows(folder)
    there = [str(name) for name in stored.settings.get("methods") or ()]
    missing = [name for name in methods if name not in there]
    if missing:
        raise OptionError(f"{folder!r} has no maps of {', '.join(missing)}; there are {', '.join(there)}")
    chosen = list(methods) or there
    asked = (stored_images(stored, chosen), list(stored.listing()), stored.settings, chosen, metrics, out_folder)
    with Progress(quiet) as progress:
        return evaluate_stored(*asked, options=EvaluateOptions(progress=progress.show, **options))


def stored_images(stored: StoredRows, methods: Sequence[str]) -> Iterator[StoredImage]:
    """Yield each image with the maps of its first target. Raises OptionError where a method has several layers."""
    from gradcam_tf1.evaluation.stored_evaluation import StoredImage

    for result, rows in stored.images_rows(drawn=False):
        if not result.ok:
            yield StoredImage(result.source, result.relative, result.error)
            continue
        first = result.targets[0]
        of_methods = [row for row in rows if row["target"] == 0 and row["method"] in methods]
        if len(of_methods) != len(methods):
            raise OptionError(
                f"{result.source!r} has {len(of_methods)} maps of {len(methods)} methods; evaluate compares methods at "
                "one layer: leave the rows of one layer, by Spark"
            )
        maps = partial(_maps, of_methods)
        yield StoredImage(result.source, result.relative, "", first.class_id, first.label, maps)


def _maps(rows: Sequence[Row]) -> dict[str, Any]:
    from gradcam_tf1.spark.parquet_rows import stored_map

    return {row["method"]: stored_map(row) for row in rows}
