"""`gradcam-tf1 inspect`: show the key tensors of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gradcam_tf1.cli.describe import describe_all
from gradcam_tf1.cli.shared_options import model_options, open_net
from gradcam_tf1.errors import BindingError
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.run.settings import net_warnings

if TYPE_CHECKING:
    from gradcam_tf1.binding.candidates import Candidates
    from gradcam_tf1.graph import GradCamGraph


@click.command(short_help="Show the inputs, scores and layers of a model.")
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def inspect(as_json: bool, **options: Any) -> None:
    """Show the input, logits, probabilities, layers and feeds of MODEL, and why each was chosen.

    MODEL is the same as for `gradcam-tf1 run`. Other candidates are listed too, also if no choice is possible (exit
    code 2).
    """
    from gradcam_tf1.binding.candidates import find_candidates
    from gradcam_tf1.binding.json_report import binding_report

    with open_net(**options) as net:
        candidates = find_candidates(net.graph)  # before binding, which adds ops of this toolkit
        try:
            report = {**binding_report(net.binding), "warnings": net_warnings(net)}
        except BindingError as error:
            _show(net, {"error": str(error)}, candidates, as_json)
            raise
        _show(net, report, candidates, as_json)


def _show(net: GradCamGraph, report: dict[str, Any], candidates: Candidates, as_json: bool) -> None:
    from gradcam_tf1.binding.json_report import candidates_report

    if not as_json:
        describe_all(net, candidates, bound="error" not in report)
        return
    start = {"model": net.model.source, "kind": net.model.kind}
    click.echo(strict_json({**start, **report, "candidates": candidates_report(candidates)}, indent=1))
