"""What the studio's API takes and gives."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from ninja import Schema
from pydantic import AwareDatetime, ConfigDict, Field

from .models import Asset, Category, Release, ReleaseKind, TitleType

Number = Annotated[int, Field(ge=1, le=32_767)]


class _Strict(Schema):
    model_config = ConfigDict(extra="forbid")


class Window(_Strict):
    """Out in a region (ISO 3166-1 alpha-2), from a moment, or at once, until another, or for good."""

    region: str = Field(max_length=2)
    opens_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None


Languages = Annotated[list[Annotated[str, Field(max_length=8)]], Field(max_length=40)]
Windows = Annotated[list[Window], Field(max_length=250)]


class ReleaseIn(_Strict):
    """A new draft."""

    title: Annotated[str, Field(min_length=1, max_length=160, description="A title's slug, or a name")]
    kind: ReleaseKind
    category: Category | None = Field(None, description="Needed when `title` makes a new one")
    title_type: TitleType | None = Field(None, description="Of a new title; by default what is usual in the category")
    studio: str = Field("", description="The studio's slug")
    headline: str = Field("", max_length=160, description="By default made of the title")
    synopsis: str = Field("", max_length=2000)
    season: Number | None = None
    episode: Number | None = None
    starts_at: AwareDatetime | None = Field(None, description="When a live event begins")
    expires_at: AwareDatetime | None = Field(None, description="When the release is over and leaves the lists")
    languages: Languages = Field([], description="ISO 639-1; spoken or subtitled. None: it is for everybody")
    windows: Windows = Field([], description="The regions in which it is out. None: everywhere")


class ReleaseChanges(_Strict):
    """What may change later; fields that are left out stay as they are."""

    headline: str = Field("", min_length=1, max_length=160)
    synopsis: str = Field("", max_length=2000)
    season: Number | None = None
    episode: Number | None = None
    starts_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    languages: Languages = []
    windows: Windows = []


class ScheduleIn(_Strict):
    """When to publish."""

    at: AwareDatetime | None


class RecallIn(_Strict):
    """Why a release is taken back; subscribers read it."""

    reason: str = Field("", max_length=500)


class AssetOut(Schema):
    """An upload. `state` goes from uploaded over encoding to ready or failed; `error` says what to do."""

    id: UUID
    state: Asset.State
    source_name: str
    percent: int
    rung: str
    error: str
    duration: float | None
    width: int | None
    height: int | None
    mp4: str
    hls: str
    poster: str
    thumbnails: list[str]


class ReleaseOut(Schema):
    """A release as its studio sees it."""

    id: UUID
    version: int
    state: Release.State
    studio: str
    title: str
    title_name: str
    category: Category
    kind: ReleaseKind
    headline: str
    synopsis: str
    season: int | None
    episode: int | None
    url: str
    starts_at: datetime | None
    expires_at: datetime | None
    scheduled_at: datetime | None
    published_at: datetime | None
    languages: list[str]
    windows: list[Window]
    asset: AssetOut | None


def release_out(release: Release) -> ReleaseOut:
    """The release, whose title, studio and asset are loaded."""
    title = release.title
    copied = ("version", "state", "kind", "headline", "synopsis", "season", "episode")
    moments = ("starts_at", "expires_at", "scheduled_at", "published_at")
    return ReleaseOut(
        id=release.pk,
        studio=title.studio.slug,
        title=title.slug,
        title_name=title.name,
        category=Category(title.category),
        url=f"/titles/{title.slug}/",
        asset=asset_out(release.asset) if release.asset else None,
        languages=release.languages or [],
        windows=[Window(**window) for window in release.windows or ()],
        **{name: getattr(release, name) for name in (*copied, *moments)},
    )


def asset_out(asset: Asset) -> AssetOut:
    """The asset, with addresses in place of paths."""
    copied = ("state", "source_name", "percent", "rung", "error", "duration", "width", "height")
    storage = asset.source.storage
    return AssetOut(
        id=asset.pk,
        mp4=asset.mp4.url if asset.mp4 else "",
        hls=asset.hls.url if asset.hls else "",
        poster=asset.poster.url if asset.poster else "",
        thumbnails=[storage.url(name) for name in asset.thumbnails],
        **{name: getattr(asset, name) for name in copied},
    )
