"""The messages that the catalog publishes, and their schemas."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from broker.messages import Message
from broker.schemas import register, upcaster

from .models import Asset, Category, Release, ReleaseKind

SOURCE = "/marquee/catalog"
RELEASE = "release:"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(BaseModel):
    """A release is out in `region` from `opens_at` (null: at once) until `closes_at` (null: for good)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    opens_at: AwareDatetime | None
    closes_at: AwareDatetime | None


@register("release.published", 3)
@register("release.updated", 3)
class ReleaseData(_Data):
    """A release as subscribers see it, at `version` of its aggregate."""

    release_id: UUID
    version: int
    kind: str
    headline: str
    synopsis: str
    title_slug: str
    title_name: str
    title_type: str
    category: str
    category_label: str
    studio_slug: str
    studio_name: str
    maturity: int
    season: int | None
    episode: int | None
    url: str
    image: str
    published_at: AwareDatetime
    starts_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    languages: list[str]  # none: not said
    windows: list[Window]  # none: out everywhere
    changed_at: AwareDatetime


@register("release.recalled", 3)
class RecalledReleaseData(ReleaseData):
    """A release that was taken back, with the studio's reason."""

    reason: str


@register("listing.added", 1)
@register("listing.changed", 1)
@register("listing.withdrawn", 1)
class ListingData(_Data):
    """A release as programme guides and search engines want it: what bindings make of `ReleaseData`."""

    release_id: UUID
    version: int
    kind: str
    headline: str
    title: str
    studio: str
    category: str
    maturity: int
    season: int | None
    episode: int | None
    url: str
    available_from: AwareDatetime
    starts_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    changed_at: AwareDatetime


Reference = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,120}$", description="What your own system calls the release")]
Number = Annotated[int, Field(ge=1, le=32_767)]


@register("studio.release.planned", 1)
class ReleasePlannedData(_Data):
    """A studio plans a release, or has changed its plan; fields that are left out stay as they are."""

    reference: Reference
    title: Annotated[str, Field(min_length=1, max_length=160, description="A title's slug, or a name")]
    kind: ReleaseKind
    category: Category | None = Field(None, description="Needed when `title` makes a new one")
    headline: Annotated[str, Field(min_length=1, max_length=160)] | None = None
    synopsis: Annotated[str, Field(max_length=2000)] | None = None
    season: Number | None = None
    episode: Number | None = None
    starts_at: AwareDatetime | None = Field(None, description="When a live event begins")
    expires_at: AwareDatetime | None = Field(None, description="When the release is over")
    languages: list[str] | None = Field(None, description="ISO 639-1; spoken or subtitled")
    windows: list[Window] | None = Field(None, description="The regions in which it is out; everywhere without")


@register("studio.release.scheduled", 1)
class ReleaseScheduledData(_Data):
    """A studio has fixed when a release is published; `null` takes it back."""

    reference: Reference
    at: AwareDatetime | None


@register("studio.release.withdrawn", 1)
class ReleaseWithdrawnData(_Data):
    """A studio takes a published release back, for good."""

    reference: Reference
    reason: Annotated[str, Field(max_length=500)] = ""


@register("asset.attached", 1)
class AssetAttachedData(_Data):
    """A video is waiting for the encoder."""

    asset_id: UUID
    release_id: UUID


@upcaster("release.published", 1)
@upcaster("release.updated", 1)
@upcaster("release.recalled", 1)
def _with_moment_of_change(message: Message) -> dict[str, Any]:
    """Version 1 did not say when the release changed; the envelope does."""
    return {**message.data, "changed_at": message.time.isoformat()}


@upcaster("release.published", 2)
@upcaster("release.updated", 2)
@upcaster("release.recalled", 2)
def _for_everybody(message: Message) -> dict[str, Any]:
    """Version 2 knew neither languages nor windows."""
    return {**message.data, "languages": [], "windows": []}


def release_published(release: Release) -> Message:
    """Tell subscribers of a new release."""
    return _about(release, "release.published", {})


def release_updated(release: Release) -> Message:
    """Tell subscribers that a published release has changed."""
    return _about(release, "release.updated", {})


def release_recalled(release: Release, *, reason: str) -> Message:
    """Tell subscribers that a release was taken back."""
    return _about(release, "release.recalled", {"reason": reason})


def asset_attached(release: Release, asset: Asset) -> Message:
    """Ask for the asset to be encoded."""
    key = release_key(release.pk)
    data = {"asset_id": str(asset.pk), "release_id": str(release.pk)}
    return Message(
        type="asset.attached",
        source=SOURCE,
        subject=key,
        key=key,
        exchange="media",
        routing_key="asset.attached",
        headers={"studio": release.title.studio.slug},  # studios take turns at the encoder
        data=data,
    )


def release_key(release_id: UUID) -> str:
    """The aggregate's name, by which its messages are ordered, too."""
    return f"{RELEASE}{release_id}"


def release_id_in(key: str) -> UUID:
    """The release whose `release_key` it is."""
    return UUID(key.removeprefix(RELEASE))


def _about(release: Release, type_: str, further: dict[str, Any]) -> Message:
    key = release_key(release.pk)
    return Message(
        type=type_,
        version=3,
        source=SOURCE,
        subject=key,
        key=key,
        exchange="catalog",
        routing_key=f"{type_}.{release.title.category}",
        data={**release_data(release), **further},
    )


def release_data(release: Release) -> dict[str, Any]:
    """The release in JSON types; see `ReleaseData`."""
    title = release.title
    return {
        "release_id": str(release.pk),
        "version": release.version,
        "kind": release.kind,
        "headline": release.headline,
        "synopsis": release.synopsis,
        "title_slug": title.slug,
        "title_name": title.name,
        "title_type": title.type,
        "category": title.category,
        "category_label": Category(title.category).label,
        "studio_slug": title.studio.slug,
        "studio_name": title.studio.name,
        "maturity": title.maturity,
        "season": release.season,
        "episode": release.episode,
        "url": f"/titles/{title.slug}/",
        "image": _image(release),
        **{name: _iso(getattr(release, name)) for name in ("published_at", "starts_at", "expires_at")},
        "languages": release.languages or [],
        "windows": release.windows or [],
        "changed_at": _iso(release.updated_at),
    }


def _image(release: Release) -> str:
    """The title's poster, or a frame of the video, or nothing."""
    if release.title.poster:
        return release.title.poster.url
    return release.playable.poster.url if release.playable and release.playable.poster else ""


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
