"""Small real videos, made by ffmpeg."""

import subprocess
from pathlib import Path

import imageio_ffmpeg


def make_video(path: Path, *, seconds: float = 2, size: str = "320x180", sound: bool = True) -> Path:
    """A moving test picture of `size` (WIDTHxHEIGHT) with a tone."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
    command += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}"]
    if sound:
        command += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}", "-c:a", "aac"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, check=True)
    return path
