"""nginx with Nchan, a pub/sub server in C: how far a gateway in Python is from it.

`bench/install-nchan.sh` installs it.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from .live_audience import Sample
from .live_contenders import HOST, Contender

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_CONFIG = """
load_module {module};
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr error;
worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder}; keepalive_requests 1000000;
  server {{
    listen {host}:{port};
    location /publish {{ nchan_publisher http; nchan_channel_id bench; nchan_store_messages off; }}
    location /listen {{ nchan_subscriber websocket; nchan_channel_id bench; }}
  }}
}}
"""


def is_installed() -> bool:
    """Whether it can be measured here."""
    return shutil.which("nginx") is not None and MODULE.exists()


class Nchan:
    """A contender that sends everything to everybody."""

    def __init__(self, *, folder: Path, port: int, frame: str) -> None:
        self._folder = folder
        self._port = port
        self._frame = frame
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def contender(self, *, connections: int, postings: int) -> Contender:
        """It, for that many clients."""
        config = self._folder / "nginx.conf"
        config.write_text(_CONFIG.format(module=MODULE, folder=self._folder, host=HOST, port=self._port))
        return Contender(
            name="nchan",
            command=_command(config, self._folder),
            environment={},
            publish=self._publish,
            path="/listen",
            headers=[[]] * connections,
            postings=postings,
            marker="\r\n\r\n",
            filters=False,
            port=self._port,
        )

    async def _publish(self, _: Sample) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection(HOST, self._port)
        reader, writer = self._streams
        body = self._frame.encode()
        writer.write(b"POST /publish HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if "chunked" in head:
            raise RuntimeError("Nchan answered in chunks, which it has not done so far.")
        length = next((line for line in head.splitlines() if line.startswith("content-length:")), "content-length: 0")
        await reader.readexactly(int(length.partition(":")[2]))


def _command(config: Path, folder: Path) -> Sequence[str]:
    return [str(shutil.which("nginx")), "-p", str(folder), "-c", str(config)]
