"""Which names were there already, in little memory: for runs over millions of images."""

from __future__ import annotations

import hashlib
from array import array

_FIRST_SLOTS = 1024


class Seen:
    """A set of texts that keeps 8 bytes of a hash of each (16 with the room to grow).

    Two texts of one hash (1 in 10 million runs of a million images) count as one: the second is taken for seen.
    """

    def __init__(self) -> None:
        self._slots = array("Q", [0]) * _FIRST_SLOTS
        self._count = 0

    def add(self, text: str) -> bool:
        """Put it in; True where it was not yet there."""
        if 3 * self._count >= 2 * len(self._slots):
            self._grow()
        added = self._put(_hash(text))
        self._count += added
        return added

    def __contains__(self, text: str) -> bool:
        return self._slots[self._slot(_hash(text))] != 0

    def __len__(self) -> int:
        return self._count

    def _slot(self, value: int) -> int:
        """Where the value is, or the free slot where it belongs."""
        mask = len(self._slots) - 1
        at = value & mask
        while self._slots[at] not in (0, value):
            at = (at + 1) & mask
        return at

    def _put(self, value: int) -> bool:
        at = self._slot(value)
        added = self._slots[at] == 0
        self._slots[at] = value
        return added

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", [0]) * (2 * len(old))
        for value in old:
            if value:
                self._put(value)


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1  # 0 marks a free slot
