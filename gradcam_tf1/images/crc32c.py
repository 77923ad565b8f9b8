"""CRC-32C, the checksum of TFRecord files, fast enough in numpy: the bytes are cut into lanes that go side by side.

A CRC is linear over bits: the CRC of ab is the CRC of a carried over |b| zero bytes, XOR the CRC of b.
Sources: RFC 3720 B.4 (polynomial 0x1EDC6F41, reflected 0x82F63B78); the mask: tensorflow/core/lib/hash/crc32c.h.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_LANE = 128  # bytes of one lane
_FEW = 64  # bytes up to which plain Python is faster


@lru_cache(maxsize=None)
def _step_table() -> np.ndarray:
    """The CRC of each byte, [256] uint32."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


@lru_cache(maxsize=None)
def _carry_tables(power: int) -> np.ndarray:
    """Carries a CRC over 2 ** power zero bytes: [4, 256] uint32, one row for each of its bytes, to be XORed."""
    if power:
        half = _carry_tables(power - 1)
        return _carry(half, half.ravel()).reshape(4, 256)
    table = _step_table()
    values = np.arange(256, dtype=np.uint32)
    shifted = np.stack([values << np.uint32(8 * place) for place in range(4)])
    return table[shifted & 255] ^ (shifted >> np.uint32(8))


def _carry(tables: np.ndarray, crcs: np.ndarray) -> np.ndarray:
    carried = tables[0][crcs & 255]
    for place in range(1, 4):
        carried = carried ^ tables[place][(crcs >> np.uint32(8 * place)) & 255]
    return carried


def crc32c(data: bytes) -> int:
    """The CRC-32C of the bytes."""
    if len(data) <= _FEW:
        table, crc = _step_table(), 0xFFFFFFFF
        for byte in data:
            crc = int(table[(crc ^ byte) & 255]) ^ (crc >> 8)
        return crc ^ 0xFFFFFFFF
    lanes = 1 << (-(-len(data) // _LANE) - 1).bit_length()
    padded = np.zeros(lanes * _LANE, np.uint8)  # zero bytes in front change nothing
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    first = lanes * _LANE - len(data)
    padded[first : first + 4] ^= 255  # the same as to begin with all bits set
    columns = np.ascontiguousarray(padded.reshape(lanes, _LANE).T)
    crcs = _side_by_side(columns, 0)
    power = _LANE.bit_length() - 1
    while len(crcs) > 1:
        crcs = _carry(_carry_tables(power), crcs[0::2]) ^ crcs[1::2]
        power += 1
    return int(crcs[0]) ^ 0xFFFFFFFF


def _side_by_side(columns: np.ndarray, start: int) -> np.ndarray:
    """The CRC of each column [bytes, lanes] uint8, not yet inverted: [lanes] uint32."""
    table, crcs = _step_table(), np.full(columns.shape[1], start, np.uint32)
    for row in columns:
        crcs = table[(crcs ^ row) & 255] ^ (crcs >> np.uint32(8))
    return crcs


def masked(data: bytes) -> int:
    """As TFRecord files have it: turned right by 15 bits, plus a constant."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def masked_columns(columns: np.ndarray) -> np.ndarray:
    """The same of each column [bytes, lanes] uint8: [lanes] uint32."""
    crcs = ~_side_by_side(columns, 0xFFFFFFFF)
    return ((crcs >> np.uint32(15)) | (crcs << np.uint32(17))) + np.uint32(_MASK)
