"""Parts of files: reading the Range header, and sending a part without holding it in memory."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.IGNORECASE)


class UnsatisfiableRange(Exception):
    """The range begins behind the end of the file."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """`length` bytes from `first` on."""

    first: int
    length: int

    @property
    def last(self) -> int:
        """The last byte that belongs to it."""
        return self.first + self.length - 1


def requested_span(header: str, size: int) -> Span | None:
    """What a Range header asks of a file of `size` bytes; None for all of it.

    A header that is malformed or asks for several ranges is ignored, as RFC 9110, section 14.2, allows. Raises
    `UnsatisfiableRange`.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:  # the last so many bytes
        length = min(int(last), size)
        if length == 0:
            raise UnsatisfiableRange
        return Span(first=size - length, length=length)
    begin, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < begin:
        return None
    if begin >= size:
        raise UnsatisfiableRange
    return Span(first=begin, length=end - begin + 1)


def body_of(request: HttpRequest, file: Path, span: Span) -> StreamingHttpResponse:
    """A response that streams the span: in the way that the server of this request can do without blocking."""
    if isinstance(request, ASGIRequest):
        return StreamingHttpResponse(_chunks_async(file, span))
    return StreamingHttpResponse(_chunks(file, span))


def _chunks(file: Path, span: Span) -> Iterator[bytes]:
    with file.open("rb") as opened:
        opened.seek(span.first)
        left = span.length
        while left and (chunk := opened.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


async def _chunks_async(file: Path, span: Span) -> AsyncIterator[bytes]:
    """Reads in threads, because a disk may be slow and the event loop serves live connections, too."""
    opened = await asyncio.to_thread(file.open, "rb")
    try:
        opened.seek(span.first)
        left = span.length
        while left and (chunk := await asyncio.to_thread(opened.read, min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
    finally:
        opened.close()
