"""Everything that is made of one video, into one folder.

index.m3u8            the master playlist
240p/index.m3u8 …     a rung: its playlist and its segments
video.mp4             the largest rung as one file
poster.jpg, thumbnail-1.jpg … thumbnail-6.jpg
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import ffmpeg
from .errors import UnusableVideo
from .ladder import Rung, ladder
from .probe import Probe, probe, read_probe

SEGMENT_SECONDS = 4
THUMBNAILS = 6
THUMBNAIL_WIDTH = 320
SHORTEST = 0.1  # seconds
MOST_RATE = 60  # frames a second
ENCODED_SHARE = 95  # of the progress bar; pictures are the rest

Report = Callable[[int, str], None]  # percent done, and what is being made


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is in the folder; paths are relative to it, `duration` is in seconds."""

    duration: float
    width: int
    height: int
    thumbnails: list[str]
    mp4: str = "video.mp4"
    hls: str = "index.m3u8"
    poster: str = "poster.jpg"


def make_all(source: Path, folder: Path, report: Report) -> Made:
    """Encode `source` into the empty `folder`. Raises `UnusableVideo`, `EncoderDied`, and what `report` raises."""
    report(0, "probe")
    found = probe(source)
    rungs = ladder(width=found.width, height=found.height)
    for rung, share in _shares(rungs):
        report(int(ENCODED_SHARE * share[0]), rung.name)
        _encode(source, folder / rung.name, rung, found.duration, partial(_tell, report, rung, share, found.duration))
    report(ENCODED_SHARE, "thumbnails")
    top = rungs[-1]
    _remux(folder, top)
    duration = _check_length(folder / "video.mp4", found)
    _write_master(folder, rungs)
    _take_pictures(folder, duration)
    thumbnails = sorted(path.name for path in folder.glob("thumbnail-*.jpg"))
    return Made(duration=duration, width=top.width, height=top.height, thumbnails=thumbnails)


def _tell(report: Report, rung: Rung, share: tuple[float, float], duration: float | None, seconds: float) -> None:
    """Say how far all is, when `seconds` of this rung are done and `share` is where it begins and how much it is."""
    part = min(seconds / duration, 1.0) if duration else 0.5
    report(int(ENCODED_SHARE * (share[0] + share[1] * part)), rung.name)


def _shares(rungs: list[Rung]) -> Iterator[tuple[Rung, tuple[float, float]]]:
    """Where each rung begins in the whole, and which part of it it is: by its number of pixels."""
    pixels = [rung.width * rung.height for rung in rungs]
    for number, rung in enumerate(rungs):
        yield rung, (sum(pixels[:number]) / sum(pixels), pixels[number] / sum(pixels))


def _encode(source: Path, target: Path, rung: Rung, duration: float | None, on_progress: ffmpeg.OnProgress) -> None:
    """One rung as HLS: H.264 in 4:2:0 with a key frame at each segment's start, and AAC where there is sound."""
    target.mkdir()
    ffmpeg.run(
        [
            *(*ffmpeg.FROM_OUTSIDE, "-threads", str(ffmpeg.THREADS), "-i", ffmpeg.url(source)),
            *("-map", "0:V:0", "-map", "0:a:0?", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"),
            *("-vf", f"scale={rung.width}:{rung.height},setsar=1,format=yuv420p", "-fpsmax", str(MOST_RATE)),
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-threads", str(ffmpeg.THREADS)),
            *("-sc_threshold", "0", "-force_key_frames", f"expr:gte(t,n_forced*{SEGMENT_SECONDS})"),
            *("-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"),
            *("-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_playlist_type", "vod"),
            *("-hls_segment_filename", "%05d.ts", "index.m3u8"),
        ],
        folder=target,
        limit_seconds=_limit(duration),
        on_progress=on_progress,
    )


def _remux(folder: Path, rung: Rung) -> None:
    """The rung as one MP4 that starts to play before it is loaded."""
    arguments = ["-i", f"{rung.name}/index.m3u8", "-c", "copy", "-movflags", "+faststart", "video.mp4"]
    ffmpeg.run(arguments, folder=folder, limit_seconds=_limit(None))


def _check_length(mp4: Path, found: Probe) -> float:
    """The video's length in seconds. Raises `UnusableVideo` when there is none, or far less than the file promised."""
    duration = read_probe(ffmpeg.look(mp4)).duration or 0.0
    if duration < SHORTEST:
        raise UnusableVideo("The file holds no moving picture that can be decoded. Export it anew and upload it again.")
    promised = found.duration or duration
    if promised - duration > max(0.75, promised * 0.05):
        message = f"The file is cut off: it should last {promised:.1f} s, but only {duration:.1f} s can be read."
        raise UnusableVideo(f"{message} Upload it again.")
    return duration


def _write_master(folder: Path, rungs: list[Rung]) -> None:
    """The master playlist. Source: RFC 8216, section 4.3.4."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for rung in rungs:
        largest = max(path.stat().st_size for path in (folder / rung.name).glob("*.ts"))
        bits = largest * 8 // SEGMENT_SECONDS
        lines.append(f"#EXT-X-STREAM-INF:BANDWIDTH={max(bits, 1)},RESOLUTION={rung.width}x{rung.height}")
        lines.append(f"{rung.name}/index.m3u8")
    (folder / "index.m3u8").write_text("\n".join(lines) + "\n")


def _take_pictures(folder: Path, duration: float) -> None:
    """A poster frame from the first fifth, and thumbnails spread over the whole."""
    poster = ["-ss", f"{duration / 5:.3f}", "-i", "video.mp4", "-frames:v", "1", "-update", "1", "-q:v", "3"]
    ffmpeg.run([*poster, "poster.jpg"], folder=folder, limit_seconds=_limit(None))
    spread = f"fps={THUMBNAILS / duration:.6f},scale={THUMBNAIL_WIDTH}:-2"
    strip = ["-i", "video.mp4", "-vf", spread, "-frames:v", str(THUMBNAILS), "-q:v", "4"]
    ffmpeg.run([*strip, "thumbnail-%d.jpg"], folder=folder, limit_seconds=_limit(None))


def _limit(duration: float | None) -> float:
    """How long ffmpeg may take, in seconds: thirty times as long as the video, at least ten minutes."""
    return max(600.0, 30 * duration) if duration else 6 * 3600.0
