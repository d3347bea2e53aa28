"""A hash of a key that is the same in every process, on every machine and in every year."""

from hashlib import blake2b


def key_hash(key: str) -> int:
    """A signed 64-bit number, as PostgreSQL's advisory locks want it."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
