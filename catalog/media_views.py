"""Pictures and videos: in ranges, so that players can seek, and only to those who may see them."""

from datetime import timedelta
from pathlib import Path, PurePosixPath
from uuid import UUID

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils._os import safe_join
from django.views.decorators.http import require_safe

from accounts.clock import database_now
from accounts.models import User

from .models import Release, StudioMember
from .ranges import Span, UnsatisfiableRange, body_of, requested_span

CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}
ART = frozenset({"posters", "backdrops"})
PUBLIC_FOR = timedelta(hours=1)  # a recalled release may stay in caches for that long


@require_safe
def serve_media(request: HttpRequest, path: str) -> HttpResponseBase:
    """Serve a file below MEDIA_ROOT: art to all, assets of published releases to all, others to their studio.

    Answers 206 and 416 for one range of bytes (RFC 9110, section 14) and 304 for what the client has. Uploads and
    half-made encodes are never served.
    """
    is_public = _is_public(request, path)
    file = _file(path)
    status = file.stat()
    etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponseBase = HttpResponseNotModified()
    else:
        response = _in_range(request, file, status.st_size, etag)
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    seconds = int(PUBLIC_FOR.total_seconds())
    response["Cache-Control"] = f"public, max-age={seconds}" if is_public else "private, no-store"
    return response


def _in_range(request: HttpRequest, file: Path, size: int, etag: str) -> HttpResponseBase:
    wanted = request.headers.get("Range", "")
    if request.headers.get("If-Range", etag) != etag:
        wanted = ""
    try:
        span = requested_span(wanted, size)
    except UnsatisfiableRange:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    whole = Span(first=0, length=size)
    response = body_of(request, file, span or whole)
    response["Content-Type"] = CONTENT_TYPES[file.suffix]
    response["Content-Length"] = str((span or whole).length)
    if span is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
    return response


def _file(path: str) -> Path:
    """The file at the path below MEDIA_ROOT. Raises `Http404` for anything else."""
    try:
        file = Path(safe_join(settings.MEDIA_ROOT, path))
    except (SuspiciousFileOperation, ValueError) as error:
        raise Http404 from error
    if file.suffix not in CONTENT_TYPES or not file.is_file():
        raise Http404
    return file


def _is_public(request: HttpRequest, path: str) -> bool:
    """Whether everybody may see it. Raises `Http404` for whoever may not."""
    parts = PurePosixPath(path).parts
    if ".." in parts or len(parts) < 2:  # noqa: PLR2004
        raise Http404
    if parts[0] in ART:
        return True
    if parts[0] != "assets":
        raise Http404
    asset_id = _uuid(parts[1])
    published = Release.objects.filter(playable_id=asset_id, state=Release.State.PUBLISHED)
    if published.exclude(expires_at__lte=database_now()).exists():
        return True
    if not _is_of_the_studio(request, asset_id):
        raise Http404
    return False


def _is_of_the_studio(request: HttpRequest, asset_id: UUID) -> bool:
    if not isinstance(request.user, User):
        return False
    studios = StudioMember.objects.filter(user=request.user).values("studio")
    releases = Release.objects.filter(title__studio__in=studios)
    return releases.filter(asset_id=asset_id).exists() or releases.filter(playable_id=asset_id).exists()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error
