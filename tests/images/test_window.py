"""Windows of a run: measured values of every kind of file become the same pixels. The net shows what went in."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from command_line import command, manifest
from image_files import quarters
from PIL import Image

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.window import Window, make_window
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.tf_runtime import tf

SIDE = 12
VALUES = np.full((SIDE, SIDE), 300.0)
VALUES[1:5, 1:5], VALUES[7:11, 7:11] = 3000, -800


def net_of(path, channels=1):
    """The score of class 0 is the mean of what goes in."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, SIDE, SIDE, channels], "x")
        seen = tf.nn.relu(tf.nn.conv2d(x, tf.ones([1, 1, channels, 2]), 1, "SAME"), name="seen")
        tf.matmul(tf.reduce_mean(seen, [1, 2]), tf.eye(2) / channels, name="logits")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return str(path)


def write(folder):
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", VALUES.astype(np.int16))
    tifffile.imwrite(folder / "b.tif", VALUES.astype(np.float32))
    tifffile.imwrite(folder / "c.tif", VALUES, compression="zlib", planarconfig="contig")
    np.save(folder / "d.npy", VALUES.astype(np.int32))
    np.save(folder / "e.npy", np.asfortranarray(VALUES))
    np.save(folder / "f.npy", np.repeat(VALUES[..., np.newaxis], 3, axis=2).astype(">f4"))
    (folder / "g.pfm").write_bytes(b"Pf\n%d %d\n-1\n" % (SIDE, SIDE) + VALUES[::-1].astype("<f4").tobytes())
    return folder


def test_every_kind_of_file_gives_the_same_pixels(tmp_path):
    photos, model = write(tmp_path / "photos"), net_of(tmp_path / "net.pb")
    run = ("run", model, photos, "--preset", "gray-zero-one", "--class", 0, "--method", "gradcam")
    told = command(*run, "--out", tmp_path / "without", code=1)
    assert told.count("--window LOW,HIGH") == 7
    command(*run, "--out", tmp_path / "out", "--window", "-1000,3000")
    shown = np.rint((VALUES + 1000) / 4000 * 255)
    lines = manifest(tmp_path / "out")
    assert len(lines) == 7
    for line in lines:
        assert line["targets"][0]["score"] == pytest.approx(shown.mean() / 255, rel=1e-5)
    with GradCamGraph(model, preset="gray-zero-one") as net:
        results = net.visualize_imgs(
            str(photos), str(tmp_path / "again"), targets=0, run=RunOptions(window=(-1000, 3000))
        )
        assert [result.targets[0].score for result in results] == [line["targets"][0]["score"] for line in lines]
        with pytest.raises(OptionError, match="window was .*, now it is"):
            net.visualize_imgs(
                str(photos), str(tmp_path / "again"), targets=0, run=RunOptions(window=(0, 9), resume=True)
            )


def test_values_as_they_are_stored(tmp_path):
    photos, model = write(tmp_path / "photos"), net_of(tmp_path / "net.pb")
    options = ("--preset", "gray-raw", "--class", 0, "--method", "gradcam", "--alpha", 0)
    command("run", model, photos, "--out", tmp_path / "out", "--window", "none", *options)
    for line in manifest(tmp_path / "out"):
        assert line["targets"][0]["score"] == pytest.approx(np.maximum(VALUES, 0).mean(), rel=1e-5)
        assert line["size"] == [SIDE, SIDE]


def test_bands_through_a_window_are_not_rounded(tmp_path):
    state = np.random.default_rng(0)
    values = state.uniform(-1, 1, (SIDE, SIDE, 5))
    np.save(tmp_path / "a.npy", values)
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.float32), planarconfig="contig", photometric="minisblack")
    for name in ("a.npy", "a.tif"):
        read = read_image(str(tmp_path / name), channels=5, window=Window(low=-0.5, high=1))
        assert read.dtype == np.float32
        np.testing.assert_allclose(read, ((values + 0.5) / 1.5 * 255).clip(0, 255), rtol=1e-4, atol=1e-4)
        stored = read_image(str(tmp_path / name), channels=5, window=Window(stored=True))
        np.testing.assert_allclose(stored, values, rtol=1e-6)
    tifffile.imwrite(tmp_path / "b.tif", (values * 0 + 1000).astype(np.uint16), planarconfig="contig")
    np.testing.assert_allclose(read_image(str(tmp_path / "b.tif"), channels=5), np.float32(1000 / 257), rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones((4, 4, 3)), "holds float64 from 1 to 1, not pixels of 0..255; say what is black and white, --window"),
        (np.linspace(0, 1, 48).reshape(4, 4, 3), "holds float64 from 0 to 1, not pixels"),
        (np.full((4, 4), -1, np.int16), "holds int16 from -1 to -1, not pixels"),
        (np.full((4, 4), 256, np.uint16), "holds uint16 from 256 to 256"),
        (np.array([[np.nan, 9.0]]), "holds NaN or infinite values"),
        (np.zeros((4, 4), complex), "is an array complex128 .*; an image is"),
        (np.zeros((4, 4), bool), r"is an array bool \[4, 4\]; an image is"),
        (np.zeros((2, 4, 4, 3)), r"is an array float64 \[2, 4, 4, 3\]; an image is"),
        (np.zeros((0, 4)), r"is an array float64 \[0, 4\]; an image is"),
        (np.zeros((4, 4), "f4,f4"), "is an array .*; an image is"),
        (np.array([["a"]]), "is an array <U1"),
        (np.array([[print]], object), r"is an array (object|\|O) \[1, 1\]; an image is"),
    ],
)
def test_arrays_that_are_no_images(tmp_path, values, reason):
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(ImageFileError, match=reason):
        read_image(str(tmp_path / "a.npy"))


def test_arrays_of_pixels(tmp_path):
    photo = quarters()
    for values in (photo, photo.astype(np.float32), photo.astype(np.int64), np.asfortranarray(photo)):
        np.save(tmp_path / "a.npy", values)
        np.testing.assert_array_equal(read_image(str(tmp_path / "a.npy")), photo)


def test_damaged_arrays(tmp_path):
    stream = io.BytesIO()
    np.save(stream, quarters())
    data = stream.getvalue()
    for content, reason in (
        (data[:-1], "cut off: it ends 1 bytes too early"),
        (data[:7] + b"\x07" + data[8:], "cannot be decoded|of a kind that is not supported"),
        (data[:6] + b"\3\0" + data[8:], "of a kind that is not supported"),
        (b"\x93NUMPY\1\0\xff\xff" + b"(" * 65_535, "of a kind that is not supported"),
        (data.replace(b"(16, 24, 3)", b"(1<<9, 9,9)"), "cannot be decoded"),
        (data.replace(b"(16, 24, 3), }", b"(99999, 99999), }"[:14]), "cannot be decoded|pixels"),
    ):
        (tmp_path / "a.npy").write_bytes(content)
        with pytest.raises(ImageFileError, match=reason):
            read_image(str(tmp_path / "a.npy"))


def test_what_a_window_may_be(tmp_path):
    assert make_window(None) == Window()
    assert make_window(["-1e3", "3000"]) == make_window((-1000, 3000)) == Window(low=-1000.0, high=3000.0)
    assert make_window("none") == Window(stored=True)
    for given, reason in (
        ((3, 3), "goes from LOW to a greater HIGH, not from 3 to 3"),
        ((0, float("inf")), "goes from LOW to a greater HIGH"),
        ((float("nan"), 1), "goes from LOW to a greater HIGH"),
        ((1, 2, 3), "two numbers, low and high, or 'none'"),
        ("all", "two numbers, low and high, or 'none'"),
        (5, "two numbers, low and high, or 'none'"),
    ):
        with pytest.raises(OptionError, match=reason):
            make_window(given)
    with pytest.raises(OptionError, match="a low and a high end; one of them alone"):
        Window(low=3)
    with pytest.raises(OptionError, match="a centre and a width, or its two ends, or none; give one"):
        Window(low=3, high=4, stored=True)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for given in ("5", "a,b", "9,3"):
        told = command("run", net_of(tmp_path / "net.pb"), tmp_path, "--out", tmp_path / "o", "--window", given, code=2)
        assert "write LOW,HIGH or none" in told


def test_an_image_that_lies_outside_of_the_window_is_refused_not_white(tmp_path):
    Image.fromarray((np.arange(SIDE * SIDE).reshape(SIDE, SIDE) * 400).astype(np.uint16)).save(tmp_path / "g.png")
    with pytest.raises(ImageFileError, match=r"values from 0 to 57200, of which 0.69% lie in the window from 1 to 401"):
        read_image(str(tmp_path / "g.png"), window=Window(low=1, high=401))
    assert read_image(str(tmp_path / "g.png"), window=Window(low=0, high=40000)).max() == 255
