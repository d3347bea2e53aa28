"""What became of an attempt, and how answers are understood."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from notifications.clock import clock

MAX_RETRY_AFTER = 3600.0  # seconds; whoever asks for more is asked again after an hour
MAX_ERROR = 300  # characters


class Verdict(StrEnum):
    """What follows from an attempt."""

    SENT = "sent"
    RETRY = "retry"
    REFUSED = "refused"  # for good: this message will never be taken
    GONE = "gone"  # for good: nothing will ever be taken there
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNTRIED = "untried"  # handed back: no attempt was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The verdict; `retry_after` are seconds that the other side asked for, `blames_host` whether its host failed."""

    verdict: Verdict
    error: str = ""
    retry_after: float = 0.0
    blames_host: bool = False


SENT = Outcome(verdict=Verdict.SENT)
ANSWERED = frozenset({Verdict.SENT, Verdict.REFUSED, Verdict.GONE})  # by a host that works


def failed(error: BaseException | str, *, retry_after: float = 0.0) -> Outcome:
    """The host could not take it now: to be tried again."""
    return Outcome(verdict=Verdict.RETRY, error=_text(error), retry_after=retry_after, blames_host=True)


def stumbled(error: BaseException) -> Outcome:
    """We could not do it, by a fault of our own, which says nothing about the host: to be tried again."""
    return Outcome(verdict=Verdict.RETRY, error=_text(error))


def _text(error: BaseException | str) -> str:
    return (error if isinstance(error, str) else f"{type(error).__name__}: {error}")[:MAX_ERROR]


def ended(verdict: Verdict, error: str = "") -> Outcome:
    """An end for the reason given."""
    return Outcome(verdict=verdict, error=error[:MAX_ERROR])


def seconds_of(retry_after: str | None) -> float:
    """`Retry-After` in seconds from now, at most an hour; 0 when it is absent or makes no sense (RFC 9110, 10.2.3)."""
    if not retry_after:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, moment.timestamp() - clock.time()), MAX_RETRY_AFTER)


def is_busy(status: int) -> bool:
    """Whether an HTTP status says that the host, not the request, is the reason."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.REQUEST_TIMEOUT,
    }
