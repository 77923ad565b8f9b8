"""The whole check on the demo net: what the literature shows, the report, the files and the command."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from weight_nets import SIZE, conv, dense, made

from gradcam_tf1 import ExplainOptions, GradCamGraph, ImageFileError, OptionError, SanityOptions, load, sanity_check
from gradcam_tf1.cli import main
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.sanity.described_maps import measures_of
from gradcam_tf1.tf_runtime import tf

SCENES = [scene.path for scene in demo_scenes()[:4]]
DEMO = str(Path(SCENES[0]).parent.parent / "demo_net.pb")


@pytest.fixture(scope="module")
def written(net, tmp_path_factory):
    """(report, its folder): three methods on four scenes, one file that is no image."""
    folder = tmp_path_factory.mktemp("sanity")
    bad = folder / "bad.png"
    bad.write_bytes(b"no image")
    seen = []
    options = SanityOptions(
        modes="cascade", blocks=4, similarities="ssim", progress=lambda name, total: seen.append((name, total))
    )
    methods = ["gradcam", "gradient", "guided_backprop"]
    out = folder / "out"
    report = sanity_check(net, [*SCENES, str(bad)], None, methods, None, str(out), options=options)
    assert len(seen) == 8
    assert seen[-1] == ("cascade: conv1/Conv2D", 8)
    return report, out


def test_what_the_literature_shows(written):
    verdicts = {each.method: each.verdict for each in written[0].verdicts}
    assert verdicts == {
        "gradcam": "changes",
        "gradient": "changes",
        "guided_backprop": "hardly changes",
        "edges": "hardly changes",
    }


def test_the_report_has_everything(written):
    report, _ = written
    assert (report.ok, len(report.images), len(report.failed)) == (True, 4, 1)
    assert [len(block) for block in report.layers] == [2, 2, 1, 1]
    assert report.layers[0] == ("logits/MatMul", "conv5/Conv2D")
    states = {(check.check, check.method): check.state for check in report.checks}
    assert states["repeat", "gradcam"] == states["session", "gradient"] == states["batch", "gradcam"] == "holds"
    assert states["shift", "gradient"] == "not checked"
    assert set(report.steps[0].similarity["gradient"]) == set(measures_of(["spearman", "ssim"]))
    assert report.settings["draw"] == "normal"


def test_classes_are_those_of_the_intact_net(written, net):
    assert written[0].classes == tuple(net.explain(SCENES).predicted)


def test_the_files(written):
    report, out = written
    found = json.loads((out / "sanity.json").read_text())
    assert found["ok"] is True
    assert found["verdicts"][2]["verdict"] == "hardly changes"
    assert found["steps"][0]["similarity"]["gradcam"]["ssim absolute"]["n"] == 4
    page = (out / "sanity.html").read_text()
    assert page.count("<img") >= 3 * 6
    assert "guided_backprop hardly changes with the weights" in page
    assert sorted(path.name for path in out.iterdir()) == ["sanity.html", "sanity.json"]
    assert report.strips["gradcam"][0].shape == (96, 128)


def test_the_class_can_be_chosen(net):
    options = SanityOptions(modes="independent", blocks=1, checks=())
    report = sanity_check(net, SCENES[:2], "star", "gradcam", options=options)
    assert report.classes == (net.labels.names.index("star"),) * 2
    assert report.verdicts == report.checks == ()
    assert [step.mode for step in report.steps] == ["independent"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": "sideways"}, "modes are names of cascade, independent, not 'sideways'"),
        ({"draw": "ones"}, "draw is normal or permute, not 'ones'"),
        ({"blocks": 0}, "blocks is at least 1, not 0"),
        ({"blocks": 2.5}, "blocks is a whole number, not 2.5"),
        ({"seed": -1}, "seed is at least 0 and at most 4294967295, not -1"),
        ({"checks": ["repeat", "guess"]}, "checks are names of repeat, session, batch, shift"),
        ({"tolerance": 1}, "tolerance is a number from 0 and below 1, not 1"),
        ({"progress": 3}, "progress is a function of a name and a number, not 3"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        SanityOptions(**options)


def test_what_is_refused(net, tmp_path):
    with pytest.raises(OptionError, match=r"options is None; give options=SanityOptions\(...\)"):
        sanity_check(net, SCENES, options=None)
    with pytest.raises(OptionError, match=r"explain is 1; give explain=ExplainOptions\(...\)"):
        sanity_check(net, SCENES, explain=1)
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(ImageFileError, match=r"bad\.png"):
        sanity_check(net, str(tmp_path))


def test_a_net_without_weights_is_refused():
    def build(x):
        return tf.reduce_sum(tf.identity(x * x, name="features"), [1, 2])

    match = "no weights were found between the input and the class scores"
    model = load(made(build))
    with GradCamGraph(model, input="x", logits="logits", layer="features", preset="raw") as net:  # noqa: SIM117
        with pytest.raises(OptionError, match=match):
            sanity_check(net, SCENES, methods="gradient")


def test_the_command(tmp_path):
    words = ["sanity", DEMO, *SCENES[:3], "--preset", "inception", "--mode", "cascade", "--blocks", "2"]
    words += ["--method", "gradcam,guided_backprop", "--check", "repeat", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    row = next(line for line in lines if line.startswith("guided_backprop "))
    assert row.split()[1:3] == ["hardly", "changes"]
    assert any(line.startswith("edges (floor)") for line in lines)
    assert any(line.startswith("repeat: the same images again  holds") for line in lines)
    assert (tmp_path / "out" / "sanity.html").is_file()


def test_the_command_fails_if_a_check_does(tmp_path):
    def build(x):
        y = conv(x / 255.0, "one", 4)
        return dense(conv(y * tf.random_uniform(tf.shape(y)), "two", 5))

    path = tmp_path / "random.pb"
    path.write_bytes(made(build).SerializeToString())
    np.save(tmp_path / "image.npy", np.random.RandomState(0).randint(0, 255, (*SIZE, 3)).astype(np.uint8))
    words = ["sanity", str(path), SCENES[0], "--preset", "raw", "--input", "x", "--logits", "logits", "--quiet"]
    result = CliRunner().invoke(main, [*words, "--method", "gradient", "--check", "repeat", "--blocks", "1"])
    assert result.exit_code == 1, result.output
    assert "The same images do not give the same maps (repeat): gradient." in result.output


def test_what_the_command_refuses():
    words = ["sanity", DEMO, SCENES[0], "--preset", "inception"]
    result = CliRunner().invoke(main, [*words, "--set", "rise.masks=5"])
    assert result.exit_code == 2
    assert "--set rise: 'rise' is not among the methods; add --method rise" in result.output
    result = CliRunner().invoke(main, [*words, "--feed-file", "values.csv"])
    assert "sanity feeds one value for all images; give it with --feed NAME=VALUE" in result.output


def test_noise_and_other_options_reach_the_methods(net):
    options = SanityOptions(modes=(), checks="repeat")
    report = sanity_check(
        net, SCENES[:1], None, "gradient", explain=ExplainOptions(noise="smoothgrad"), options=options
    )
    assert [check.state for check in report.checks] == ["holds"]
    assert report.steps == ()


def test_one_step_for_all_layers_decides_nothing(net):
    """Edges that the first layers find are gone then, so that guided backprop would seem to show the net."""
    report = sanity_check(
        net, SCENES, None, "guided_backprop", options=SanityOptions(modes="cascade", blocks=1, checks=())
    )
    assert [each.verdict for each in report.verdicts] == ["undecided", "hardly changes"]
    assert "give two steps or more (--blocks)" in report.verdicts[0].reason


def test_ctrl_c_ends_with_130_and_writes_nothing(tmp_path, monkeypatch):
    from gradcam_tf1.sanity import sanity_check as module

    def interrupted(*_):
        os.kill(os.getpid(), signal.SIGINT)
        yield from randomise(*_)

    randomise = module.randomise
    monkeypatch.setattr(module, "randomise", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # behind a shell's & it would be ignored
    out = tmp_path / "out"
    told = ["sanity", DEMO, *SCENES[:2], "--preset", "inception", "--method", "gradcam", "--mode", "cascade"]
    try:
        found = CliRunner().invoke(main, [*told, "--check", "repeat", "--out", str(out)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert found.exit_code == 130, found.output
    assert "stopping after this step" in found.output
    assert "stopped; nothing was written" in found.output
    assert not out.exists()
