"""What is out, what is coming, and what is still in the making."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalog.models import Category, ReleaseKind

from .catalogue import TITLES, DemoTitle

LIVE = {  # title: hours from now until it begins
    "The Floodlight League": -0.3,
    "Harbour Cup": 3.0,
    "Midnight Marathon": 26.0,
}
LIVE_HOURS = 2.5


@dataclass(frozen=True, kw_only=True)
class DemoRelease:
    """A release to seed. Without `published_at` it stays a draft, or is scheduled for `scheduled_at`."""

    title: DemoTitle
    kind: ReleaseKind
    headline: str
    synopsis: str
    published_at: datetime | None = None
    scheduled_at: datetime | None = None
    season: int | None = None
    episode: int | None = None
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    has_video: bool = True


def plan(now: datetime) -> list[DemoRelease]:
    """Everything, what was published longest ago first, drafts last."""
    releases = [release for number, title in enumerate(TITLES) for release in _of_title(title, number, now)]
    releases.sort(key=lambda release: release.published_at or now)
    return [*releases, *_unpublished(now)]


def _of_title(title: DemoTitle, number: int, now: datetime) -> Iterator[DemoRelease]:
    newest = now - timedelta(days=number * 17 % 45, hours=number * 7 % 24, minutes=5)
    if title.episodes:
        for episode in range(1, title.episodes + 1):
            yield DemoRelease(
                title=title,
                kind=ReleaseKind.EPISODE,
                headline=f"{title.name}: episode {episode}",
                synopsis=title.synopsis,
                season=1,
                episode=episode,
                published_at=newest - timedelta(weeks=title.episodes - episode),
            )
    else:
        yield DemoRelease(
            title=title,
            kind=ReleaseKind.PREMIERE,
            headline=_premiere(title),
            synopsis=title.synopsis,
            published_at=newest - timedelta(days=2),
        )
    if title.name in LIVE:
        yield _live(title, now)


def _premiere(title: DemoTitle) -> str:
    return f"{title.name}: the season so far" if title.category == Category.SPORTS else f"{title.name} is here"


def _live(title: DemoTitle, now: datetime) -> DemoRelease:
    starts_at = now + timedelta(hours=LIVE[title.name])
    return DemoRelease(
        title=title,
        kind=ReleaseKind.LIVE_EVENT,
        headline=f"{title.name}, live",
        synopsis=title.synopsis,
        published_at=now - timedelta(hours=1),
        starts_at=starts_at,
        expires_at=starts_at + timedelta(hours=LIVE_HOURS),
        has_video=False,
    )


def _unpublished(now: datetime) -> list[DemoRelease]:
    """What the demo's studio finds on its desk."""
    by_name = {title.name: title for title in TITLES}
    return [
        DemoRelease(
            title=by_name["The Long Night"],
            kind=ReleaseKind.PREMIERE,
            headline="The Long Night: the broadcast cut",
            synopsis="Eleven minutes longer, and all of them dark.",
            scheduled_at=now + timedelta(days=2),
        ),
        DemoRelease(
            title=by_name["Hollow Star"],
            kind=ReleaseKind.PREMIERE,
            headline="Hollow Star: with the crew's commentary",
            synopsis="The crew explains. The other crew disagrees.",
        ),
        DemoRelease(
            title=by_name["The Cartographer's Debt"],
            kind=ReleaseKind.PREMIERE,
            headline="The Cartographer's Debt: the lost map",
            synopsis="Still waiting for its video.",
            has_video=False,
        ),
    ]
