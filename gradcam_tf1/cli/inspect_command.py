"""`gradcam-tf1 inspect`: what is in a model."""

from __future__ import annotations

from typing import Any

import click

from gradcam_tf1.cli.describe import describe_all
from gradcam_tf1.cli.shared_options import model_options, open_net
from gradcam_tf1.errors import BindingError
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.run.settings import net_warnings
from gradcam_tf1.types import Candidates


@click.command(short_help="Show the input, the scores and the layers of a model.")
@model_options
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object on stdout, nothing else.")
def inspect(as_json: bool, **options: Any) -> None:
    """Show what is found in MODEL and why: input, logits, probabilities, layers, feeds, warnings.

    MODEL is what `gradcam-tf1 run` takes. What could be named instead is listed too, also where nothing can be decided
    (exit code 2).
    """
    from gradcam_tf1.binding import binding_report, find_candidates

    with open_net(**options) as net:
        found = find_candidates(net.graph)  # before it is bound: that adds ops of ours
        try:
            report = {**binding_report(net.binding), "warnings": net_warnings(net)}
        except BindingError as error:
            _show(net, {"error": str(error)}, found, as_json)
            raise
        _show(net, report, found, as_json)


def _show(net: Any, report: dict[str, Any], found: Candidates, as_json: bool) -> None:
    from gradcam_tf1.binding import candidates_report

    if not as_json:
        describe_all(net, found, bound="error" not in report)
        return
    start = {"model": net.model.source, "kind": net.model.kind}
    click.echo(strict_json({**start, **report, "candidates": candidates_report(found)}, indent=1))
