"""How long to wait before trying again."""

from random import SystemRandom

BASE_SECONDS = 0.5
CAP_SECONDS = 60.0

_random = SystemRandom()


def delay_after(attempts: int) -> float:
    """Seconds to wait after so many failed attempts: exponential, with full jitter.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return _random.uniform(0, min(CAP_SECONDS, BASE_SECONDS * 2 ** min(attempts, 30)))
