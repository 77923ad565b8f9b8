"""Give memory that was freed back to the system."""

from __future__ import annotations

import ctypes
import os
import sys

_MMAP_THRESHOLD = -3  # its number in malloc.h
_LARGE = 4 << 20  # bytes


def return_large_blocks() -> None:
    """Let glibc give each large block back to the system when it is freed; no effect elsewhere.

    glibc raises its own limit up to 32 MB with the blocks that it sees freed. Guided backpropagation of 8 images in
    VGG-19 then left 100 MB of holes between blocks in use (measured; the time did not change). The user's environment
    comes first.
    """
    if sys.platform.startswith("linux") and not {"MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"} & set(os.environ):
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            set_option(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Give the free memory of the C library back to the system, where that library is glibc; no effect elsewhere.

    glibc keeps what lies below the last block in use. After loading VGG-19 that are 50 to 80 MB (measured), which would
    add to all that follows.
    """
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
