"""DICOM and NIfTI files written by hand."""

from __future__ import annotations

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

EXPLICIT, IMPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.50"


def write_dicom(path, pixels, syntax=EXPLICIT, **tags):
    """pixels: [H, W] or [H, W, 3], or [frames, H, W] with NumberOfFrames, or the frames' encoded bytes."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    encoded = isinstance(pixels, list)
    if not encoded:
        dataset.Rows, dataset.Columns = pixels.shape[-2:] if pixels.shape[-1] != 3 else pixels.shape[-3:-1]
        bits = 8 * pixels.dtype.itemsize
        dataset.BitsAllocated = dataset.BitsStored = bits
        dataset.HighBit = bits - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        dataset.SamplesPerPixel = 3 if pixels.shape[-1] == 3 else 1
        if dataset.SamplesPerPixel == 3:
            dataset.PlanarConfiguration = 0
        dataset.PhotometricInterpretation = "RGB" if dataset.SamplesPerPixel == 3 else "MONOCHROME2"
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.PixelData = pydicom.encaps.encapsulate(pixels) if encoded else pixels.tobytes()
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    dataset["PixelData"].is_undefined_length = encoded
    dataset.is_little_endian, dataset.is_implicit_VR = True, syntax == IMPLICIT
    dataset.save_as(str(path), write_like_original=False)
    return str(path)


def write_nifti(path, data, form=nibabel.Nifti1Image, **header):
    image = form(data, np.eye(4))
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, str(path))
    return str(path)
