"""A title as a picture with a few words: what rails, grids and the hero are made of."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from .models import Category, Release, ReleaseKind

NEW_FOR = timedelta(days=14)
LIVE_FOR = timedelta(hours=4)  # of an event that does not say when it ends


@dataclass(frozen=True, kw_only=True)
class Card:
    """A title, by its newest published release."""

    slug: str
    name: str
    url: str
    poster: str
    backdrop: str
    category: str
    category_label: str
    studio_slug: str
    studio_name: str
    maturity: int
    year: int | None
    synopsis: str
    headline: str
    kind: str
    badge: str  # "LIVE", "EP 4", "NEW" or nothing
    is_live: bool
    starts_at: datetime | None
    published_at: datetime | None
    has_video: bool


def card_of(release: Release, now: datetime) -> Card:
    """The card of a release whose title and studio are loaded."""
    title = release.title
    return Card(
        slug=title.slug,
        name=title.name,
        url=f"/titles/{title.slug}/",
        poster=title.poster.url if title.poster else "",
        backdrop=title.backdrop.url if title.backdrop else "",
        category=title.category,
        category_label=Category(title.category).label,
        studio_slug=title.studio.slug,
        studio_name=title.studio.name,
        maturity=title.maturity,
        year=title.year,
        synopsis=title.synopsis,
        headline=release.headline,
        kind=release.kind,
        badge=badge_of(release, now),
        is_live=is_live(release, now),
        starts_at=release.starts_at,
        published_at=release.published_at,
        has_video=release.playable_id is not None,
    )


def badge_of(release: Release, now: datetime) -> str:
    """The one word that the card wears."""
    if is_live(release, now):
        return "LIVE"
    if release.kind == ReleaseKind.EPISODE and release.episode:
        return f"EP {release.episode}"
    is_new = release.published_at is not None and release.published_at > now - NEW_FOR
    return "NEW" if is_new else ""


def is_live(release: Release, now: datetime) -> bool:
    """Whether it is an event that is running at that moment."""
    if release.kind != ReleaseKind.LIVE_EVENT or release.starts_at is None:
        return False
    return release.starts_at <= now < ends_at(release, release.starts_at)


def ends_at(release: Release, starts_at: datetime) -> datetime:
    """When the event is over, for all we know."""
    return release.expires_at or starts_at + LIVE_FOR
