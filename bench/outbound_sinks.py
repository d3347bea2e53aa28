"""Receivers for the benchmark, a process of their own: `python -m bench.outbound_sinks web PORT` or `mail PORT`.

The web sink answers by path: `/ok…` at once, `/flaky…` with 500 to every tenth idempotency key at first sight,
`/broken…` with 404, `/hang…` never. `/seen` gives what came in as JSON: {key: [how often it was taken, how often it
came]}; a DELETE forgets it.
"""

import asyncio
import sys
import time
import zlib
from collections import defaultdict

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

LOOPBACK = "127.0.0.1"
TENTH = 10


class Sink:
    """What came in, by idempotency key (of web pushes: nothing says which, so by their number)."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.last = 0.0

    def take(self, key: str, *, taken: bool = True) -> None:
        """Count one."""
        self.seen[key][0] += taken
        self.seen[key][1] += 1
        self.last = time.time()

    async def post(self, request: web.Request) -> web.Response:
        await request.read()
        key = request.headers.get("webhook-id") or f"push-{len(self.seen)}"
        if request.path.startswith("/hang"):
            await asyncio.sleep(3600)
        if request.path.startswith("/broken"):
            self.take(key, taken=False)
            return web.Response(status=404)
        is_tenth = request.path.startswith("/flaky") and zlib.crc32(key.encode()) % TENTH == 0
        fails = is_tenth and not self.seen[key][1]
        self.take(key, taken=not fails)
        return web.Response(status=500 if fails else 201)

    async def get(self, _request: web.Request) -> web.Response:
        return web.json_response({"seen": self.seen, "last": self.last})

    async def delete(self, _request: web.Request) -> web.Response:
        self.seen.clear()
        return web.Response()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """A mail."""
        self.last = time.time()
        return "250 OK"


async def serve_web(port: int) -> None:
    """Until it is killed."""
    sink, application = Sink(), web.Application()
    application.router.add_get("/seen", sink.get)
    application.router.add_delete("/seen", sink.delete)
    application.router.add_post("/{path:.*}", sink.post)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    await asyncio.Event().wait()


async def serve_mail(port: int) -> None:
    """Until it is killed."""
    handler = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler, hostname="sink"), LOOPBACK, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run({"web": serve_web, "mail": serve_mail}[sys.argv[1]](int(sys.argv[2])))
