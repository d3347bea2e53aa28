"""What the coming of a crowd took, and is free again, goes back to the system: the C library keeps it otherwise."""

import ctypes


def give_back() -> None:
    """Release what is free in the heaps of all threads, where the C library can do that (glibc, malloc_trim(3))."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
