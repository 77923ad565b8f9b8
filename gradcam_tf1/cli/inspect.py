"""`gradcam-tf1 inspect`: what is in a model."""

from __future__ import annotations

from typing import Any

import click

from gradcam_tf1.cli.describe import describe
from gradcam_tf1.cli.options import model_options, open_net
from gradcam_tf1.run.lines import strict_json
from gradcam_tf1.run.settings import net_warnings


@click.command(short_help="Show the input, the scores and the layers of a model.")
@model_options
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object on stdout, nothing else.")
def inspect(as_json: bool, **options: Any) -> None:
    """Show what is found in MODEL and why: input, logits, probabilities, layers, feeds, warnings.

    MODEL is what `gradcam-tf1 run` takes.
    """
    from gradcam_tf1.binding import binding_report

    with open_net(**options) as net:
        if not as_json:
            describe(net, layers=True)
            return
        report = {"model": net.model.source, "kind": net.model.kind, **binding_report(net.binding)}
        report["warnings"] = net_warnings(net)
        click.echo(strict_json(report, indent=1))
