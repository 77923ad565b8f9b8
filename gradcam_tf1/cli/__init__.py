"""The command line: `gradcam-tf1 run`, `report` and the other subcommands.

In: arguments of a shell.
Out: calls of GradCamGraph, text on stdout and stderr, and an exit code.
Never: an import of TensorFlow before a command runs, a traceback for a mistake of the user.
"""

from __future__ import annotations

import difflib
import os
from typing import Any

import click

from gradcam_tf1._version import __version__
from gradcam_tf1.cli.compare_command import compare
from gradcam_tf1.cli.concepts_command import concepts
from gradcam_tf1.cli.convert_command import convert
from gradcam_tf1.cli.demo_command import demo
from gradcam_tf1.cli.doctor_command import doctor
from gradcam_tf1.cli.evaluate_command import evaluate
from gradcam_tf1.cli.export_command import export
from gradcam_tf1.cli.features_command import features
from gradcam_tf1.cli.inspect_command import inspect
from gradcam_tf1.cli.presets_command import presets
from gradcam_tf1.cli.progress import STOPPED
from gradcam_tf1.cli.report_command import report
from gradcam_tf1.cli.run_command import run
from gradcam_tf1.cli.sanity_command import sanity
from gradcam_tf1.cli.serve_command import serve
from gradcam_tf1.cli.spark_command import spark
from gradcam_tf1.cli.strategies_command import strategies
from gradcam_tf1.cli.terminal import hold_back_log, say, shown
from gradcam_tf1.cli.text_command import text
from gradcam_tf1.errors import GradCamError, StoppedError


class _Failure(click.ClickException):
    """An error that the user can mend: printed as one clear line, without a traceback."""

    exit_code = 2

    def format_message(self) -> str:
        return shown(self.message, multiline=True)


class _Stop(_Failure):
    """A run that ended at a failed image, as requested."""

    exit_code = 1


class _Group(click.Group):
    """Prints the toolkit's own errors as messages; any other error is a bug and keeps its traceback."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command if there is none of this name; click does so from 8.3 on."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            near = difflib.get_close_matches(args[0], known, 1)
            about = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise click.UsageError(f"no command {args[0]!r}; {about}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        hold_back_log()
        if os.environ.get("NO_COLOR"):  # see no-color.org
            ctx.color = False
        try:
            return super().invoke(ctx)
        except GradCamError as error:
            failure = _Stop if isinstance(error, StoppedError) else _Failure
            raise failure(str(error)) from error
        except KeyboardInterrupt:  # before the command hears Ctrl-C, and the second one
            say("stopped", err=True)
            ctx.exit(STOPPED)
        except OSError as error:
            if error.filename is None:
                raise
            raise _Failure(f"{error.strerror}: {str(error.filename)!r}") from error


@click.group(
    "gradcam-tf1", cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="gradcam-tf1")
def main() -> None:
    """Where did the network look? Grad-CAM and its relatives for any TensorFlow 1 model.

    \b
      gradcam-tf1 demo                                       try it on a built-in net
      gradcam-tf1 inspect model.pb                           show inputs, scores and layers of a model
      gradcam-tf1 doctor model.pb photos/                    show what works, and what to type next
      gradcam-tf1 presets model.pb photos/                   find the preprocessing of a model
      gradcam-tf1 run model.pb photos/ --out out/ --preset inception
      gradcam-tf1 report out/                                look at the results in a browser
      gradcam-tf1 strategies out/                            what each class looks at, and what is suspect
      gradcam-tf1 concepts model.pb photos/                  the parts that its features are made of
      gradcam-tf1 features model.pb --class 24 --out seen/   draw what a class or a channel sees
      gradcam-tf1 evaluate model.pb photos/                  measure how far the maps can be trusted
      gradcam-tf1 sanity model.pb photos/                    do the maps depend on the weights?
      gradcam-tf1 serve model.pb --preset inception          explain images in a browser
      gradcam-tf1 compare old.pb new/ photos/                do two models look at the same place?
      gradcam-tf1 spark model.pb hdfs:///photos hdfs:///out  explain images on a cluster
      gradcam-tf1 export model.pb --out served/1 --preset inception   a model that explains itself
      gradcam-tf1 convert net.h5 net.pb                      write any model as a frozen graph

    Exit codes: 0 success; 1 some images failed, a requested method was left out, or compared models differ; 2 the
    model or an option is wrong, or the output cannot be written; 130 stopped by Ctrl-C.
    """  # noqa: D301 - click wants the backspace character itself


main.add_command(run)
main.add_command(report)
main.add_command(strategies)
main.add_command(concepts)
main.add_command(features)
main.add_command(evaluate)
main.add_command(sanity)
main.add_command(inspect)
main.add_command(presets)
main.add_command(doctor)
main.add_command(serve)
main.add_command(compare)
main.add_command(text)
main.add_command(spark)
main.add_command(export)
main.add_command(convert)
main.add_command(demo)
