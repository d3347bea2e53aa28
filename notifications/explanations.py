"""Why a viewer got a notification, or why not: answered from what is stored, check by check."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils.formats import date_format

from accounts.clock import database_now
from accounts.models import User

from . import sql
from .forms import is_id
from .models import KIDS_MAX_MATURITY, Kind, Notification
from .outbound.models import Channel, Delivery, Endpoint

DAY_AND_TIME = "j F Y, H:i:s"


@dataclass(frozen=True, slots=True)
class Check:
    """One question, and its answer; `passed` is None for a fact that decides nothing."""

    question: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All checks in the order in which they decide. `is_visible` is what the inbox's own rule says."""

    viewer: User
    notification: Notification
    is_visible: bool
    checks: list[Check]

    @property
    def obstacle(self) -> Check | None:
        """The first check that did not pass."""
        return next((check for check in self.checks if check.passed is False), None)


@dataclass(frozen=True, slots=True)
class Way:
    """One posting, with one interest of the viewer in its topic, or none. See `sql/explain.sql`."""

    topic: str
    label: str
    seq: int
    revision: int
    posted_at: datetime
    since: datetime | None
    is_given: bool
    from_seq: int | None
    until_seq: int | None
    muted_until: datetime | None
    is_interested: bool
    is_of_kind: bool
    is_unmuted: bool
    is_paid: bool
    is_suitable: bool
    is_understood: bool
    is_there: bool
    is_dismissed: bool
    is_visible: bool


def explain(*, viewer: User, notification: Notification) -> Explanation:
    """The checks that decided, and what became of the deliveries. Four queries."""
    ways = _ways(viewer.pk, notification.pk)
    checks = [
        _account(viewer),
        _posted(ways, notification),
        *_decisions(ways, notification),
        _unexpired(notification, database_now()),
        *_deliveries(viewer, notification),
    ]
    return Explanation(viewer, notification, any(way.is_visible for way in ways), checks)


def _ways(viewer_id: int, notification_id: int) -> list[Way]:
    bound = {
        "viewer_id": viewer_id,
        "notification_id": notification_id,
        "kids_max_maturity": KIDS_MAX_MATURITY,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.load("explain"), bound)
        names = [column.name for column in cursor.description]
        return [Way(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


# --- In the app -----------------------------------------------------------------------------------------------------
def _account(viewer: User) -> Check:
    """Whoever may not sign in has an inbox all the same: so this decides nothing about it."""
    if viewer.is_active:
        return Check("May the viewer sign in?", None, f"Yes; they joined on {_at(viewer.date_joined)}.")
    return Check("May the viewer sign in?", None, "No: the account is switched off, and nothing is sent to it.")


def _posted(ways: Sequence[Way], notification: Notification) -> Check:
    if not ways:
        nowhere = "Nowhere that they could see: it is another viewer's own, or was recalled before it was posted."
        return Check("Was it posted?", False, nowhere)
    places = {f"{way.label} ({way.topic}, no. {way.seq})": None for way in ways if way.revision == ways[0].revision}
    revisions = "" if notification.revision == 1 else f" It is at revision {notification.revision}."
    return Check("Was it posted?", True, f"On {_at(ways[0].posted_at)} to {', '.join(places)}.{revisions}")


def _decisions(ways: Sequence[Way], notification: Notification) -> Iterator[Check]:
    """Each condition, for the ways that passed those before it: the last one passes if the whole rule does."""
    kind = Kind(notification.kind).label.lower()
    rating = f"It is rated {notification.maturity}+; a kids profile shows up to {KIDS_MAX_MATURITY}+."
    rating = rating if notification.maturity else "It is for all ages."
    rules: Sequence[tuple[str, Callable[[Way], bool], Callable[[Way], str], str]] = (
        ("Was it theirs to hear of at the time?", lambda w: w.is_interested, _interest, ""),
        ("Did they want this kind?", lambda w: w.is_of_kind, lambda w: f"{kind.capitalize()}, yes.", f"Not {kind}."),
        ("Was the topic not muted?", lambda w: w.is_unmuted, lambda w: "It was not.", "It was muted."),
        ("Were they a member at the time?", lambda w: w.is_paid, _membership, "No membership period covers it."),
        ("Does the rating suit the profile?", lambda w: w.is_suitable, lambda w: rating, rating),
        ("Is it in a language of theirs?", lambda w: w.is_understood, lambda w: "Yes, or none is said.", "It is not."),
        ("Is it open in their region?", lambda w: w.is_there, lambda w: "It is.", "It is not, or they said no region."),
        ("Did they keep it?", lambda w: not w.is_dismissed, lambda w: "They did.", "They dismissed it themselves."),
    )
    left = list(ways)
    for question, holds, in_words, otherwise in rules:
        passing = [way for way in left if holds(way)]
        if passing:
            yield Check(question, True, in_words(passing[0]))
            left = passing
        else:
            yield Check(question, False, otherwise or " ".join({_interest(way): None for way in left}))


def _interest(way: Way) -> str:
    """What the viewer had to do with the topic when it was posted."""
    if way.since is None:
        return f"They never followed {way.label}."
    if way.is_given:
        heard = "is theirs" if way.topic.startswith("viewer:") else "is everybody's"
        return f"{way.label} {heard}; they joined on {_at(way.since)}."
    until = "" if way.until_seq is None else f" until before no. {way.until_seq}"
    return f"They followed {way.label} from no. {way.from_seq}{until}; it is no. {way.seq}."


def _membership(way: Way) -> str:
    return "It needs no membership." if way.is_given else "A membership period covers the moment of posting."


def _unexpired(notification: Notification, now: datetime) -> Check:
    expires_at = notification.expires_at
    if expires_at is None:
        return Check("Has it not expired?", True, "It never does.")
    verb = "expires" if expires_at > now else "expired"
    return Check("Has it not expired?", expires_at > now, f"It {verb} on {_at(expires_at)}.")


# --- Outside --------------------------------------------------------------------------------------------------------
def _deliveries(viewer: User, notification: Notification) -> Iterator[Check]:
    """What became of it at each of the viewer's endpoints; these decide nothing about the app."""
    endpoints = {endpoint.pk: endpoint for endpoint in Endpoint.objects.filter(viewer_id=viewer.pk).order_by("pk")}
    made = Delivery.objects.filter(notification_id=notification.pk, viewer_id=viewer.pk)
    deliveries = list(made.order_by("channel", "endpoint_id"))
    for delivery in deliveries:
        place = endpoints.pop(delivery.endpoint_id, None)
        name = str(place) if place else f"{Channel(delivery.channel).label} (removed since)"
        yield Check(f"And by {name}?", None, _delivery(delivery))
    for endpoint in endpoints.values():
        yield Check(f"And by {endpoint}?", None, f"No delivery is on record. {_off(endpoint)}".strip())
    if not endpoints and not deliveries:
        yield Check("And outside of the app?", None, "They have no mailbox, browser or webhook switched on.")


def _off(endpoint: Endpoint) -> str:
    if endpoint.disabled_at is None:
        return ""
    return f"It has been off since {_at(endpoint.disabled_at)}. {endpoint.disabled_reason}"


def _delivery(delivery: Delivery) -> str:
    state = Delivery.State(delivery.state).label
    attempts = f"{delivery.attempts} attempt{'' if delivery.attempts == 1 else 's'}"
    if delivery.finished_at:
        when = f"ended on {_at(delivery.finished_at)}"
    else:
        when = f"due on {_at(delivery.next_attempt_at)}"
    return f"{state} after {attempts}, {when}. {delivery.last_error}".strip()


def _at(moment: datetime) -> str:
    return f"{date_format(moment, DAY_AND_TIME)} UTC"


def find_notification(*, text: str) -> Notification | None:
    """By its id, by what it tells of (`release:<uuid>`), or the newest whose title says so."""
    cleaned = text.strip()
    if is_id(cleaned):
        return Notification.objects.filter(pk=int(cleaned)).first()
    by_subject = Notification.objects.filter(subject=cleaned).first()
    return by_subject or Notification.objects.filter(title__icontains=cleaned).order_by("-pk").first()


def find_viewer(*, email: str) -> User | None:
    """By address, in whatever case."""
    return User.objects.filter(email=email.strip().lower()).first()
