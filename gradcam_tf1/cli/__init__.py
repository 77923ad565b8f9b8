"""The command line: `gradcam-tf1 run`, `inspect`, `demo`. Nothing here imports TensorFlow before a command runs."""

from __future__ import annotations

from typing import Any

import click

from gradcam_tf1._version import __version__
from gradcam_tf1.cli.demo_command import demo
from gradcam_tf1.cli.inspect_command import inspect
from gradcam_tf1.cli.run_command import run
from gradcam_tf1.cli.terminal import shown
from gradcam_tf1.errors import GradCamError, StoppedError


class _Failure(click.ClickException):
    """An error of the user's making: one clear line, no traceback."""

    exit_code = 2

    def format_message(self) -> str:
        return shown(self.message, multiline=True)


class _Group(click.Group):
    """Turns what the toolkit raises on purpose into messages; anything else is a bug and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GradCamError as error:
            failure = _Failure(str(error))
            failure.exit_code = 1 if isinstance(error, StoppedError) else 2
            raise failure from error
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
      gradcam-tf1 demo                                       see it work, in seconds
      gradcam-tf1 inspect model.pb                           what is in a model
      gradcam-tf1 run model.pb photos/ --out out/ --preset inception

    Exit codes: 0 all went well; 1 some images failed, or a method that was asked for was left out; 2 the model or
    an option is wrong, or nothing can be written; 130 stopped by Ctrl-C.
    """  # noqa: D301 - click wants the backspace character itself


main.add_command(run)
main.add_command(inspect)
main.add_command(demo)
