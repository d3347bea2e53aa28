"""Studios, people and releases for tests of the catalog."""

from itertools import count
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from broker.models import OutboxMessage
from catalog.commands import add_studio_member, attach_asset, create_studio, draft_release
from catalog.encoding_commands import Encoded, record_encoded
from catalog.models import Asset, Release, Studio, StudioMember

_numbers = count(1)


def a_user(name: str = "user") -> User:
    return User.objects.create_user(f"{name}{next(_numbers)}@example.test", "correct horse battery")


def a_studio(owner: User | None = None) -> tuple[Studio, User]:
    """A studio and its owner."""
    owner = owner or a_user("owner")
    return create_studio(actor=owner, name=f"Studio {next(_numbers)}"), owner


def a_member(studio: Studio, role: str = StudioMember.Role.EDITOR) -> User:
    user = a_user(role)
    add_studio_member(actor=None, studio=studio, user=user, role=role)
    return user


def a_draft(studio: Studio | None = None, **details: Any) -> Release:
    studio = studio or a_studio()[0]
    given = {"title": f"Title {next(_numbers)}", "kind": "premiere", "category": "movies"} | details
    return draft_release(actor=None, studio=studio, **given)


def upload(content: bytes = b"not really a video", name: str = "film.mp4") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="video/mp4")


def with_asset(release: Release, content: bytes = b"video") -> Asset:
    return attach_asset(actor=None, release_id=release.pk, upload=upload(content))


def mark_encoded(asset: Asset) -> bool:
    """Say that the encoder is done, without encoding."""
    base = f"assets/{asset.pk}"
    made = {"mp4": f"{base}/video.mp4", "hls": f"{base}/index.m3u8", "poster": f"{base}/poster.jpg"}
    result = Encoded(duration=1.0, width=320, height=180, thumbnails=[f"{base}/thumbnail-1.jpg"], **made)
    return record_encoded(asset_id=asset.pk, result=result)


def published_messages() -> list[dict[str, Any]]:
    """The bodies of all messages in the outbox, oldest first."""
    return list(OutboxMessage.objects.order_by("id").values_list("body", flat=True))


def types_of_messages() -> list[str]:
    return [body["type"] for body in published_messages()]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
