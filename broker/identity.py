"""Ids that follow the clock, so that the newest stand side by side in an index of any size."""

import os
import time
from uuid import UUID

_RANDOM_BITS = 74


def uuid7() -> UUID:
    """A UUID of version 7: milliseconds since 1970, then 74 random bits (RFC 9562, section 5.7)."""
    chance = int.from_bytes(os.urandom(10)) & ((1 << _RANDOM_BITS) - 1)
    milliseconds = time.time_ns() // 1_000_000 & ((1 << 48) - 1)
    high, low = chance >> 62, chance & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low)
