"""`make up`: everything, embedded, with one command."""

import os
import signal
import time
from pathlib import Path
from types import FrameType

from environs import Env

from broker.processes import die_with_parent

from .console import Console
from .errors import CannotStart, StopRequested
from .folder import held
from .platform import ADDRESSES, Platform
from .ports import LOOPBACK, is_free
from .processes import PROJECT
from .server import Sleep
from .supervisor import Supervisor

GREETING = f"""
Marquee is ready: http://{LOOPBACK}:{{port}}/ (after {{seconds:.0f}} s)

  studio    studio@marquee.example    password marquee-demo
  viewer    viewer@marquee.example    password marquee-demo
  operator  operator@marquee.example  password marquee-demo

Ctrl-C stops everything; what you stored stays in {{folder}}
"""


class StopSwitch:
    """Remembers that somebody asked us to stop."""

    def __init__(self) -> None:
        self.pressed = False
        signals = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it, and means that
            signals.append(signal.SIGHUP)
        for number in signals:
            signal.signal(number, self._press)

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True


def up(*, with_parent: bool) -> int:
    """Run the platform until stopped; the exit code. `with_parent`: also stop when our parent (make) dies."""
    console, switch = Console(), StopSwitch()
    if with_parent:
        die_with_parent(os.getppid(), signal.SIGTERM)

    def pump(seconds: float) -> None:
        console.pump(seconds)
        if switch.pressed:
            raise StopRequested

    try:
        Env().read_env(PROJECT / ".env", recurse=False)
        folder = Path(os.environ.get("OTT_DATA_DIR") or PROJECT / ".data").resolve()
        with held(folder):
            _run(Platform(folder, port=_port(), output=console, given=_given(), sleep=pump), console, pump)
    except StopRequested:
        console.say("Stopped.")
    except (CannotStart, OSError) as error:
        console.say(str(error))
        return 1
    return 0


def _run(platform: Platform, console: Console, pump: Sleep) -> None:
    started = time.monotonic()
    try:
        for server in platform.servers:
            console.say(f"Starting {server.name}.")
        platform.start_servers()
        if not platform.is_prepared(seed=True):
            console.say("Preparing the database: the first time takes a while.")
            platform.prepare(seed=True)
        platform.start_processes()
        supervisor = Supervisor(platform, console)
        supervisor.wait_until_ready(pump)
        seconds = time.monotonic() - started
        console.say(GREETING.format(port=platform.port, seconds=seconds, folder=platform.folder))
        supervisor.watch(pump)
    finally:
        console.say("Stopping.")
        platform.stop(console.pump)


def _given() -> dict[str, str]:
    return {name: os.environ[name] for name in ADDRESSES if os.environ.get(name)}


def _port() -> int:
    text = os.environ.get("OTT_PORT") or "8000"
    if not text.isdecimal() or int(text) not in range(1, 2**16):
        raise CannotStart(f"OTT_PORT is {text!r}, which is not a port. Try OTT_PORT=8001.")
    try:
        free = is_free(int(text))
    except PermissionError:
        raise CannotStart(f"This user may not listen on port {text}. Choose another: OTT_PORT=8001 make up.") from None
    if not free:
        raise CannotStart(
            f"Port {text} is taken by another program. Stop that one, or choose another port: OTT_PORT=8001 make up."
        )
    return int(text)
