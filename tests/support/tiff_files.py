"""TIFF files of every layout, with the samples that tifffile finds in them."""

from __future__ import annotations

import io
import struct

import numpy as np
import tifffile
from PIL import Image

from gradcam_tf1.images.tiff import number_type
from gradcam_tf1.images.tiff_segments import make_grid, read_cells
from gradcam_tf1.images.tiff_tags import read_page


def encoded(values, **options):
    """values: as tifffile takes them; planes in front where planarconfig is "separate"."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def samples(data):
    """What the reader finds: [H, W, channels]."""
    stream = io.BytesIO(data)
    page = read_page(stream, "a.tif")
    dtype, bits = number_type(page, "a.tif")
    return read_cells(stream, "a.tif", page, make_grid(page, "a.tif", bits, page.one("samples", 1)), dtype)


def known(data, separate):
    """The same by tifffile."""
    values = tifffile.imread(io.BytesIO(data), key=0)
    if separate:
        values = np.moveaxis(values, 0, -1)
    return values if values.ndim == 3 else values[..., np.newaxis]


def tagged(values, order="<", **tags):
    """A TIFF file of one strip, written by hand: [H, W, channels]; tags: number -> values or (kind, values)."""
    height, width, depth = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    data = tags.pop("data", values.astype(values.dtype.newbyteorder(order)).tobytes())
    found = {256: [width], 257: [height], 258: [8 * values.dtype.itemsize] * depth, 259: [1], 262: [1], 273: [0]}
    found.update({277: [depth], 278: [height], 279: [len(data)], 339: [kind] * depth})
    found.update({int(number[1:]): value for number, value in tags.items()})
    end = 8 + 2 + 12 * len(found) + 4
    extra, entries = b"", b""
    for number, value in sorted(found.items()):
        code, type_number = ("d", 12) if any(isinstance(each, float) for each in value) else ("I", 4)
        packed = struct.pack(f"{order}{len(value)}{code}", *value)
        if number == 273:
            packed = struct.pack(f"{order}I", 0xDEADBEEF)
        if len(packed) > 4:
            place = struct.pack(f"{order}I", end + len(extra))
            extra += packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", number, type_number, len(value)) + place
    mark, here = struct.pack(f"{order}I", 0xDEADBEEF), struct.pack(f"{order}I", end + len(extra))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(found))
    return head + entries.replace(mark, here) + bytes(4) + extra + data


def lzw(values):
    """The bytes of an array packed with LZW, by Pillow: one strip of 8-bit gray."""
    flat = np.ascontiguousarray(values).view(np.uint8).reshape(values.shape[0], -1)
    stream = io.BytesIO()
    Image.fromarray(flat).save(stream, "tiff", compression="tiff_lzw", tiffinfo={278: flat.shape[0]})
    page = read_page(io.BytesIO(stream.getvalue()), "a.tif")
    start, count = int(page.all("strip_offsets")[0]), int(page.all("strip_counts")[0])
    assert len(page.all("strip_offsets")) == 1
    return stream.getvalue()[start : start + count]
