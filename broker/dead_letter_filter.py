"""Which dead letters are meant: one filter for listing, counting, replaying and discarding."""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db.models import QuerySet

from .models import DeadLetter


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Dead letters that wait for a decision and are like this; what is empty does not matter."""

    origin: str = ""  # where it failed: group:feed
    reason: str = ""
    type: str = ""  # of the message
    key: str = ""
    error: str = ""  # a part of it
    since: datetime | None = None
    until: datetime | None = None

    def letters(self, *, also_parked: bool = True) -> QuerySet[DeadLetter]:
        """Those that match."""
        states = [DeadLetter.State.WAITING, *([DeadLetter.State.PARKED] if also_parked else [])]
        return self.narrow(DeadLetter.objects.filter(state__in=states))

    def narrow(self, letters: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        """Those of `letters` that match, whatever was decided."""
        wanted = {
            "origin": self.origin,
            "reason": self.reason,
            "body__type": self.type,
            "key": self.key,
            "error__icontains": self.error,
            "created_at__gte": self.since,
            "created_at__lt": self.until,
        }
        return letters.filter(**{name: value for name, value in wanted.items() if value})

    def as_text(self) -> dict[str, str]:
        """For the record of decisions."""
        return {name: str(value) for name, value in asdict(self).items() if value}
