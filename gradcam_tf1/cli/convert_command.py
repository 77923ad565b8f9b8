"""`gradcam-tf1 convert`: a model of any form as a frozen graph for TensorFlow 1.15."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from gradcam_tf1.cli.shared_options import load_source, model_options
from gradcam_tf1.cli.terminal import load_tensorflow, say, shown, warn
from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.manifest_lines import strict_json

if TYPE_CHECKING:
    from gradcam_tf1.conversion.convert_net import Converted


@click.command(short_help="Write any model as a frozen graph for TensorFlow 1.15.")
@model_options
@click.argument("out", type=click.Path())
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def convert(out: str, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Write MODEL as one frozen graph OUT.pb, which TensorFlow 1.15 and later load.

    MODEL is the same as for `gradcam-tf1 run`; also a SavedModel or Keras file of TensorFlow 2, if TensorFlow 2 runs
    this command. Ops that no output needs are left out. The file is read back, run on random inputs and kept only if
    its class scores equal those of MODEL.
    """
    if len(options["layers"]) > 1:
        raise OptionError("convert takes one --layer; the file holds all of them")
    load_tensorflow()
    from gradcam_tf1.conversion.convert_net import convert as convert_net

    source, arguments = load_source(**options)
    found = convert_net(source, out, tensors=arguments["tensors"], output=arguments["output"], overwrite=overwrite)
    if as_json:
        click.echo(strict_json(_report(found), indent=1))
    else:
        _show(found)


def _report(found: Converted) -> dict[str, Any]:
    from gradcam_tf1.binding.json_report import binding_report

    facts = {name: getattr(found, name) for name in ("path", "source", "kind", "size", "difference", "notes")}
    return {**facts, "next": _next(found), **binding_report(found.binding)}


def _show(found: Converted) -> None:
    binding = found.binding
    say(f"{shown(found.path)}: {found.size / 1e6:.1f} MB, from the {found.kind} {shown(found.source)}")
    for key in ("input", "logits", "probabilities", "layer"):
        say(f"  {key:<15}{shown(getattr(binding, key) or 'none')}")
    say(f"  {'checked':<15}read back and run on random inputs; its scores differ by {found.difference:.2g}")
    for note in found.notes:
        warn(note)
    say(f"\nnext: {_next(found)}")


def _next(found: Converted) -> str:
    """Return the command to go on with: an explanation, or the search for an unknown preprocessing."""
    binding = found.binding
    named = [part for key in found.named for part in (f"--{key}", getattr(binding, key))]
    if binding.token_ids:
        return _words("text", found.path, "TEXTS", "--vocab", "FILE", "--out", "out", *named)
    if binding.array_shape is None or binding.frame_order:
        if binding.preprocessing is None:
            return _words("presets", found.path, "IMAGES", *named)
        named += ["--preset", binding.preprocessing]
    return _words("run", found.path, "IMAGES", "--out", "out", *named)


def _words(*words: str) -> str:
    return " ".join(map(shlex.quote, ("gradcam-tf1", *words)))
