"""What kind of video a file holds, read from what ffmpeg says about it."""

import re
from dataclasses import dataclass
from pathlib import Path

from . import ffmpeg
from .errors import UnusableVideo

SMALLEST, LARGEST = 16, 8192  # pixels on a side
_VIDEO = re.compile(r"Stream #\d+:\d+.*?: Video: (.*)")
_SIZE = re.compile(r"\b([1-9]\d{0,4})x([1-9]\d{0,4})\b")  # not the 0x… of a codec's tag
_PIXEL_SHAPE = re.compile(r"\bSAR (\d+):(\d+)")
_ROTATION = re.compile(r"rotation of (-?\d+)")
_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A video as it should be shown: upright, with square pixels. `duration` is in seconds, if the file says it."""

    width: int
    height: int
    duration: float | None
    has_sound: bool


def probe(source: Path) -> Probe:
    """Look into the file. Raises `UnusableVideo` for what is no video, or none of a sensible size."""
    return read_probe(ffmpeg.look(source))


def read_probe(log: str) -> Probe:
    """Read ffmpeg's description of an input. Raises as `probe`."""
    if "Input #0" not in log:
        raise UnusableVideo(_not_a_video(log))
    pictures = [line for line in _VIDEO.findall(log) if "(attached pic)" not in line]
    if not pictures:
        raise UnusableVideo("The file has no video, only sound or data. Upload a file with pictures in it.")
    width, height = _size(pictures[0], log)
    if min(width, height) < SMALLEST or max(width, height) > LARGEST:
        raise UnusableVideo(f"The picture is {width} by {height} pixels; each side must have {SMALLEST} to {LARGEST}.")
    return Probe(width=width, height=height, duration=_duration(log), has_sound=": Audio: " in log)


def _not_a_video(log: str) -> str:
    if "moov atom not found" in log:
        return "The file is cut off or was not finished: its index is missing. Export or upload it again."
    return "This is not a video that we can read. Upload an MP4, MOV, MKV, WebM, AVI or MPEG file."


def _size(stream: str, log: str) -> tuple[int, int]:
    found = _SIZE.search(stream)
    if not found:
        raise UnusableVideo("The file does not say how large its picture is. Export it anew and upload it again.")
    width, height = int(found[1]), int(found[2])
    shape = _PIXEL_SHAPE.search(stream)
    if shape and int(shape[1]) and int(shape[2]):
        width = round(width * int(shape[1]) / int(shape[2]))
    rotation = _ROTATION.search(log)
    lies_on_its_side = rotation is not None and int(rotation[1]) % 180 == 90  # noqa: PLR2004
    return (height, width) if lies_on_its_side else (width, height)


def _duration(log: str) -> float | None:
    found = _DURATION.search(log)
    if not found:
        return None
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
