"""JPEGs of many scans, each a pass over all pixels: in files of their own and inside of others."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image
from tiff_files import tagged

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.pillow_limits import MAX_SCANNED, check_file_scans, check_scans
from gradcam_tf1.images.source_kinds import iter_images

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydicom's, of how a file is written
REASON = "is a JPEG of more than {} scans, which would take very long to decode"


def jpeg(kind="JPEG", **options):
    stream = io.BytesIO()
    noise = np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, kind, subsampling=0, **options)
    return stream.getvalue()


def with_scans(data, count, side=None):
    """The same with so many empty scans of one component behind those that it has; side: what its header says."""
    end = data.index(b"\xff\xd9", data.index(b"\xff\xda"))
    progressive = b"\xff\xc2" in data
    scan = b"\xff\xda\x00\x08\x01\x01\x00" + (b"\0\0\0" if progressive else b"\0\x3f\0") + b"\0"
    data = data[:end] + scan * count + data[end:]
    if side is not None:
        start = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
        data = data[: start + 5] + struct.pack(">HH", side, side) + data[start + 9 :]
    return data


MULTI = {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("MPO", MULTI)],
    ids=["baseline", "progr", "multi"],
)
def test_every_kind_of_jpeg(tmp_path, kind, options):
    data = jpeg(kind, **options)
    if kind == "MPO":
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "MPO"
    for count, reason in ((0, None), (120, REASON.format(100))):
        (tmp_path / "a.jpg").write_bytes(with_scans(data, count))
        if reason is None:
            assert read_image(str(tmp_path / "a.jpg")).shape == (24, 32, 3)
            continue
        with pytest.raises(ImageFileError, match=reason):
            read_image(str(tmp_path / "a.jpg"))


def test_scans_times_pixels_have_a_limit(tmp_path):
    (tmp_path / "a.jpg").write_bytes(with_scans(jpeg(), 40, side=9900))
    with pytest.raises(ImageFileError, match=REASON.format(MAX_SCANNED // 9900**2)):
        read_image(str(tmp_path / "a.jpg"))


def test_a_film_behind_the_image_has_no_scans(tmp_path):
    """Telephones put one there; the two letters that begin a scan stand in it by chance, hundreds of times."""
    film = np.random.default_rng(0).integers(0, 256, 8 << 20, dtype=np.uint8).tobytes()
    assert film.count(b"\xff\xda") > 100
    check_scans(film, "a", 10)
    (tmp_path / "a.jpg").write_bytes(jpeg() + film)
    assert read_image(str(tmp_path / "a.jpg")).shape == (24, 32, 3)


def test_a_scan_between_two_blocks_is_counted():
    scan = b"\xff\xda\x00\x08\x01"
    for before in range(6):
        file = io.BytesIO(bytes((1 << 20) - before) + scan + bytes(100) + scan)
        file.seek(7)
        with pytest.raises(ImageFileError, match=REASON.format(1)):
            check_file_scans(file, "a", MAX_SCANNED)
        assert file.tell() == 7
        check_file_scans(file, "a", MAX_SCANNED // 2)


def test_in_archives(tmp_path):
    data = with_scans(jpeg(), 120)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", data)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("a.jpg")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    for name in ("a.zip", "a.tar.gz"):
        with pytest.raises(ImageFileError, match=REASON.format(100)):
            next(iter_images(tmp_path / name)).read()


def test_in_tiff(tmp_path):
    gray = io.BytesIO()
    Image.new("L", (16, 16), 200).save(gray, "jpeg")
    values = np.zeros((16, 16, 1), np.uint8)
    (tmp_path / "a.tif").write_bytes(tagged(values, t259=[7], data=gray.getvalue()))
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.tif")), np.full((16, 16, 3), 200))
    (tmp_path / "a.tif").write_bytes(tagged(values, t259=[7], data=with_scans(gray.getvalue(), 120)))
    with pytest.raises(ImageFileError, match=REASON.format(100)):
        read_image(str(tmp_path / "a.tif"))


def test_in_strips_of_a_tiff_file_that_says_the_sides_of_tiles_too(tmp_path):
    values = np.zeros((9_900, 9_900, 1), np.uint8)[:, ::9_900]
    tags = {"t256": [9_900], "t259": [7], "t322": [1], "t323": [1], "data": with_scans(jpeg(), 40)}
    (tmp_path / "a.tif").write_bytes(tagged(values, **tags))
    with pytest.raises(ImageFileError, match=REASON.format(MAX_SCANNED // 9_900**2)):
        read_image(str(tmp_path / "a.tif"))


@pytest.mark.parametrize("kind", ["baseline", "progressive", "filled", "jpeg2000"])
def test_sides_in_dicom_are_those_of_the_image_in_it(tmp_path, kind):
    """The decoder goes by the latter: a header of 24x32 would let any size by."""
    pytest.importorskip("pydicom")
    from medical_files import JPEG, write_dicom

    about = {"Rows": 24, "Columns": 32, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    about.update(SamplesPerPixel=3, PlanarConfiguration=0, PhotometricInterpretation="YBR_FULL")
    data = jpeg(progressive=kind == "progressive")
    large = with_scans(data, 0, side=9_000)
    if kind == "filled":  # and with a comment that has other sides in it
        comment = b"\xff" * 5 + b"\xfe\0\x0b\xff\xc0\0\x11\x08\0\1\0\2"
        data, large = (each[:2] + comment + each[2:] for each in (data, large))
    if kind == "jpeg2000":
        large = b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 47, 0, 9_001, 9_002, 1, 2) + bytes(90)
    else:
        assert read_image(write_dicom(tmp_path / "b.dcm", [data], JPEG, **about)).shape == (24, 32, 3)
    with pytest.raises(ImageFileError, match="it says 32x24 pixels, the packed image in it has 9000x9000"):
        read_image(write_dicom(tmp_path / "a.dcm", [large], JPEG, **about))


def test_in_dicom(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from medical_files import JPEG, write_dicom

    about = {"Rows": 24, "Columns": 32, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    about.update(SamplesPerPixel=3, PlanarConfiguration=0, PhotometricInterpretation="YBR_FULL")
    assert pydicom
    with pytest.raises(ImageFileError, match=REASON.format(100)):
        read_image(write_dicom(tmp_path / "a.dcm", [with_scans(jpeg(), 120)], JPEG, **about))
