"""`gradcam-tf1 export`: what it writes and says, and what it refuses."""

from __future__ import annotations

import json

from click.testing import CliRunner

from gradcam_tf1.cli import main
from gradcam_tf1.cli.export_command import FORMATS, STYLES
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.engine.overlay_ops import check_symbolic
from gradcam_tf1.errors import OptionError
from gradcam_tf1.export.formats import FORMATS as ROWS
from gradcam_tf1.nets.demo import demo_model


def export(*words):
    return CliRunner().invoke(main, ["export", demo_model(), *words])


def test_the_choices_are_those_of_the_program():
    assert tuple(ROWS) == FORMATS
    for name in ("overlay", "blend", "contour", "mask-only", "gray-background"):
        try:
            check_symbolic(Style(style=name))
        except OptionError:
            assert name not in STYLES
        else:
            assert name in STYLES


def test_it_says_what_the_model_takes_and_returns(tmp_path):
    out = str(tmp_path / "out")
    done = export("--out", out, "--preset", "inception", "--method", "finercam", "--set", "finercam.rivals=2")
    assert done.exit_code == 0, done.output
    assert "takes    images           float32  [N, 96, 128, 3]        images:0" in done.output
    assert "returns  overlay          uint8    [N, 96, 128, 3]" in done.output
    assert "on random images it equals the net to" in done.output
    facts = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (facts["method"], facts["options"], facts["files"]) == ("finercam", {"rivals": "2"}, ["saved_model.pb"])
    assert export("--out", out, "--preset", "inception", "--format", "frozen", "--input-bytes", "-q").output == ""
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["export.json", "model.pb"]


def test_mistakes_are_one_line(tmp_path):
    out = str(tmp_path / "out")
    for words, message in (
        (("--method", "rise"), "rise is not made of ops of the graph alone"),
        (("--layer", "-1", "--layer", "-2"), "an exported model has one layer"),
        (("--set", "finercam.rivals=2"), "--set finercam: the method is gradcam; add --method finercam"),
        (("--input-bytes",), "name the preset of its images, preset=... (--preset)"),
        (("--preset", "inception", "--input-bytes", "--fit", "short-side"), "fit 'short-side' makes another size of"),
    ):
        done = export("--out", out, *words)
        assert done.exit_code == 2, done.output
        assert message in done.output
        assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()
