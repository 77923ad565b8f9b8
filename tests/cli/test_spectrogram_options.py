"""`gradcam-tf1 run --figure spectrogram`: the axes from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from text_nets import of_spectrograms

from gradcam_tf1.cli import main
from gradcam_tf1.drawing.figure_kinds import FIGURES, find_kinds
from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.run_options import RunOptions

FIGURE = ("--figure", "spectrogram")
AXES = ("--sample-rate", "16000", "--hop", "800", "--frequency-scale", "mel-htk", "--low-frequencies", "left")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sound.pb").write_bytes(of_spectrograms().SerializeToString())
    (tmp_path / "spectra").mkdir()
    np.save(str(tmp_path / "spectra" / "bark.npy"), np.random.RandomState(0).randn(40, 16).astype(np.float32) * 20)
    return tmp_path


def run(*more):
    words = ["run", "sound.pb", "spectra", "--preset", "gray-raw", "--window", "none", "--out", "out", "-q", *more]
    return CliRunner().invoke(main, words)


def test_a_figure_and_what_the_run_says_of_it(desk):
    more = (*FIGURE, *AXES, "--frequencies", "125,7500")
    done = run(*more)
    assert done.exit_code == 0, done.output
    line = json.loads((desk / "out" / "manifest.jsonl").read_text().splitlines()[0])
    assert line["figures"] == {"spectrogram": "bark.npy.figure.spectrogram.png"}
    width, height = Image.open(desk / "out" / "bark.npy.figure.spectrogram.png").size
    assert (width, height) == (1260, round(140 * (0.85 + 2.5 * 2)))  # the spectrogram, and Grad-CAM on it
    told = json.loads((desk / "out" / "run.json").read_text())
    assert told["axes"] == {
        "sample_rate": 16000.0,
        "hop": 800.0,
        "scale": "mel-htk",
        "low_frequencies": "left",
        "frequencies": [125.0, 7500.0],
    }
    assert run(*more, "--resume").exit_code == 0
    assert "axes was" in run(*FIGURE, *AXES, "--resume").output
    assert run(*more, "--write-config", "a.yaml").exit_code == 0
    assert CliRunner().invoke(main, ["run", "--config", "a.yaml", "--out", "again"]).exit_code == 0
    assert json.loads((desk / "again" / "run.json").read_text())["axes"] == told["axes"]


REFUSED = [
    (FIGURE, "--figure spectrogram needs --sample-rate, --hop, --frequency-scale, --low-frequencies, too"),
    ((*FIGURE, *AXES[2:]), "--figure spectrogram needs --sample-rate, too: without them the axes would be guessed"),
    (("--hop", "3"), "--hop needs --sample-rate, --frequency-scale, --low-frequencies, too"),
    (AXES, "axes are those of the figure 'spectrogram': ask for it, too (--figure spectrogram)"),
    ((*FIGURE, *AXES, "--frequencies", "0,9000"), "within 0 to 8000 (half the sample rate), not 0 to 9000"),
]


@pytest.mark.parametrize(("more", "match"), REFUSED)
def test_what_is_refused(more, match, desk):
    done = run(*more)
    assert done.exit_code == 2, done.output
    assert match in done.output
    assert not (desk / "out").exists()


def test_in_python_too():
    with pytest.raises(OptionError, match=r"the figure 'spectrogram' needs axes=SpectrogramAxes"):
        RunOptions(figures="spectrogram")
    with pytest.raises(OptionError, match=r"axes are SpectrogramAxes\(...\), not 16000"):
        RunOptions(figures="spectrogram", axes=16000)
    assert find_kinds("methods") == [FIGURES["methods"]]
