"""DICOM and NIfTI files that these tests write by hand, against windows worked out on paper."""

from __future__ import annotations

import gzip
import io
import sys

import numpy as np
import pytest
from medical_files import EXPLICIT, IMPLICIT, JPEG, write_dicom, write_nifti
from PIL import Image

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.images.window import Window, linear, linear_exact, sigmoid, span

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

CT = np.array([[-1000, 0, 40, 80, 400, 3000]], np.int16)


def gray(path, **window):
    pixels = read_image(path, window=Window(**window))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 1])
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])
    return pixels[..., 0].tolist()


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_the_window_of_the_header(tmp_path, syntax):
    path = write_dicom(
        tmp_path / "a.dcm",
        (CT + 1024).astype(np.uint16),
        syntax,
        RescaleSlope=1,
        RescaleIntercept=-1024,
        WindowCenter=[40, 500],
        WindowWidth=[81, 2000],
    )
    # black up to 39.5 - 40, white from 39.5 + 40 on: 40 is (0.5 / 80 + 0.5) * 255 = 129.09
    assert gray(path) == [[0, 2, 129, 255, 255, 255]]
    assert gray(path, centre=0, width=2001) == [[0, 128, 133, 138, 179, 255]]


def test_without_a_window_the_least_is_black_and_the_greatest_white(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", CT)
    assert gray(path) == [[0, 64, 66, 69, 89, 255]]
    assert gray(write_dicom(tmp_path / "flat.dcm", np.full((2, 2), 7, np.uint8))) == [[0, 0], [0, 0]]


def test_monochrome1_is_inverted(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", CT, PhotometricInterpretation="MONOCHROME1")
    assert gray(path) == [[255, 191, 189, 186, 166, 0]]


def test_functions_of_the_header(tmp_path):
    window = {"WindowCenter": 40, "WindowWidth": 80}
    exact = write_dicom(tmp_path / "a.dcm", CT, VOILUTFunction="LINEAR_EXACT", **window)
    assert gray(exact) == [[0, 0, 128, 255, 255, 255]]
    smooth = write_dicom(tmp_path / "b.dcm", CT, VOILUTFunction="SIGMOID", **window)
    assert gray(smooth) == [[0, 30, 128, 225, 255, 255]]  # 255 / (1 + e^2) = 30.4


def test_windows_on_paper():
    values = np.array([-10.0, 0.0, 5.0, 10.0])
    np.testing.assert_allclose(linear(values, 5.5, 11), [0, 0, 127.5, 255])
    np.testing.assert_allclose(linear(values, 5.5, 1), [0, 0, 0, 255])
    np.testing.assert_allclose(linear_exact(values, 5, 10), [0, 0, 127.5, 255])
    np.testing.assert_allclose(sigmoid(values, 0, 4), 255 / (1 + np.exp([10, 0, -5, -10])))
    np.testing.assert_allclose(span(np.array([np.nan, -np.inf, 2.0, 4.0])), [np.nan, 0, 0, 255])


def table(first, entries, bits):
    item = pydicom.dataset.Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = np.array(entries, "<u2").tobytes()
    return item


def test_tables_of_the_header(tmp_path):
    pixels = np.array([[0, 1, 2, 3]], np.uint8)
    path = write_dicom(tmp_path / "a.dcm", pixels, VOILUTSequence=[table(0, [0, 4095, 2048, 0], 12)])
    assert gray(path) == [[0, 255, 128, 0]]
    path = write_dicom(tmp_path / "b.dcm", pixels, ModalityLUTSequence=[table(0, [10, 0, 20, 0], 16)])
    assert gray(path) == [[128, 0, 255, 0]]


RGB = np.array([[[200, 30, 60], [10, 20, 240]]], np.uint8)


def test_colours(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", RGB)
    np.testing.assert_array_equal(read_image(path), RGB)
    ycc = np.asarray(Image.fromarray(RGB).convert("YCbCr"))
    path = write_dicom(tmp_path / "b.dcm", ycc, PhotometricInterpretation="YBR_FULL")
    np.testing.assert_allclose(read_image(path).astype(int), RGB, atol=3)
    path = write_dicom(tmp_path / "c.dcm", RGB, PhotometricInterpretation="HSV")
    with pytest.raises(ImageFileError, match=r"(has colours as HSV, which is not supported|cannot be decoded)"):
        read_image(path)


def test_a_palette(tmp_path):
    tags = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, values in {"Red": (0, 65535), "Green": (257, 0), "Blue": (25700, 0)}.items():
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [2, 0, 16]
        tags[f"{name}PaletteColorLookupTableData"] = np.array(values, "<u2").tobytes()
    path = write_dicom(tmp_path / "a.dcm", np.array([[0, 1]], np.uint8), **tags)
    np.testing.assert_array_equal(read_image(path), [[[0, 1, 100], [255, 0, 0]]])


def jpeg(image):
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=98, subsampling=0)
    return stream.getvalue()


def test_frames(tmp_path):
    frames = np.stack([np.full((2, 4), value, np.uint8) for value in (10, 20, 30, 40, 50)])
    plain = write_dicom(tmp_path / "a.dcm", frames, NumberOfFrames=5, WindowCenter=128, WindowWidth=256)
    packed = write_dicom(
        tmp_path / "b.dcm",
        [jpeg(Image.fromarray(np.full((8, 8), value, np.uint8))) for value in (10, 20, 30, 40, 50)],
        JPEG,
        **{"Rows": 8, "Columns": 8, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0},
        **{"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "NumberOfFrames": 5},
        **{"WindowCenter": 128, "WindowWidth": 256},
    )
    for path in (plain, packed):
        for index, value in {None: 30, 0: 10, 4: 50, -1: 50, -5: 10}.items():
            assert gray(path, slice=index)[0][0] == value
        with pytest.raises(ImageFileError, match="has 5 slices, counted from 0; there is no slice 5"):
            read_image(path, window=Window(slice=5))


def test_jpeg_colours(tmp_path):
    image = Image.fromarray(np.full((16, 16, 3), (200, 30, 60), np.uint8))
    path = write_dicom(
        tmp_path / "a.dcm",
        [jpeg(image)],
        JPEG,
        **{"Rows": 16, "Columns": 16, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0},
        **{"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "YBR_FULL"},
    )
    np.testing.assert_allclose(read_image(path)[4, 4].astype(int), (200, 30, 60), atol=4)


def test_dicom_files_that_are_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.zeros((20, 30), np.uint8))
    with pytest.raises(ImageFileError, match="has 30x20 pixels, more than the 599 that are allowed"):
        read_image(path, max_pixels=599)
    data = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "b.dcm").write_bytes(data.replace(EXPLICIT.encode() + b"\0", b"1.2.840.10008.1.2.1.99", 1))
    with pytest.raises(ImageFileError, match="is a deflated DICOM file; save it in another transfer syntax"):
        read_image(str(tmp_path / "b.dcm"))
    (tmp_path / "c.dcm").write_bytes(b"no DICOM" * 99)
    with pytest.raises(ImageFileError, match="cannot be decoded: .*DICM"):
        read_image(str(tmp_path / "c.dcm"))
    for length in range(132, len(data), 40):
        (tmp_path / "d.dcm").write_bytes(data[:length])
        with pytest.raises(ImageFileError, match=r"d.dcm' (cannot be decoded|is a DICOM file without an image)"):
            read_image(str(tmp_path / "d.dcm"))


def test_half_a_window_is_refused():
    with pytest.raises(OptionError, match="a window has a centre and a width"):
        Window(centre=40)
    with pytest.raises(OptionError, match="the width of a window is at least 1, not 0"):
        Window(centre=40, width=0)


VOLUME = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


@pytest.mark.parametrize("form", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_the_middle_slice_stands_upright(tmp_path, name, form):
    path = write_nifti(tmp_path / name, VOLUME, form)
    # third axis at 2: values 2 + 4 y + 12 x, y from bottom to top
    values = np.array([[10, 22], [6, 18], [2, 14]])
    assert gray(path) == np.rint((values - 2) / 20 * 255).astype(int).tolist()
    assert gray(path, centre=12, width=20) == np.rint((values - 2) / 20 * 255).astype(int).tolist()
    assert gray(path, slice=0, centre=10, width=20) == np.rint((values - 2) / 20 * 255).astype(int).tolist()
    assert gray(path, slice=-1, centre=13, width=20) == gray(path)
    with pytest.raises(ImageFileError, match="has 4 slices, counted from 0; there is no slice 4"):
        read_image(path, window=Window(slice=4))
    assert [image.relative for image in iter_images(tmp_path)] == [name]


def test_volumes_of_other_kinds(tmp_path):
    series = np.stack([VOLUME, VOLUME * 0], axis=-1)
    first = gray(write_nifti(tmp_path / "a.nii", VOLUME))
    assert gray(write_nifti(tmp_path / "b.nii", series)) == first
    assert gray(write_nifti(tmp_path / "c.nii", VOLUME.astype(np.float32) / 7)) == first
    assert gray(write_nifti(tmp_path / "d.nii", VOLUME[:, :, 2])) == first
    assert gray(write_nifti(tmp_path / "e.nii", VOLUME, cal_min=0, cal_max=40)) == [[64, 140], [38, 115], [13, 89]]
    holes = VOLUME.astype(np.float32)
    holes[0, 0, 2] = np.nan
    assert gray(write_nifti(tmp_path / "f.nii", holes))[2][0] == 0
    colours = np.zeros((1, 2, 1), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours[0, 1, 0] = (200, 30, 60)
    np.testing.assert_array_equal(read_image(write_nifti(tmp_path / "g.nii", colours)), [[[200, 30, 60]], [[0, 0, 0]]])


def test_nifti_files_that_are_refused(tmp_path):
    path = write_nifti(tmp_path / "a.nii", np.zeros((20, 30, 2), np.uint8))
    with pytest.raises(ImageFileError, match="has 20x30 pixels, more than the 599 that are allowed"):
        read_image(path, max_pixels=599)
    data = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii").write_bytes(data[:344] + b"ni1\0" + data[348:])
    with pytest.raises(ImageFileError, match="is the header of a NIfTI pair"):
        read_image(str(tmp_path / "b.nii"))
    for content in (b"no NIfTI" * 99, gzip.compress(b"no NIfTI" * 99), b"\x1f\x8b" + bytes(600)):
        (tmp_path / "c.nii.gz").write_bytes(content)
        with pytest.raises(ImageFileError, match="is not a NIfTI file"):
            read_image(str(tmp_path / "c.nii.gz"))
    for length in (400, 900, len(data) - 200):
        (tmp_path / "d.nii").write_bytes(data[:length])
        with pytest.raises(ImageFileError, match="cannot be decoded"):
            read_image(str(tmp_path / "d.nii"), window=Window(slice=1))
    empty = data[:42] + b"\0\0" + data[44:]  # dim[1] = 0
    (tmp_path / "e.nii").write_bytes(empty)
    with pytest.raises(ImageFileError, match="has the shape .*, which is no image|cannot be decoded"):
        read_image(str(tmp_path / "e.nii"))


@pytest.mark.parametrize(("name", "kind", "module"), [("a.dcm", "DICOM", "pydicom"), ("a.nii", "NIfTI", "nibabel")])
def test_without_the_extra_its_name_is_told(tmp_path, monkeypatch, name, kind, module):
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ImageFileError, match=rf"is a {kind} file, which {module} reads: pip install 'gradcam_tf1\[medi"
    ):
        read_image(str(tmp_path / name))
