"""Figures of spectrograms: the sound's energy and the map lie at their time and frequency."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.drawing.spectrogram_figures import spectrogram_figure
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

FRAMES, ROWS = 40, 16
MEL = np.geomspace(100, 8000, ROWS)


def net():
    """Of spectrograms [N, T, F, 1]: the class is the mean energy, so that the map is where the energy is."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, FRAMES, ROWS, 1], name="x")
        features = tf.nn.relu(tf.nn.conv2d(x, tf.ones([1, 1, 1, 1]), [1, 1, 1, 1], "SAME"), name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), tf.constant([[1.0, -1.0]]), name="logits")
    return GradCamGraph(graph.as_graph_def(), preset="gray-raw")


@pytest.fixture(scope="module")
def explained():
    """A tone early and high: frames 4 to 9, rows 12 to 14."""
    sound = np.zeros((1, FRAMES, ROWS, 1), np.float32)
    sound[0, 4:10, 12:15] = 200
    with net() as opened:
        yield opened.explain(sound, 0, ["gradcam", "gradient_x_input"]), sound


def red(path):
    """Centre of the red pixels of the lower picture, as shares of the axes, from the left and from the bottom."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    top, bottom, left, right = int(0.5 * height), int(0.9 * height), int(0.1 * width), int(0.88 * width)
    lower = pixels[top:bottom, left:right]
    rows, columns = np.nonzero((lower[..., 0] > 150) & (lower[..., 1] < 110) & (lower[..., 2] < 110))
    assert len(rows) > 50
    return columns.mean() / (right - left), 1 - rows.mean() / (bottom - top)


@pytest.mark.parametrize("method", ["gradcam", "gradient_x_input"])
def test_time_goes_right_and_frequency_up(explained, method, tmp_path):
    found, sound = explained
    path = str(tmp_path / "a.png")
    spectrogram_figure(found, sound, 0, method, path, seconds=2.0, frequencies=MEL)
    across, up = red(path)
    assert abs(across - 7 / FRAMES) < 0.03
    assert abs(up - 13.5 / ROWS) < 0.06


def test_a_falling_order_of_frequencies(explained, tmp_path):
    found, sound = explained
    path = str(tmp_path / "a.png")
    spectrogram_figure(found, sound[..., 0], 0, "gradcam", path, seconds=2.0, frequencies=MEL[::-1])
    assert abs(red(path)[1] - (ROWS - 13.5) / ROWS) < 0.06


def test_axes_that_do_not_fit(explained, tmp_path):
    found, sound = explained
    path = str(tmp_path / "a.png")
    with pytest.raises(
        OptionError, match=r"15 frequencies for a spectrogram of \[40, 16\]; give one for each of its 16 rows$"
    ):
        spectrogram_figure(found, sound, 0, "gradcam", path, seconds=2.0, frequencies=MEL[1:])
    with pytest.raises(OptionError, match="its 40 rows, or time_first=True"):
        spectrogram_figure(found, sound, 0, "gradcam", path, seconds=2.0, frequencies=MEL, time_first=False)
    for seconds in (0, -1.0, np.nan, np.inf):
        with pytest.raises(
            OptionError, match="seconds is .*; give the length of the sound, frames . hop / sample rate"
        ):
            spectrogram_figure(found, sound, 0, "gradcam", path, seconds=seconds, frequencies=MEL)
    for wrong in (np.zeros(ROWS), [*MEL[:-1], np.nan]):
        with pytest.raises(OptionError, match="the frequencies neither rise nor fall; give that of each row"):
            spectrogram_figure(found, sound, 0, "gradcam", path, seconds=2.0, frequencies=wrong)
    with pytest.raises(OptionError, match="the frequencies are no numbers; give that of each row, in Hz"):
        spectrogram_figure(found, sound, 0, "gradcam", path, seconds=2.0, frequencies=["low"] * ROWS)
    with pytest.raises(OptionError, match=r"the map has shape \[40, 16\], not that of the spectrogram"):
        spectrogram_figure(found, sound[:, :20], 0, "gradcam", path, seconds=2.0, frequencies=MEL)
    assert not (tmp_path / "a.png").exists()
