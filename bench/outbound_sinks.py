"""Receivers for the benchmark, a process of their own: `python -m bench.outbound_sinks WEB_PORT MAIL_PORT`.

They answer by path, or by how the reader's address begins: `ok` at once, `flaky` with a passing error to every tenth
idempotency key at first sight, `broken` with a lasting one, `hang` never. `/seen` gives what came in as JSON: {key:
[how often it was taken, how often it came]}; a DELETE forgets it.
"""

import asyncio
import sys
import time
import zlib
from collections import defaultdict
from email.parser import BytesHeaderParser
from typing import cast

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

LOOPBACK = "127.0.0.1"
TENTH = 10


class Sink:
    """What came in, by idempotency key: of web pushes that is their address, where each notification comes once."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.last = 0.0

    def takes(self, key: str, manner: str) -> bool:
        """Count one; whether it is taken by a receiver of that manner."""
        fails = manner == "broken" or (manner == "flaky" and not self.seen[key][1] and _is_tenth(key))
        self.seen[key][0] += not fails
        self.seen[key][1] += 1
        self.last = time.time()
        return not fails

    async def post(self, request: web.Request) -> web.Response:
        await request.read()
        manner = request.path.split("/")[1]
        if manner == "hang":
            await asyncio.sleep(3600)
        is_taken = self.takes(request.headers.get("webhook-id", request.path), manner)
        return web.Response(status=201 if is_taken else 404 if manner == "broken" else 500)

    async def get(self, _request: web.Request) -> web.Response:
        return web.json_response({"seen": self.seen, "last": self.last})

    async def delete(self, _request: web.Request) -> web.Response:
        self.seen.clear()
        return web.Response()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """A mail."""
        manner = envelope.rcpt_tos[0].partition("-")[0]
        key = BytesHeaderParser().parsebytes(cast(bytes, envelope.original_content))["Message-ID"]
        if self.takes(key, manner):
            return "250 OK"
        return "550 Nobody lives here" if manner == "broken" else "451 Not now"


def _is_tenth(key: str) -> bool:
    return zlib.crc32(key.encode()) % TENTH == 0


async def serve(web_port: int, mail_port: int) -> None:
    """Until it is killed."""
    sink, application = Sink(), web.Application()
    application.router.add_get("/seen", sink.get)
    application.router.add_delete("/seen", sink.delete)
    application.router.add_post("/{path:.*}", sink.post)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, web_port).start()
    loop = asyncio.get_running_loop()
    mail = await loop.create_server(lambda: SMTP(sink, hostname="sink"), LOOPBACK, mail_port)
    await mail.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
