"""CRC-32C, the checksum of TFRecord files, in numpy: the bytes are cut into lanes that are computed in parallel.

A CRC is linear over bits: the CRC of ab is the CRC of a carried over |b| zero bytes, XOR the CRC of b.
Sources: RFC 3720 B.4 (polynomial 0x1EDC6F41, reflected 0x82F63B78); the mask: tensorflow/core/lib/hash/crc32c.h.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_LANE = 128  # bytes of one lane
_FEW = 64  # number of bytes up to which plain Python is faster


@lru_cache(maxsize=None)
def _step_table() -> np.ndarray:
    """Return the CRC of each byte, uint32 [256]."""
    table: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


@lru_cache(maxsize=None)
def _carry_tables(power: int) -> np.ndarray:
    """Return the tables that carry a CRC over 2 ** power zero bytes: uint32 [4, 256], a row for each of its bytes."""
    if power:
        half = _carry_tables(power - 1)
        return _carry(half, half.ravel()).reshape(4, 256)
    table = _step_table()
    values = np.arange(256, dtype=np.uint32)
    shifted = np.stack([values << np.uint32(8 * byte) for byte in range(4)])
    return np.asarray(table[shifted & 255] ^ (shifted >> np.uint32(8)))


def _carry(tables: np.ndarray, crcs: np.ndarray) -> np.ndarray:
    carried: np.ndarray = tables[0][crcs & 255]
    for byte in range(1, 4):
        carried = carried ^ tables[byte][(crcs >> np.uint32(8 * byte)) & 255]
    return carried


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of the bytes."""
    if len(data) <= _FEW:
        table, crc = _step_table(), 0xFFFFFFFF
        for byte in data:
            crc = int(table[(crc ^ byte) & 255]) ^ (crc >> 8)
        return crc ^ 0xFFFFFFFF
    lanes = 1 << (-(-len(data) // _LANE) - 1).bit_length()
    padded = np.zeros(lanes * _LANE, np.uint8)  # leading zero bytes do not change the CRC
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    first = lanes * _LANE - len(data)
    padded[first : first + 4] ^= 255  # equivalent to an initial CRC with all bits set
    columns = np.ascontiguousarray(padded.reshape(lanes, _LANE).T)
    crcs = _side_by_side(columns, 0)
    power = _LANE.bit_length() - 1
    while len(crcs) > 1:
        crcs = _carry(_carry_tables(power), crcs[0::2]) ^ crcs[1::2]
        power += 1
    return int(crcs[0]) ^ 0xFFFFFFFF


def _side_by_side(columns: np.ndarray, start: int) -> np.ndarray:
    """Return the CRC of each column of uint8 [bytes, lanes], not yet inverted: uint32 [lanes]."""
    table, crcs = _step_table(), np.full(columns.shape[1], start, np.uint32)
    for row in columns:
        crcs = table[(crcs ^ row) & 255] ^ (crcs >> np.uint32(8))
    return crcs


def masked(data: bytes) -> int:
    """Return the CRC as in TFRecord files: rotated right by 15 bits, plus a constant."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def masked_columns(columns: np.ndarray) -> np.ndarray:
    """Return the masked CRC of each column of uint8 [bytes, lanes]: uint32 [lanes]."""
    crcs = ~_side_by_side(columns, 0xFFFFFFFF)
    return ((crcs >> np.uint32(15)) | (crcs << np.uint32(17))) + np.uint32(_MASK)
