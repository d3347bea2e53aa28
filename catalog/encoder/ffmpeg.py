"""Running ffmpeg on files that strangers uploaded.

It may open local files only, through the demuxers of common video containers: a playlist in disguise cannot make it
read something else. There is no shell and no standard input; it runs at low priority, with few threads and with time
limits, and dies with the process that started it.
"""

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import imageio_ffmpeg

from broker.processes import dying_with_parent

from .errors import EncoderDied, UnusableVideo

CONTAINERS = "mov,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,m4v"
FROM_OUTSIDE = ("-protocol_whitelist", "file", "-format_whitelist", CONTAINERS)
COMMON = ("-hide_banner", "-nostdin", "-y")
STALL_SECONDS = 60.0  # ffmpeg reports twice a second; one that is silent for so long hangs
THREADS = min(4, os.cpu_count() or 1)
NICENESS = 10

OnProgress = Callable[[float], None]  # seconds of the video done so far


def look(source: Path) -> str:
    """What ffmpeg says about a file from outside."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *COMMON, *FROM_OUTSIDE, "-i", url(source)]
    with _child(command, source.parent) as (process, log):
        _wait(process, deadline=time.monotonic() + STALL_SECONDS)
        return _read(log)


def run(arguments: Sequence[str], *, folder: Path, limit_seconds: float, on_progress: OnProgress | None = None) -> None:
    """Run ffmpeg in `folder` to its end; name output there without a path, in which a "%" would be a pattern.

    Raises `UnusableVideo` when it gives up on the input, `EncoderDied` when it was killed, hangs, is slower than
    `limit_seconds`, or the disk is full. What `on_progress` raises ends it, too.
    """
    options = ("-loglevel", "error", "-progress", "pipe:1", "-stats_period", "0.5")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *COMMON, *options, *arguments]
    with _child(command, folder) as (process, log):
        deadline = time.monotonic() + limit_seconds
        _follow(process, deadline, on_progress)
        code = _wait(process, deadline)
        if code != 0:
            raise _failure(code, _read(log))


@contextmanager
def _child(command: Sequence[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A running ffmpeg and its log; it is dead when the block ends, however that ends."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  # a fixed program, and arguments that we made
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=_in_child(),  # noqa: PLW1509  # two system calls; the kernel offers no other way to set them
        )
        try:
            yield process, log
        finally:
            process.kill()
            process.communicate()


def _in_child() -> Callable[[], None]:
    die_too = dying_with_parent()

    def prepare() -> None:
        die_too()
        os.nice(NICENESS)

    return prepare


def _follow(process: subprocess.Popen[bytes], deadline: float, on_progress: OnProgress | None) -> None:
    """Read the progress reports until ffmpeg closes the pipe."""
    pipe = process.stdout
    if pipe is None:
        raise TypeError("ffmpeg was started without a pipe for its progress")
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        rest = b""
        while True:
            if not selector.select(STALL_SECONDS) or time.monotonic() > deadline:
                raise EncoderDied("ffmpeg hangs, or takes too long")
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            if on_progress:
                _report(lines, on_progress)


def _report(lines: Sequence[bytes], on_progress: OnProgress) -> None:
    for line in lines:
        name, _, value = line.partition(b"=")
        if name == b"out_time_us" and value.strip().isdigit():
            on_progress(int(value) / 1_000_000)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> int:
    try:
        return process.wait(max(deadline - time.monotonic(), 1.0))
    except subprocess.TimeoutExpired as error:
        raise EncoderDied("ffmpeg takes too long") from error


def _failure(code: int, log: str) -> Exception:
    if code < 0 or "No space left on device" in log:
        return EncoderDied(f"ffmpeg ended with {code}: {log[-500:]}")
    last = log.strip().splitlines()[-1:] or ["no reason given"]
    return UnusableVideo(f"The video cannot be decoded ({last[0].strip()}). Export it anew and upload it again.")


def _read(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read(1_000_000).decode(errors="replace")


def url(path: Path) -> str:
    """A path that ffmpeg cannot take for an option or another protocol."""
    return f"file:{path.resolve()}"
