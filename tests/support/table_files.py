"""Tables as checkpoints have them, with right checksums, as somebody with intent would make them."""

from __future__ import annotations

import struct

from gradcam_tf1.images.crc32c import masked


def varint(number):
    digits = b""
    while number >= 128:
        digits += bytes([number & 127 | 128])
        number >>= 7
    return digits + bytes([number])


def block(items):
    body = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in items)
    body += struct.pack("<II", 0, 1)
    return body + b"\0" + struct.pack("<I", masked(body + b"\0"))


def table(items):
    """The bytes of a table of these keys and values, which are sorted."""
    data, empty = block(items), block([])
    index = block([(items[-1][0] + b"\xff", varint(0) + varint(len(data) - 5))])
    places = [len(data), len(empty) - 5, len(data) + len(empty), len(index) - 5]
    return data + empty + index + b"".join(map(varint, places)).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
