"""Read DICOM files as images, through pydicom (the extra "medical").

Stored values become measured values by the header's slope and intercept (or table), then gray by a window, see
`window.py`. MONOCHROME1, whose low values are bright, is inverted. Of several frames one is read.
"""

from __future__ import annotations

import importlib
import io
from typing import Any, BinaryIO, Callable, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.embedded_sizes import check_sides, unwrapped
from gradcam_tf1.images.pillow_limits import check_scans
from gradcam_tf1.images.safe_open import MAX_BYTES, check_size
from gradcam_tf1.images.window import (
    Window,
    as_stored,
    between,
    extremes,
    import_extra,
    linear,
    linear_exact,
    pick_slice,
    sigmoid,
    strips,
    three,
)

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_FUNCTIONS = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}


def is_dicom(head: bytes, name: str) -> bool:
    """Recognise DICOM by the letters after the preamble, or by the name."""
    return head[128:132] == b"DICM" or name.lower().endswith((".dcm", ".dicom"))


def read_dicom(file: BinaryIO, name: str, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """Read one frame as uint8 [H, W, 3], RGB, or float32 without a window; raise ImageFileError or pydicom's errors."""
    pydicom = import_extra("pydicom", "DICOM", name)
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageFileError(f"{name!r} has more than the {MAX_BYTES:,} bytes that are read of a DICOM file")
    if _DEFLATED in data:  # pydicom decompresses these without a limit of size
        raise ImageFileError(f"{name!r} is a deflated DICOM file; save it in another transfer syntax")
    dataset = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in dataset:
        raise ImageFileError(f"{name!r} is a DICOM file without an image")
    check_size(name, int(dataset.Columns), int(dataset.Rows), max_pixels)
    _keep_one_frame(dataset, pick_slice(wanted.window, int(dataset.get("NumberOfFrames") or 1), name))
    if hasattr(dataset, "pixel_array_options"):
        dataset.pixel_array_options(raw=True)  # version 3: colours as they are stored, as in earlier versions
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        packed = bytes(dataset.PixelData)
        check_sides(unwrapped(packed), name, int(dataset.Columns), int(dataset.Rows))
        check_scans(packed, name, int(dataset.Columns) * int(dataset.Rows))
    coloured = int(dataset.get("SamplesPerPixel", 1)) > 1 or dataset.PhotometricInterpretation == "PALETTE COLOR"
    wanted.fits(3 if coloured else 1, name)
    return _colours(dataset, name) if coloured else three(_gray(dataset, name, wanted.window))


def _keep_one_frame(dataset: Any, index: int) -> None:
    """Reduce the pixel data to one frame, so that only that frame is decoded."""
    count = int(dataset.get("NumberOfFrames") or 1)
    if count <= 1:
        return
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.PixelData = _encapsulated_frame(dataset.PixelData, index, count)
        dataset["PixelData"].is_undefined_length = True
    else:
        bits = dataset.Rows * dataset.Columns * int(dataset.get("SamplesPerPixel", 1)) * dataset.BitsAllocated
        if bits % 8:
            raise ImageFileError("frames of single bits that do not end with a byte are not supported")
        dataset.PixelData = dataset.PixelData[index * bits // 8 : (index + 1) * bits // 8]
    dataset.NumberOfFrames = 1
    for offsets in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if offsets in dataset:
            delattr(dataset, offsets)


def _encapsulated_frame(data: bytes, index: int, count: int) -> bytes:
    encaps: Any = importlib.import_module("pydicom.encaps")
    if hasattr(encaps, "get_frame"):  # version 3
        return bytes(encaps.encapsulate([encaps.get_frame(data, index, number_of_frames=count)]))
    for number, frame in enumerate(encaps.generate_pixel_data_frame(data, count)):
        if number == index:
            return bytes(encaps.encapsulate([frame]))
    raise ImageFileError(f"frame {index} of {count} is missing")


def _processing() -> Any:
    """Return pydicom's module of look-up tables, which depends on the version."""
    try:
        return importlib.import_module("pydicom.pixels")
    except ImportError:
        return importlib.import_module("pydicom.pixel_data_handlers.util")


def _gray(dataset: Any, name: str, window: Window) -> np.ndarray:
    """Return gray 0..255 as uint8 [H, W], converted strip by strip; float32 without a window."""
    stored = dataset.pixel_array
    if window.stored:
        return as_stored(_measured(dataset, stored), name)
    show = _to_gray(dataset, stored, window)
    shown = np.empty(stored.shape, np.uint8)
    for part, into in zip(strips(stored), strips(shown)):
        gray = show(_measured(dataset, part))
        gray = 255.0 - gray if dataset.PhotometricInterpretation == "MONOCHROME1" else gray
        into[...] = np.rint(np.where(np.isnan(gray), 0.0, gray)).astype(np.uint8)
    return shown


def _measured(dataset: Any, stored: np.ndarray) -> np.ndarray:
    return np.asarray(_processing().apply_modality_lut(stored, dataset), np.float64)


def _to_gray(dataset: Any, stored: np.ndarray, window: Window) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from measured values to gray 0..255 as float."""
    if window.low is not None and window.high is not None:
        low, high = window.low, window.high
        return lambda values: between(values, low, high)
    centre, width = _window_of(dataset, window)
    if centre is not None and width is not None:
        function, middle, extent = _FUNCTIONS.get(str(dataset.get("VOILUTFunction", "LINEAR")), linear), centre, width
        return lambda values: function(values, middle, extent)
    if "VOILUTSequence" in dataset:
        return lambda values: _by_table(dataset, values)
    least, greatest = extremes(_measured(dataset, part) for part in strips(stored))
    return (lambda values: between(values, least, greatest)) if least < greatest else np.zeros_like


def _window_of(dataset: Any, window: Window) -> Tuple[Optional[float], Optional[float]]:
    if window.centre is not None:
        return window.centre, window.width
    centre, width = (_first(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    return (centre, width) if centre is not None and width is not None and width > 0 else (None, None)


def _first(value: Any) -> Optional[float]:
    """Return the first of several values: a header may have several windows, the first is the default."""
    if value is None or value == "":
        return None
    try:
        return float(value)
    except TypeError:
        return float(value[0]) if len(value) else None


def _by_table(dataset: Any, values: np.ndarray) -> np.ndarray:
    table = dataset.VOILUTSequence[0]
    shown = np.asarray(_processing().apply_voi(values.astype(np.int64), dataset), np.float64)
    return np.asarray((shown / (2 ** int(table.LUTDescriptor[2]) - 1) * 255.0).clip(0.0, 255.0))


def _colours(dataset: Any, name: str) -> np.ndarray:
    kind = str(dataset.PhotometricInterpretation)
    stored = dataset.pixel_array
    if kind == "PALETTE COLOR":
        stored = _processing().apply_color_lut(stored, dataset)
        bits = 8 * stored.dtype.itemsize
    else:
        bits = int(dataset.BitsStored)
    if kind.startswith("YBR_FULL"):
        stored = _processing().convert_color_space(stored, kind, "RGB")
    elif kind not in ("RGB", "PALETTE COLOR", "YBR_ICT", "YBR_RCT"):  # the last two: JPEG 2000, decoded to RGB
        raise ImageFileError(f"{name!r} has colours as {kind}, which is not supported")
    return np.asarray(np.rint(stored[..., :3].astype(np.float64) * (255.0 / (2**bits - 1))), np.uint8)
