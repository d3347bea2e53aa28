"""Serving pictures and videos: in parts, and only to those who may see them."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from pytest_django import Settings

from catalog import commands
from catalog.models import Asset, Release
from catalog.ranges import CHUNK, Span, body_of
from catalog.request_limit import limit_requests
from tests.support.catalog import a_draft, a_member, a_user, mark_encoded, with_asset

pytestmark = pytest.mark.django_db
CONTENT = bytes(range(256)) * 8


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def release() -> Release:
    return a_draft()


@pytest.fixture
def asset(release: Release, media: Path) -> Asset:
    made = with_asset(release)
    mark_encoded(made)
    for name in ("video.mp4", "index.m3u8", "240p/00000.ts", "poster.jpg", "result.json"):
        file = media / "assets" / str(made.pk) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(CONTENT)
    return made


@pytest.fixture
def public(asset: Asset, release: Release) -> str:
    commands.publish_release(actor=None, release_id=release.pk)
    return f"/media/assets/{asset.pk}"


def fetch(path: str, **headers: str) -> Any:
    return Client().get(path, headers=headers)


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_whole_file_has_its_type_and_length(public: str) -> None:
    answer = fetch(f"{public}/video.mp4")

    assert (answer.status_code, content(answer)) == (200, CONTENT)
    assert (answer["Content-Type"], answer["Content-Length"]) == ("video/mp4", str(len(CONTENT)))
    assert answer["Accept-Ranges"] == "bytes"
    assert "public" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("name", "type_"),
    [("index.m3u8", "application/vnd.apple.mpegurl"), ("240p/00000.ts", "video/mp2t"), ("poster.jpg", "image/jpeg")],
)
def test_playlists_segments_and_pictures_have_their_types(public: str, name: str, type_: str) -> None:
    assert fetch(f"{public}/{name}")["Content-Type"] == type_


@pytest.mark.parametrize(
    ("wanted", "first", "last"), [("bytes=0-", 0, 2047), ("bytes=100-199", 100, 199), ("bytes=-48", 2000, 2047)]
)
def test_a_part_is_sent_as_such(public: str, wanted: str, first: int, last: int) -> None:
    answer = fetch(f"{public}/video.mp4", Range=wanted)

    assert (answer.status_code, content(answer)) == (206, CONTENT[first : last + 1])
    assert answer["Content-Range"] == f"bytes {first}-{last}/2048"
    assert answer["Content-Length"] == str(last - first + 1)


def test_a_part_behind_the_end_is_refused(public: str) -> None:
    answer = fetch(f"{public}/video.mp4", Range="bytes=2048-")

    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */2048")


def test_what_the_client_has_is_not_sent_again(public: str) -> None:
    etag = fetch(f"{public}/video.mp4")["ETag"]

    assert fetch(f"{public}/video.mp4", **{"If-None-Match": etag}).status_code == 304
    assert fetch(f"{public}/video.mp4", **{"If-Range": etag, "Range": "bytes=0-9"}).status_code == 206
    assert fetch(f"{public}/video.mp4", **{"If-Range": '"older"', "Range": "bytes=0-9"}).status_code == 200


def test_head_sends_no_content(public: str) -> None:
    answer = Client().head(f"{public}/video.mp4")

    assert (answer.status_code, answer["Content-Length"]) == (200, "2048")


def test_a_drafts_video_is_for_its_studio_alone(asset: Asset, release: Release) -> None:
    path = f"/media/assets/{asset.pk}/video.mp4"
    member, stranger = Client(), Client()
    member.force_login(a_member(release.title.studio))
    stranger.force_login(a_user())

    answer = member.get(path)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-store")
    assert stranger.get(path).status_code == 404
    assert fetch(path).status_code == 404


def test_a_recalled_video_is_gone(public: str, release: Release) -> None:
    commands.recall_release(actor=None, release_id=release.pk)

    assert fetch(f"{public}/video.mp4").status_code == 404


def test_uploads_and_anything_else_are_never_served(public: str, media: Path, asset: Asset) -> None:
    (media / "posters").mkdir()
    (media / "posters" / "a.webp").write_bytes(b"art")
    (media / "secret.mp4").write_bytes(b"secret")

    assert content(fetch("/media/posters/a.webp")) == b"art"
    hidden = [
        f"uploads/{Path(asset.source.path).name}",
        "secret.mp4",
        "posters/../secret.mp4",
        "posters/%2e%2e/secret.mp4",
    ]
    hidden += ["assets/nonsense/video.mp4", f"assets/{asset.pk}/../../secret.mp4", f"assets/{asset.pk}/result.json"]
    hidden += [
        f"assets/{asset.pk}/none.mp4",
        f"assets/{asset.pk}",
        "encoding/x/video.mp4",
        "posters/%00.webp",
        "/etc/x.mp4",
    ]
    assert {path: fetch(f"/media/{path}").status_code for path in hidden} == dict.fromkeys(hidden, 404)


async def test_under_asgi_a_file_is_streamed_without_blocking(tmp_path: Path) -> None:
    file = tmp_path / "large.mp4"
    file.write_bytes(CONTENT * 400)
    request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "headers": []}, BytesIO())

    answer = body_of(request, file, Span(first=5, length=CHUNK + 10))

    stream = answer.streaming_content
    assert isinstance(stream, AsyncIterator)
    chunks = [chunk async for chunk in stream]
    assert [len(chunk) for chunk in chunks] == [CHUNK, 10]
    assert b"".join(chunks) == (CONTENT * 400)[5 : 5 + CHUNK + 10]


# --- The limit on requests -----------------------------------------------------------------------------------------


class Caller:
    """Sends a request with a body in pieces to an ASGI application behind the limit."""

    def __init__(self, pieces: list[bytes], headers: list[tuple[bytes, bytes]]) -> None:
        self.pieces, self.headers = pieces, headers
        self.sent: list[Any] = []
        self.seen = b""
        self.aborted = False

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        while (event := await receive())["type"] == "http.request":
            self.seen += event["body"]
            if not event["more_body"]:
                return
        self.aborted = True

    async def receive(self) -> Any:
        return {"type": "http.request", "body": self.pieces.pop(0), "more_body": bool(self.pieces)}

    async def send(self, event: Any) -> None:
        self.sent.append(event)

    async def call(self) -> None:
        scope = {"type": "http", "headers": self.headers}
        await asyncio.wait_for(limit_requests(self.application)(scope, self.receive, self.send), 5)


async def test_a_request_that_says_it_is_too_large_is_refused_unread(settings: Settings) -> None:
    settings.CATALOG_MAX_UPLOAD_BYTES = 10
    caller = Caller([b"x"], [(b"content-length", b"3000000")])

    await caller.call()

    assert (caller.sent[0]["status"], caller.seen, len(caller.pieces)) == (413, b"", 1)
    assert b"upload-too-large" in caller.sent[1]["body"]


async def test_a_request_that_hides_its_length_is_cut_off_at_the_limit(settings: Settings) -> None:
    settings.CATALOG_MAX_UPLOAD_BYTES = 10
    caller = Caller([b"x" * 600_000 for _ in range(10)], [])

    await caller.call()

    assert caller.aborted
    assert len(caller.pieces) == 8


async def test_a_request_within_the_limit_passes_whole() -> None:
    caller = Caller([b"one", b"two"], [(b"content-length", b"6")])

    await caller.call()

    assert (caller.seen, caller.sent) == (b"onetwo", [])
