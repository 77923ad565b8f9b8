"""`gradcam-tf1 spark`: explain images on a cluster of Apache Spark."""

from __future__ import annotations

from typing import Any, Sequence

import click

from gradcam_tf1.cli.feed_options import split_feeds
from gradcam_tf1.cli.method_options import make_explain_options, make_methods, method_options
from gradcam_tf1.cli.preset_options import make_preset, preset_options
from gradcam_tf1.cli.shared_options import (
    batch_size_option,
    batch_timeout_option,
    load_source,
    max_pixels_option,
    model_options_of_all_images,
    window,
)
from gradcam_tf1.cli.style_options import drawing_options, make_style
from gradcam_tf1.cli.target_options import make_targets, target_options_of_all_images
from gradcam_tf1.cli.terminal import load_tensorflow, say
from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.listing import counted
from gradcam_tf1.run.run_options import RunOptions

_RUN = ("batch_size", "max_pixels", "timeout", "window")


def properties(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Callback: "spark.executor.cores=4" -> {"spark.executor.cores": "4"}."""
    pairs = [value.partition("=") for value in values]
    for value, (name, equals, _) in zip(values, pairs):
        if not equals or not name.startswith("spark."):
            raise click.BadParameter(f"{value!r}: write a property of Spark, as in spark.executor.cores=4")
    return {name: text for name, _, text in pairs}


@click.command(short_help="Explain images on a cluster of Apache Spark.")
@model_options_of_all_images
@click.argument("images", nargs=-1, required=True)
@click.argument("out_folder", metavar="OUT")
@click.option(
    "--master",
    metavar="URL",
    help="Where to run: local[4], spark://HOST:7077, yarn, k8s://HOST (default: what spark-defaults.conf or "
    "spark-submit says, else this machine).",
)
@click.option(
    "--conf",
    multiple=True,
    metavar="NAME=VALUE",
    callback=properties,
    help="A property of Spark, as for spark-submit. Repeatable.",
)
@preset_options
@click.option(
    "--window", metavar="LOW,HIGH|none", callback=window, help="Images of measured values: see `gradcam-tf1 run`."
)
@target_options_of_all_images
@method_options
@drawing_options
@batch_size_option
@max_pixels_option
@batch_timeout_option
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def spark(
    images: Sequence[str], out_folder: str, master: str | None, conf: dict[str, str], quiet: bool, **options: Any
) -> None:
    """Explain IMAGES by the network MODEL on a cluster, and write a row for each map to the Parquet files of OUT.

    IMAGES are folders, files or patterns that every executor can read: hdfs://, s3a://, gs://, or local paths on a
    shared disk. OUT is a new folder, of the same kinds. MODEL is a path of this machine, as in `gradcam-tf1 run`.

    `gradcam-tf1 report OUT` and `gradcam-tf1 evaluate OUT` read the rows.
    """
    run = RunOptions(**{name: options.pop(name) for name in _RUN})
    style, targets, score = make_style(options), make_targets(options), options.pop("score")
    methods, layers = make_methods(options), options["layers"] or None
    if split_feeds(options["feed"], None)[1]:
        raise OptionError("a cluster takes no inputs that come with each image; give their values once, with --feed")
    explain_options = make_explain_options(options)
    preset = make_preset(options)
    load_tensorflow()
    model, net_options = load_source(preset=preset, **options)
    from gradcam_tf1.spark.cluster_session import cluster_session

    with cluster_session(master, conf) as session:
        from gradcam_tf1.spark.explain_dataframe import explain_images
        from gradcam_tf1.spark.image_files_frame import read_images
        from gradcam_tf1.spark.written_rows import write_rows

        explained = explain_images(
            read_images(session, images),
            model,
            targets,
            methods,
            layers,
            score=score,
            options=explain_options,
            style=style,
            run=run,
            **net_options,
        )
        counts = write_rows(explained, out_folder)
    if not quiet:
        say(f"{counted(counts.images)}, {counts.failed} failed, {counts.maps} maps; rows in {out_folder}")
    click.get_current_context().exit(1 if counts.failed else 0)
