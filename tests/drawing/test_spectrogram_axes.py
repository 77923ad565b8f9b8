"""The axes of spectrograms against TensorFlow's own filters, librosa's table and a tone that lies where it sounds."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.drawing.spectrogram_axes import SpectrogramAxes, frequency_ticks, upright
from gradcam_tf1.drawing.spectrogram_figures import _draw, spectrogram_figure, spectrogram_maps_figure
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

# of librosa.mel_frequencies(n_mels=40), from its documentation: 0 Hz, these, and 11025 Hz
LIBROSA = {0: 85.317, 1: 170.635, 10: 938.49, 11: 1024.856, 12: 1119.114, 36: 9246.028, 37: 10096.408}


def axes(scale="linear", low_frequencies="left", frequencies=None, sample_rate=16000, hop=160):
    return SpectrogramAxes(sample_rate, hop, scale, low_frequencies, frequencies)


def test_the_mel_of_htk_is_that_of_the_filters_of_tensorflow():
    bins = 8001  # 1 Hz each
    with tf.Graph().as_default(), tf.Session() as session:
        filters = session.run(tf.signal.linear_to_mel_weight_matrix(20, bins, 16000, 125.0, 7500.0))
    found = axes("mel-htk", frequencies=(125, 7500)).rows(20)
    np.testing.assert_allclose(found, filters.argmax(axis=0), atol=1.0)
    # 1000 Hz are 2595 log10(1 + 1000 / 700) = 999.99 mel; half of them are 700 (sqrt(1 + 1000 / 700) - 1) Hz
    np.testing.assert_allclose(axes("mel-htk", frequencies=(0, 1000)).rows(1), [390.871], atol=0.001)


def test_the_mel_of_slaney_is_that_of_librosa():
    found = axes("mel-slaney", sample_rate=22050).rows(38)
    np.testing.assert_allclose(found[list(LIBROSA)], list(LIBROSA.values()), atol=6e-4)
    by_hand = axes("mel-slaney", frequencies=(0, 6400)).rows(41)  # 6400 Hz are 15 + 27 mel: each row is one mel
    np.testing.assert_allclose(by_hand[[0, 13, 14, 40]], [200 / 3, 2800 / 3, 1000, 1000 * 6.4 ** (26 / 27)])


def test_linear_rows_are_those_of_a_fourier_transform_and_log_ones_are_octaves():
    np.testing.assert_allclose(axes().rows(257), np.fft.rfftfreq(512, 1 / 16000))
    np.testing.assert_allclose(axes("log", frequencies=(110, 1760)).rows(5), [110, 220, 440, 880, 1760])
    assert axes().seconds(300) == 3.0
    np.testing.assert_allclose(axes().rows(1), [4000])


def test_round_frequencies_lie_between_the_rows_that_they_are_between():
    linear = frequency_ticks(axes().rows(257))
    assert [text for _, text in linear] == ["0", "2,000", "4,000", "6,000", "8,000"]
    np.testing.assert_allclose([place for place, _ in linear], [0, 64, 128, 192, 256])
    octaves = frequency_ticks(axes("log", frequencies=(100, 6400)).rows(7))
    assert [text for _, text in octaves] == ["100", "200", "500", "1,000", "2,000", "5,000"]
    np.testing.assert_allclose(octaves[2][0], 2 + (500 - 400) / 400)  # between the rows of 400 and 800 Hz
    mel = {text: place for place, text in frequency_ticks(axes("mel-slaney", frequencies=(0, 6400)).rows(41))}
    assert mel["1,000"] == pytest.approx(14)  # each row is one mel
    assert mel["5,000"] == pytest.approx(14 + 27 * np.log(5) / np.log(6.4), abs=0.03)
    short = frequency_ticks(axes("mel-htk", frequencies=(1000, 1800)).rows(30))
    assert [text for _, text in short] == ["1,200", "1,400", "1,600"]
    small = frequency_ticks(np.linspace(0, 0.75, 16))
    assert [text for _, text in small] == ["0", "0.2", "0.4", "0.6"]
    np.testing.assert_allclose([place for place, _ in small], [0, 4, 8, 12])
    both = frequency_ticks(np.linspace(-40, 40, 9))  # of a spectrum with both sides
    assert both == [(0.0, "-40"), (2.0, "-20"), (4.0, "0"), (6.0, "20"), (8.0, "40")]
    assert len(frequency_ticks(-np.geomspace(100, 10, 9))) > 3


def tone_net(sides):
    """The class is the mean energy of spectrograms, so that the map is where the energy is."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, *sides, 1], name="x")
        features = tf.nn.relu(tf.nn.conv2d(x, tf.ones([1, 1, 1, 1]), [1, 1, 1, 1], "SAME"), name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), tf.constant([[1.0, -1.0]]), name="logits")
    return GradCamGraph(graph.as_graph_def(), preset="gray-raw")


STORED = {
    "left": lambda upward: upward.T,
    "right": lambda upward: upward[::-1].T,
    "top": lambda upward: upward,
    "bottom": lambda upward: upward[::-1],
}


@pytest.mark.parametrize("side", STORED)
def test_a_tone_lies_at_its_time_and_frequency_however_it_is_stored(side):
    upward = np.zeros((16, 40), np.float32)  # [F, T], the lowest row first
    upward[12:14, 4:10] = 200
    stored = STORED[side](upward)[..., np.newaxis]
    np.testing.assert_array_equal(upright(STORED[side](upward), side), upward[::-1])
    image = np.repeat(stored, 3, axis=2).astype(np.uint8)
    with tone_net(stored.shape[:2]) as net:
        found = net.explain(stored[np.newaxis], [0, 1], ["gradcam", "gradient_x_input"])
    figure = spectrogram_maps_figure(found, image, 0, Style(), axes(low_frequencies=side, hop=800))
    pictures = [each for each in figure.axes if each.get_ylabel() == "frequency in Hz"]
    gray, cam = (np.asarray(picture.images[0].get_array()) for picture in pictures[:2])
    np.testing.assert_array_equal(gray[..., 0], upward[::-1] / 200 * 255)
    red = (cam[..., 0].astype(int) - cam[..., 2]) > 60
    np.testing.assert_array_equal(red, upward[::-1] > 0)
    assert list(pictures[0].images[0].get_extent()) == [
        0,
        2.0,
        -0.5,
        15.5,
    ]  # 40 frames of 50 ms; row n has its middle at n
    assert pictures[0].images[0].origin == "upper"
    titles = [picture.get_title(loc="left") for picture in pictures]
    assert titles == [
        "",
        "gradcam, class 0, score 3.75",
        "gradient_x_input, class 0, score 3.75",
        "gradcam, class 1, score -3.75: no positive evidence",
        "gradient_x_input, class 1, score -3.75",
    ]


def test_frames_have_sharp_edges_and_long_sounds_keep_their_clicks():
    """Few frames beside many rows are not smeared; a click in one of 9800 frames is a tenth of a column."""
    from matplotlib.figure import Figure

    for frames, columns, level in ((12, 12, 250), (9800, 980, 25)):
        pixels = np.zeros((257, frames, 3), np.uint8)
        pixels[:, frames // 2] = 250
        picture = Figure().subplots()
        _draw(picture, pixels, 1.0, np.linspace(0, 8000, 257))
        (drawn,) = picture.images
        assert drawn.get_interpolation() == "nearest"
        assert np.asarray(drawn.get_array()).shape == (257, columns, 3)
        assert np.unique(drawn.get_array()).tolist() == [0, level]


def test_a_net_of_signals_has_maps_over_time(tmp_path):
    """The features of a convolution along time have no frequency: each frame has one colour."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 40, 16], name="x")
        features = tf.nn.relu(tf.nn.conv1d(x, tf.ones([1, 16, 2]), 1, "SAME"), name="features")
        tf.matmul(tf.reduce_mean(features, 1), tf.constant([[1.0, -1.0], [0.5, 1.0]]), name="logits")
    sound = np.zeros((1, 40, 16), np.float32)
    sound[0, 4:10, 12:15] = 2
    with GradCamGraph(graph.as_graph_def()) as net:
        found = net.explain(sound, 0, "gradcam")
    figure = spectrogram_maps_figure(found, np.zeros((40, 16, 3), np.uint8), 0, Style(), axes())
    cam = np.asarray(figure.axes[1].images[0].get_array())
    assert np.flatnonzero(cam.any(axis=(0, 2))).tolist() == [4, 5, 6, 7, 8, 9]
    spectrogram_figure(found, sound, 0, "gradcam", str(tmp_path / "a.png"), seconds=1, frequencies=np.arange(16))


WRONG = [
    ({"sample_rate": 0}, "sample_rate is a number above 0, not 0"),
    ({"hop": float("nan")}, "hop is a number above 0, not nan"),
    ({"hop": "160"}, "hop is a number above 0, not '160'"),
    ({"scale": "mel"}, "scale is one of linear, log, mel-htk, mel-slaney, not 'mel'"),
    ({"low_frequencies": "down"}, "low_frequencies is one of left, right, top, bottom, not 'down'"),
    ({"frequencies": (0, 9000)}, r"within 0 to 8000 \(half the sample rate\), not 0 to 9000"),
    ({"frequencies": (4000, 100)}, "from LOW to a greater HIGH"),
    ({"frequencies": (float("nan"), 100)}, "not nan to 100"),
    ({"frequencies": (100,)}, r"frequencies are two numbers, LOW and HIGH in Hz, not \(100,\)"),
    ({"frequencies": ("a", "b")}, "frequencies are two numbers"),
    ({"scale": "log"}, "a log scale has no 0 Hz; give the frequencies of the first and last row"),
]


@pytest.mark.parametrize(("fields", "match"), WRONG)
def test_what_is_no_axis_is_refused(fields, match):
    with pytest.raises(OptionError, match=match):
        axes(**fields)
