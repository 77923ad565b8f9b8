"""Nets of 2, 4 and 6 channels: what files become, which maps, what is drawn. The nets are worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from command_line import command
from PIL import Image

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.bands import drawn
from gradcam_tf1.images.geometry import fit
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.preprocessing import find_preset
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.tf_runtime import tf

SIDE = 16


def net_of(channels, path=None, dtype=tf.float32, first=False, free=False):
    """Class k sees band k alone, by a 1x1 convolution: the Grad-CAM of class k is band k as it goes in, up to scale."""
    with tf.Graph().as_default() as graph:
        sides = [None, None] if free else [SIDE, SIDE]
        x = tf.placeholder(dtype, [None, channels, *sides] if first else [None, *sides, channels], "x")
        pixels = tf.transpose(x, [0, 2, 3, 1]) if first else x
        kernel = tf.constant(np.eye(channels, dtype=np.float32)[np.newaxis, np.newaxis])
        seen = tf.nn.relu(tf.nn.conv2d(tf.cast(pixels, tf.float32), kernel, 1, "SAME"), name="seen")
        tf.matmul(tf.reduce_mean(seen, [1, 2]), tf.eye(channels), name="logits")
    if path is not None:
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return graph.as_graph_def() if path is None else str(path)


def bands_of(channels, dtype=np.uint8):
    """Each band has its square in a place of its own."""
    values = np.full((SIDE, SIDE, channels), 10, dtype)
    for k in range(channels):
        values[2 * k : 2 * k + 4, 2 * k : 2 * k + 4, k] = 200
    return values


def write(folder, values):
    """The same in every kind of file that holds so many bands."""
    folder.mkdir()
    np.save(folder / "a.npy", values)
    for planar in ("contig", "separate"):
        stored = values if planar == "contig" else np.moveaxis(values, -1, 0).copy()
        tifffile.imwrite(folder / f"{planar}.tif", stored, photometric="minisblack", planarconfig=planar)
    if values.shape[2] in (2, 4):
        Image.fromarray(values, {2: "LA", 4: "RGBA"}[values.shape[2]]).save(folder / "a.png")
    return folder


@pytest.mark.parametrize("channels", [2, 4, 5, 6])
def test_the_maps_are_those_of_the_array(tmp_path, channels):
    values = bands_of(channels)
    photos = write(tmp_path / "photos", values)
    targets = list(range(channels))
    with GradCamGraph(net_of(channels, tmp_path / "net.pb"), preset="zero-one") as net:
        assert (net.binding.input, net.binding.channels, net.binding.layer) == ("x:0", channels, "seen:0")
        known = net.explain(values, targets, ["gradcam", "gradient"])
        floats = net.explain(values[np.newaxis].astype(np.float32), targets, ["gradcam", "gradient"])
        out = str(tmp_path / "out")
        results = net.visualize_imgs(
            str(photos), out, targets=targets, methods=["gradcam", "gradient"], style=Style(raw=True)
        )
    np.testing.assert_allclose(known["gradcam"][0], np.moveaxis(values, -1, 0) / (255.0 * SIDE**2), rtol=1e-5)
    np.testing.assert_allclose(floats["gradcam"], known["gradcam"], rtol=1e-5)
    for k in targets:
        band = np.zeros(channels)
        band[k] = 1 / SIDE**2
        np.testing.assert_allclose(known["gradient"][0, k], np.broadcast_to(band, (SIDE, SIDE, channels)), rtol=1e-5)
        np.testing.assert_allclose(
            floats.map("gradient", 0, k).placed(), known.map("gradient", 0, k).placed(), rtol=1e-5
        )
    assert len(results) == (4 if channels in (2, 4) else 3)
    for result in results:
        assert result.error == ""
        for t, target in enumerate(result.targets):
            for cam in target.maps:
                with np.load(cam.files["raw"]) as arrays:
                    np.testing.assert_allclose(arrays["map"], known[cam.method][0, t], rtol=1e-5)


def test_own_values_for_each_band(tmp_path):
    values = bands_of(4)
    mean, std = [1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 8.0, 16.0]
    model, photos = net_of(4, tmp_path / "net.pb"), write(tmp_path / "photos", values)
    command(
        *("run", model, photos, "--out", tmp_path / "out", "--class", 2),
        *("--mean", "1,2,3,4", "--std", "2,4,8,16"),
    )
    for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines():
        score = json.loads(line)["targets"][0]["score"]
        assert score == pytest.approx((values[..., 2].astype(float).mean() - mean[2]) / std[2], rel=1e-5)


def test_photographs_are_refused_one_by_one(tmp_path):
    photos = write(tmp_path / "photos", bands_of(4))
    Image.fromarray(bands_of(3)).save(photos / "b.jpg")
    Image.fromarray(bands_of(1)[..., 0]).save(photos / "c.png")
    np.save(photos / "d.npy", bands_of(6))
    with GradCamGraph(net_of(4, tmp_path / "net.pb"), preset="raw") as net:
        errors = {one.relative: one.error for one in net.visualize_imgs(str(photos), str(tmp_path / "out"))}
        with pytest.raises(OptionError, match=r"is uint8 \[16, 16, 3\]; expected an array \[H, W, 4\], as many"):
            net.explain(bands_of(3))
    assert [name for name, error in errors.items() if not error] == ["a.npy", "a.png", "contig.tif", "separate.tif"]
    for name, count in (("b.jpg", "3 channels"), ("c.png", "1 channel"), ("d.npy", "6 channels")):
        assert f"{name}' has {count}, but the net takes 4; give images of as many" in errors[name]


@pytest.mark.parametrize(
    ("bands", "shown"), [((), (0, 1, 2)), ((3, 2, 1), (2, 1, 0)), ((6, 4, 4), (5, 3, 3)), ((5,), (4, 4, 4))]
)
def test_the_bands_that_are_drawn(tmp_path, bands, shown):
    values = bands_of(6)
    np.save(tmp_path / "a.npy", values)
    with GradCamGraph(net_of(6, tmp_path / "net.pb"), preset="raw") as net:
        results = net.visualize_imgs(
            str(tmp_path / "a.npy"),
            str(tmp_path / "out"),
            methods=["gradcam", "gradient"],
            targets=5,
            style=Style(alpha=0.0, bands=bands),
        )
    files = {cam.method: cam.files for cam in results[0].targets[0].maps}
    np.testing.assert_array_equal(read_image(files["gradcam"]["overlay"]), values[..., list(shown)])
    saliency = read_image(files["gradient"]["pixels"])[0, 0]
    assert [value > 128 for value in saliency] == [k == 5 for k in shown]  # only the last band has a gradient


def test_a_band_that_there_is_not(tmp_path):
    np.save(tmp_path / "a.npy", bands_of(6))
    with GradCamGraph(net_of(6, tmp_path / "net.pb"), preset="raw") as net:
        result = net.visualize_imgs(str(tmp_path / "a.npy"), str(tmp_path / "out"), style=Style(bands=(7, 2, 1)))[0]
        assert "a.npy' has 6 bands, counted from 1; there is no band 7" in result.error
        for bands in ((0, 1, 2), (1, 2), (1.5, 2, 3), "rgb", (True, 2, 3)):
            with pytest.raises(OptionError, match="bands are one or three whole numbers, counted from 1"):
                net.visualize_imgs(str(tmp_path / "a.npy"), str(tmp_path / "out2"), style=Style(bands=bands))
    told = command("run", tmp_path / "net.pb", tmp_path / "a.npy", "--out", tmp_path / "o", "--bands", "0,1", code=2)
    assert "write one band, or three with commas, counted from 1" in told


def test_values_that_are_no_pixels_are_stretched_where_they_are_drawn():
    values = np.stack([np.linspace(-5, 5, 1001), np.linspace(0, 4000, 1001), np.zeros(1001)], axis=1)[np.newaxis]
    shown = drawn(values.astype(np.float32))
    assert shown[0, [0, 20, 500, 980, 1000]].tolist() == [[0, 0, 0]] * 2 + [[128, 128, 0]] + [[255, 255, 0]] * 2
    shares = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10, 1)
    np.testing.assert_array_equal(np.unique(drawn(shares))[[0, -1]], [0, 255])  # magnitudes 0..1, with window none
    np.testing.assert_array_equal(drawn((shares * 255).astype(np.float32)).ravel()[-1], 255)
    np.testing.assert_array_equal(drawn(np.zeros((2, 2, 1), np.float32)), np.zeros((2, 2, 3)))
    np.testing.assert_array_equal(drawn(np.full((2, 2, 4), 7.4, np.float32)), np.full((2, 2, 3), 7))


def test_three_of_many_bands_go_into_a_net_of_photographs(tmp_path):
    values = bands_of(6, np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig")
    with pytest.raises(Exception, match="has 6 bands, but the net takes photographs of three; .* --bands 3,2,1"):
        read_image(str(tmp_path / "a.tif"))
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.tif"), bands=(6, 1, 3)), bands_of(6)[..., [5, 0, 2]])


def test_paths_and_pil_images_are_read_as_the_net_takes_them(tmp_path):
    photos = write(tmp_path / "photos", bands_of(4))
    image = Image.fromarray(bands_of(4), "RGBA")
    with GradCamGraph(net_of(4, tmp_path / "net.pb"), preset="raw") as net:
        known = net.explain(bands_of(4), 3)["gradcam"]
        for given in (image, str(photos / "a.png"), photos / "a.npy", [photos / "separate.tif"]):
            np.testing.assert_allclose(net.explain(given, 3)["gradcam"], known, rtol=1e-5)
        with pytest.raises(ImageFileError, match="the PIL image' has 3 channels, but the net takes 4"):
            net.explain(image.convert("RGB"))


def test_floats_of_a_net_of_bands(tmp_path):
    values = np.random.default_rng(0).uniform(0, 1, (SIDE, SIDE, 4))
    graph = GradCamGraph(net_of(4, tmp_path / "net.pb"), preset="zero-one")
    with graph as net, pytest.raises(OptionError, match="but images are RGB 0..255: multiply it by 255"):
        net.explain(values)
    own = find_preset("custom", mean=[0, 0.5, 0, 0], std=[1, 2, 3, 4])
    with GradCamGraph(net_of(4, tmp_path / "net.pb"), preset=own) as net, pytest.warns(UserWarning, match="0..255"):
        found = net.explain(values, 3)
    np.testing.assert_allclose(found["gradcam"][0, 0], values[..., 3] / 4 / SIDE**2, rtol=1e-5)
    np.save(tmp_path / "a.npy", values)
    with GradCamGraph(net_of(4, tmp_path / "net.pb"), preset=own) as net:
        result = net.visualize_imgs(
            str(tmp_path / "a.npy"), str(tmp_path / "out"), targets=3, run=RunOptions(window="none")
        )[0]
    assert result.targets[0].score == pytest.approx(values[..., 3].mean() / 4, rel=1e-5)


def test_a_hook_gets_photographs_unless_it_says_how_many_bands(tmp_path):
    seen = []

    class Own(GradCamGraph):
        def preprocess(self, images):
            seen.append(images.shape[-1])
            return np.concatenate([images, images[..., :1]], axis=-1)[..., :4]

    class OfBands(Own):
        image_channels = 4

    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(bands_of(4), "RGBA").save(photos / "a.png")
    for kind, expected in ((Own, 3), (OfBands, 4)):
        seen.clear()
        with kind(net_of(4, tmp_path / "net.pb")) as net:
            results = net.visualize_imgs(str(photos), str(tmp_path / f"out{expected}"), methods="gradcam")
        assert ([result.error for result in results], set(seen)) == ([""], {expected})


def test_full_gradients_know_where_the_bands_are(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 6), dtype=np.uint8)
    maps = []
    for first in (False, True):
        with GradCamGraph(net_of(6, tmp_path / "net.pb", first=first), preset="raw") as net:
            maps.append(net.explain(values, 5, "fullgrad")["fullgrad"])
    np.testing.assert_allclose(*maps, rtol=1e-5)
    np.testing.assert_allclose(maps[0][0, 0], values[..., 5] / values[..., 5].max(), atol=1e-5)


@pytest.mark.parametrize(("first", "free"), [(False, False), (True, False), (False, True)])
def test_any_number_of_channels_is_bound(tmp_path, first, free):
    values = bands_of(6)
    with GradCamGraph(net_of(6, tmp_path / "net.pb", first=first, free=free), preset="raw") as net:
        assert (net.binding.input, net.binding.channels) == ("x:0", 6)
        assert net.binding.input_channels_last is not first
        found = net.explain(values, 4)
    np.testing.assert_allclose(found["gradcam"][0, 0], values[..., 4] / SIDE**2, rtol=1e-5)


def test_bytes_go_in_as_they_are(tmp_path):
    with GradCamGraph(net_of(5, tmp_path / "net.pb", tf.uint8)) as net:
        assert net.binding.preprocessing == "raw"
        np.testing.assert_allclose(
            net.explain(bands_of(5), 4)["gradcam"][0, 0], bands_of(5)[..., 4] / SIDE**2, rtol=1e-5
        )


def test_other_floats_are_not_taken_for_images():
    """A photograph and a map of two numbers per pixel both go in: images are the photograph."""
    with tf.Graph().as_default() as graph:
        flow = tf.placeholder(tf.float32, [None, SIDE, SIDE, 2], "flow")
        photo = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], "photo")
        a = tf.nn.relu(tf.nn.conv2d(photo, tf.ones([3, 3, 3, 4]), 1, "SAME"))
        b = tf.nn.relu(tf.nn.conv2d(flow, tf.ones([3, 3, 2, 4]), 1, "SAME"))
        b = tf.nn.relu(tf.nn.conv2d(b, tf.ones([3, 3, 4, 4]), 1, "SAME"))
        tf.matmul(tf.reduce_mean(a + b, [1, 2]), tf.ones([4, 3]), name="logits")
    with GradCamGraph(graph.as_graph_def(), feed={"flow": np.zeros((1, SIDE, SIDE, 2))}, preset="raw") as net:
        assert (net.binding.input, net.binding.channels) == ("photo:0", 3)


@pytest.mark.parametrize("mode", ["stretch", "center-crop", "letterbox"])
@pytest.mark.parametrize("channels", [1, 2, 4, 5, 8])
def test_each_band_is_fitted_as_if_it_were_alone(mode, channels):
    bands = np.random.default_rng(0).uniform(0, 255, (17, 23, channels)).astype(np.float32)
    for size in ((8, 8), (40, 9), (17, 23)):
        fitted = fit(bands, size, mode)
        assert fitted.pixels.shape == (*size, channels)
        for k in range(channels):
            alone = fit(np.repeat(bands[..., [k]], 3, axis=2), size, mode).pixels[..., 0]
            np.testing.assert_allclose(fitted.pixels[..., k], alone, rtol=1e-6, atol=1e-4)
