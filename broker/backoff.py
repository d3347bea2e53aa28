"""How long to wait before trying again."""

from random import SystemRandom

BASE_SECONDS = 0.5
CAP_SECONDS = 60.0

_random = SystemRandom()


def delay_after(attempts: int, *, base: float | None = None, cap: float | None = None) -> float:
    """Seconds to wait after so many failed attempts: exponential from `base` up to `cap`, with full jitter.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    first = BASE_SECONDS if base is None else base
    most = CAP_SECONDS if cap is None else cap
    return _random.uniform(0, min(most, first * 2 ** min(attempts, 30)))
