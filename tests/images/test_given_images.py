"""What is handed to `explain` as images: arrays, PIL images and paths; values that are no colours are refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1 import GradCamGraph, OptionError
from gradcam_tf1.images.given_images import as_image, as_images
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import demo_model, demo_scenes


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return read_image(demo_scenes()[0].path)


class Foreign:
    """An array of another library, such as an eager tensor: it has rows, and becomes a numpy array."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return map(Foreign, self.values)

    def __array__(self, dtype=None, copy=None):
        if self.values is None:
            raise NotImplementedError("a symbolic tensor has no values")
        return np.asarray(self.values, dtype)


class TestForms:
    def test_the_rows_of_another_librarys_array_are_no_images(self, photo):
        (whole,) = as_images(Foreign(photo))
        np.testing.assert_array_equal(whole, photo)
        assert len(as_images(Foreign(np.stack([photo, photo])))) == 2
        np.testing.assert_array_equal(as_images([Foreign(photo)])[0], photo)
        for given in (Foreign(None), [Foreign(None)]):
            with pytest.raises(OptionError, match="an image is Foreign without values"):
                as_images(given)

    def test_a_path_a_pil_image_and_an_array_give_the_same_maps(self, net, photo):
        path = demo_scenes()[0].path
        wanted = net.explain(photo)["gradcam"]
        for given in (path, Image.open(path), [path], photo.astype(np.float32), photo.astype(np.int64)):
            np.testing.assert_array_equal(net.explain(given)["gradcam"], wanted)
        assert wanted.any()

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"])
    def test_every_pil_mode_reads_as_pillow_shows_it(self, photo, mode):
        image = Image.fromarray(photo).convert("RGBA" if mode in ("RGBa", "PA") else "RGB")
        image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
        shown = (image.convert("RGBA") if mode in ("RGBa", "PA") else image).convert("RGB")
        assert np.abs(as_image(image).astype(int) - np.asarray(shown)).max() <= 1

    def test_transparency_is_laid_on_white_as_of_files(self):
        clear = Image.new("RGBA", (4, 3), (200, 0, 0, 0))
        assert as_image(clear).tolist() == np.full((3, 4, 3), 255).tolist()

    def test_16_bit_gray_is_scaled(self):
        image = Image.fromarray(np.full((3, 4), 257 * 77, np.uint16))
        assert as_image(image).tolist() == np.full((3, 4, 3), 77).tolist()

    def test_16_bit_gray_as_older_pillow_opens_it_is_scaled_too(self):
        image = Image.fromarray(np.full((3, 4), 257 * 77, np.int32))
        image.format = "PNG"
        assert image.mode == "I"
        assert as_image(image).tolist() == np.full((3, 4, 3), 77).tolist()

    def test_one_channel_is_gray(self):
        gray = np.arange(12, dtype=np.uint8).reshape(3, 4, 1) * 20
        assert as_image(gray).tolist() == np.repeat(gray, 3, axis=2).tolist()

    def test_an_image_of_a_camera_held_upright_is_turned(self, photo):
        exif = Image.Exif()
        exif[0x0112] = 6
        packed = io.BytesIO()
        Image.fromarray(photo).save(packed, "PNG", exif=exif)
        np.testing.assert_array_equal(as_image(Image.open(packed)), np.rot90(photo, -1))

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            (None, "an image is None; expected RGB"),
            ([None], "an image is None; expected RGB"),
            (7, "an image is 7; expected RGB"),
            ([], "no images were given; give RGB"),
            (np.zeros((4, 4, 5)), r"an image is float64 \[4, 4, 5\]; expected RGB"),
            (np.zeros(3), "an image is"),
            ([{}], "an image is dict"),
            (Image.new("F", (3, 3)), "mode 'F' has no defined white"),
        ],
    )
    def test_anything_else_is_refused_in_a_sentence(self, given, told):
        with pytest.raises(OptionError, match=told):
            as_images(given)

    def test_a_path_that_leads_nowhere_is_said(self, net):
        with pytest.raises(ValueError, match="nowhere.png"):
            net.explain("nowhere.png")


class TestValues:
    def test_floats_up_to_1_are_refused_with_the_cure_which_works(self, net, photo):
        scaled = photo.astype(np.float32) / 255
        with pytest.raises(OptionError, match="values 0.*: multiply it by 255"):
            net.explain(scaled)
        np.testing.assert_allclose(net.explain(scaled * 255)["gradcam"], net.explain(photo)["gradcam"], atol=1e-4)
        with pytest.raises(OptionError, match="multiply it by 255"):
            net.fit_image(scaled)

    def test_floats_from_minus_1_are_refused(self, net, photo):
        with pytest.raises(OptionError, match="before preprocessing"):
            net.explain(photo / 127.5 - 1)

    @pytest.mark.parametrize(
        "prepared",
        [
            lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
            lambda x: x / 127.5,
            lambda x: x / 255 * 1.2,
            lambda x: x - 40.0,
            lambda x: x - 127.5,
        ],
        ids=["torch", "0..2", "1.2", "-40", "centred"],
    )
    def test_floats_of_other_preparations_are_refused(self, net, photo, prepared):
        with pytest.raises(OptionError, match=r"but images are RGB 0\.\.255"):
            net.explain(prepared(photo.astype(np.float64)))

    def test_a_dark_photograph_as_floats_is_none_of_these(self):
        dark = np.random.RandomState(0).randint(0, 6, (9, 9, 3)).astype(np.float32)
        np.testing.assert_array_equal(as_image(dark), dark)

    @pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int32])
    def test_16_bit_values_are_refused(self, net, photo, dtype):
        with pytest.raises(OptionError, match="scale it to 0..255"):
            net.explain(photo.astype(dtype) * 257)

    @pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
    def test_nan_and_infinity_are_refused(self, net, photo, broken):
        image = photo.astype(np.float32)
        image[2, 3, 1] = broken
        with pytest.raises(OptionError, match="1 of the image's .* values are NaN or infinite"):
            net.explain(image)

    def test_black_and_the_overshoot_of_resizing_are_fine(self):
        assert as_image(np.zeros((2, 2, 3))).max() == 0
        assert as_image(np.full((2, 2, 3), 259.5)).max() == 259.5
        assert as_image(np.ones((2, 2, 3), np.uint8)).max() == 1

    def test_where_the_preprocessing_is_the_users_own_small_values_are_warned_of(self, photo):
        class Own(GradCamGraph):
            def preprocess(self, images):
                return images * 2 - 1

        with Own(demo_model()) as own, GradCamGraph(demo_model(), preset="inception") as plain:
            with pytest.warns(UserWarning, match="multiply it by 255, unless your preprocessing"):
                found = own.explain(photo / 255.0)
            np.testing.assert_allclose(found["gradcam"], plain.explain(photo)["gradcam"], atol=1e-4)

    def test_raw_pixels_may_be_of_another_range(self, photo):
        with GradCamGraph(demo_model(), preset="raw") as raw:
            small = photo / 255.0
            with pytest.warns(UserWarning, match="unless your preprocessing"):
                raw.explain(small)
            assert raw.explain(small * 40 - 20).failures == ("",)
