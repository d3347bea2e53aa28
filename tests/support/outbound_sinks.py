"""Real receivers on loopback: a web server that behaves as its path says, a mail server, a push service that reads."""

import asyncio
import base64
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import http_ece
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ott.embedded.ports import LOOPBACK, free_port


@dataclass(frozen=True)
class Hit:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class WebSink:
    """A web server whose paths are its behaviour: /ok /500 /429 /hang /reset /garbage /410 /redirect, and /document."""

    port: int
    hits: list[Hit] = field(default_factory=list)
    redirect_to: str = ""
    retry_after: str = "7"
    document: dict[str, Any] = field(default_factory=dict)
    release: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = LOOPBACK) -> str:
        return f"http://{host}:{self.port}{path}"

    def keys(self) -> Counter[str]:
        """How often each idempotency key came."""
        return Counter(hit.headers["webhook-id"] for hit in self.hits)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        hit = Hit(request.path, headers, await request.read(), time.time())
        self.hits.append(hit)
        match request.path.split("/")[1]:
            case "hang":
                while not self.release.is_set():
                    await asyncio.sleep(0.02)
            case "reset" | "garbage" as how:
                _misbehave(request, how)
            case "429":
                return web.Response(status=429, headers={"Retry-After": self.retry_after})
            case "document":
                return web.json_response(self.document)
            case "redirect":
                return web.Response(status=302, headers={"Location": self.redirect_to})
            case status if status.isdecimal():
                return web.Response(status=int(status))
        return web.Response(text="thanks")


def _misbehave(request: web.Request, how: str) -> None:
    assert request.transport is not None
    if how == "garbage":
        request.transport.write(b"\x00\xffnot http at all\r\n\r\n")
        request.transport.close()
    else:
        request.transport.abort()


@contextmanager
def web_sink() -> Iterator[WebSink]:
    """A running web sink, on a thread of its own."""
    sink, loop, ready = WebSink(free_port()), asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", sink.answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, sink.port).start()
        return runner

    def serve() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield sink
    finally:
        sink.release.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


class Browser:
    """The keys of a browser that has subscribed, with which it reads what it is pushed (RFC 8291)."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = b"0123456789abcdef"

    @property
    def push_key(self) -> str:
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).rstrip(b"=").decode()

    @property
    def push_auth(self) -> str:
        return base64.urlsafe_b64encode(self._auth).rstrip(b"=").decode()

    def read(self, body: bytes) -> bytes:
        """Decrypt a push. Raises when it was not meant for this browser."""
        plain: bytes = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        return plain


@dataclass
class MailSink:
    """A mail server that counts its connections, and takes everything but for readers whose names say otherwise.

    To 550@… it answers 550, and so on; at hang@…, reset@… and garbage@… it does what they say.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    connections: int = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        match address.partition("@")[0]:
            case "hang":
                await asyncio.Event().wait()
            case "reset":
                assert isinstance(server.transport, asyncio.WriteTransport)
                server.transport.abort()
            case "garbage":
                return "\x00\xff no reply at all"
            case code if code.isdecimal():
                return f"{code} no"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=policy.default))
        return "250 OK"


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    """A running mail server."""
    sink = MailSink(free_port())
    controller = Controller(sink, hostname=LOOPBACK, port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port of loopback where connections are taken and nothing is ever said."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]
