"""What viewers see of the catalog. Every function needs a fixed, small number of queries, whatever the size."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber
from django.db.models.lookups import IsNull

from accounts.clock import database_now

from .cards import Card, card_of, ends_at, is_live
from .models import Asset, Category, Maturity, Release, ReleaseKind, Title

RAIL_LENGTH = 20
KIDS_UP_TO = Maturity.SEVEN


@dataclass(frozen=True, kw_only=True)
class Rail:
    """A row of cards."""

    category: str
    label: str
    cards: Sequence[Card]


@dataclass(frozen=True, kw_only=True)
class TitlePage:
    """A title with what was released of it, the newest first."""

    title: Title
    releases: Sequence[Release]
    featured: Release  # the newest release that can be played, else the newest
    video: Asset | None  # what the player shows
    live_event: Release | None  # the running or the next one
    is_live: bool
    topics: Sequence[tuple[str, str]]  # what one can follow here: topic and label
    related: Sequence[Card]


def home_rails(*, kids: bool = False) -> list[Rail]:
    """A rail for each category that has something, in the order of the categories."""
    now = database_now()
    place = Window(RowNumber(), partition_by=F("title__category"), order_by=F("published_at").desc())
    newest = _newest_of_each_title(now, kids=kids).annotate(place=place).filter(place__lte=RAIL_LENGTH)
    cards = [card_of(release, now) for release in newest.order_by("place")]
    rails = [
        Rail(category=value, label=label, cards=[card for card in cards if card.category == value])
        for value, label in Category.choices
    ]
    return [rail for rail in rails if rail.cards]


def hero(*, kids: bool = False) -> Card | None:
    """The newest release of a title that has a backdrop; one that can be played, if there is one."""
    now = database_now()
    candidates = _newest_of_each_title(now, kids=kids).exclude(title__backdrop="")
    release = candidates.order_by(IsNull(F("playable"), True), "-published_at").first()
    return card_of(release, now) if release else None


def browse(*, category: str, kids: bool = False, limit: int = 60) -> list[Card]:
    """The titles of a category, the most recently released first."""
    now = database_now()
    releases = _newest_of_each_title(now, kids=kids).filter(title__category=category)
    return [card_of(release, now) for release in releases.order_by("-published_at")[:limit]]


def search(*, text: str, kids: bool = False, limit: int = 40) -> list[Card]:
    """Titles whose name, headline, synopsis or studio contains the text."""
    words = text.replace("\x00", "").strip()[:100]
    if not words:
        return []
    now = database_now()
    places = ("title__name", "headline", "title__studio__name", "title__synopsis")
    found = Q()
    for place in places:
        found |= Q(**{f"{place}__icontains": words})
    releases = _newest_of_each_title(now, kids=kids).filter(found)
    return [card_of(release, now) for release in releases.order_by("-published_at")[:limit]]


def title_page(*, slug: str, kids: bool = False) -> TitlePage | None:
    """Everything about a title; None when there is none or nothing of it was published."""
    now = database_now()
    releases = list(_published(now, kids=kids).filter(title__slug=slug).order_by("-published_at", "-created_at"))
    if not releases:
        return None
    title = releases[0].title
    featured = next((release for release in releases if release.playable), releases[0])
    event = _current_event(releases, now)
    return TitlePage(
        title=title,
        releases=releases,
        featured=featured,
        video=featured.playable,
        live_event=event,
        is_live=event is not None and is_live(event, now),
        topics=topics_of(title),
        related=[card for card in browse(category=title.category, kids=kids, limit=13) if card.slug != slug][:12],
    )


def topics_of(title: Title) -> list[tuple[str, str]]:
    """The topics under which releases of the title are told, with their labels."""
    return [
        (f"title:{title.slug}", title.name),
        (f"studio:{title.studio.slug}", title.studio.name),
        (f"category:{title.category}", Category(title.category).label),
    ]


def _current_event(releases: Sequence[Release], now: datetime) -> Release | None:
    events = [
        (release.starts_at, release)
        for release in releases
        if release.kind == ReleaseKind.LIVE_EVENT and release.starts_at and ends_at(release, release.starts_at) > now
    ]
    return min(events, key=lambda event: event[0])[1] if events else None


def _published(now: datetime, *, kids: bool) -> QuerySet[Release]:
    """What viewers may see at that moment, with all that a card needs."""
    not_over = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    releases = Release.objects.filter(not_over, state=Release.State.PUBLISHED)
    if kids:
        releases = releases.filter(title__maturity__lte=KIDS_UP_TO)
    return releases.select_related("title__studio", "playable")


def _newest_of_each_title(now: datetime, *, kids: bool) -> QuerySet[Release]:
    same_title = _published(now, kids=kids).filter(title=OuterRef("title")).order_by("-published_at", "-created_at")
    return _published(now, kids=kids).filter(pk=Subquery(same_title.values("pk")[:1]))
