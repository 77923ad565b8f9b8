"""Files as Pillow gets them: bounded, and without a descriptor."""

from __future__ import annotations

from gradcam_tf1.images.pillow_limits import Bounded


def test_a_bounded_file_has_no_descriptor(tmp_path):
    """Pillow would close it after libtiff has closed it, and another thread may have that number by then."""
    (tmp_path / "image.tif").write_bytes(b"II*\0")
    with open(str(tmp_path / "image.tif"), "rb") as file:
        bounded = Bounded(file, "image.tif", 9, 99)
        assert not hasattr(bounded, "fileno")
        assert bounded.tell() == 0
