"""Encoding, with the real ffmpeg and real files."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from django.core.files.base import File
from pytest_django import Settings

from catalog import tasks
from catalog.commands import attach_asset
from catalog.encoder.errors import AlreadyEncoding
from catalog.encoder.ffmpeg import look
from catalog.encoder.probe import Probe, read_probe
from catalog.encoding_commands import report_progress
from catalog.events import asset_attached
from catalog.models import Asset, Release
from tests.support.catalog import a_draft, files_below, types_of_messages
from tests.support.videos import make_video

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 320 by 180 with sound."""
    return make_video(tmp_path_factory.mktemp("videos") / "clip.mp4")


def attach(release: Release, file: Path) -> Asset:
    with file.open("rb") as opened:
        return attach_asset(actor=None, release_id=release.pk, upload=File(opened, name=file.name))


def encode(file: Path, release: Release | None = None) -> Asset:
    release = release or a_draft()
    asset = attach(release, file)
    tasks.encode_asset(asset_attached(release, asset))
    asset.refresh_from_db()
    return asset


def probe(path: str) -> Probe:
    return read_probe(look(Path(path)))


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*command, *map(str, arguments)], check=True)


def wait_until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_video_becomes_an_mp4_a_ladder_and_pictures(clip: Path, media: Path) -> None:
    asset = encode(clip)

    assert (asset.state, asset.percent, asset.error, asset.rung) == ("ready", 100, "", "")
    assert (asset.width, asset.height, len(asset.thumbnails)) == (320, 180, 6)
    assert asset.duration == pytest.approx(2, abs=0.2)
    described = look(Path(asset.mp4.path))
    assert "Video: h264" in described
    assert "yuv420p" in described
    assert "Audio: aac" in described
    start = Path(asset.mp4.path).read_bytes()
    assert start.index(b"moov") < start.index(b"mdat"), "an MP4 that streams has its index first"
    assert all((media / name).stat().st_size for name in [asset.poster.name, *asset.thumbnails])
    release = Release.objects.get()
    assert (release.asset, release.playable) == (asset, asset)


def test_the_ladder_has_rungs_up_to_the_video_and_every_segment_is_there(tmp_path: Path) -> None:
    asset = encode(make_video(tmp_path / "large.mp4", size="640x360", seconds=1))

    master = Path(asset.hls.path)
    rungs = [line for line in master.read_text().splitlines() if not line.startswith("#")]
    assert rungs == ["240p/index.m3u8", "360p/index.m3u8"]
    assert re.findall(r"RESOLUTION=(\S+)", master.read_text()) == ["426x240", "640x360"]
    for rung in rungs:
        playlist = (master.parent / rung).read_text()
        segments = [line for line in playlist.splitlines() if not line.startswith("#")]
        assert segments
        assert all((master.parent / rung).with_name(segment).stat().st_size for segment in segments)
        assert "#EXT-X-ENDLIST" in playlist


def test_a_video_without_sound_just_works(tmp_path: Path) -> None:
    asset = encode(make_video(tmp_path / "silent.mp4", seconds=1, sound=False))

    assert asset.state == "ready"
    assert not probe(asset.mp4.path).has_sound


@pytest.mark.parametrize("size", ["180x320", "321x181", "101x57"])
def test_portrait_and_odd_sizes_just_work(tmp_path: Path, size: str) -> None:
    source = tmp_path / "odd.mkv"
    ffmpeg("-f", "lavfi", "-i", f"testsrc=size={size}:duration=1", "-c:v", "ffv1", source)

    asset = encode(source)

    assert asset.state == "ready"
    width, height = (int(side) for side in size.split("x"))
    assert asset.width is not None
    assert asset.height is not None
    assert abs(asset.width - width) <= 1
    assert abs(asset.height - height) <= 1
    assert asset.width % 2 == asset.height % 2 == 0
    assert (probe(asset.mp4.path).width, probe(asset.mp4.path).height) == (asset.width, asset.height)


def test_a_video_that_lies_on_its_side_stands_up(clip: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", clip, "-c", "copy", turned)

    asset = encode(turned)
    assert (asset.width, asset.height) == (180, 320)


def test_a_video_with_an_extension_that_lies_is_known_by_its_content(clip: Path, tmp_path: Path) -> None:
    lying = tmp_path / "holiday.txt"
    lying.write_bytes(clip.read_bytes())

    assert encode(lying).state == "ready"


def bad_files(clip: Path, folder: Path) -> dict[str, Path]:
    fast = folder / "fast.mp4"
    ffmpeg("-i", clip, "-c", "copy", "-movflags", "+faststart", fast)
    whole = fast.read_bytes()
    sound = folder / "sound.m4a"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", sound)
    contents = {
        "text": b"This is a letter, not a film.\n" * 50,
        "no index": clip.read_bytes()[:20_000],
        "half": whole[: len(whole) // 2],
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "list": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "noise": bytes(range(256)) * 200,
        "one byte": b"x",
    }
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_bytes(content)
    picture = folder / "picture.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc=duration=1", "-frames:v", "1", picture)
    return {**{name: folder / f"{name}.mp4" for name in contents}, "sound": sound, "picture": picture}


def test_what_cannot_be_used_says_why_and_the_draft_keeps_all_else(clip: Path, tmp_path: Path, media: Path) -> None:
    for name, file in bad_files(clip, tmp_path).items():
        release = a_draft(synopsis="Dark.")
        asset = encode(file, release)

        reason = {"half": "cut off", "no index": "cut off", "sound": "only sound"}.get(name, "")
        assert (name, asset.state) == (name, "failed")
        assert reason in asset.error
        assert re.search(r"[Uu]pload", asset.error), f"{name}: {asset.error} does not say what to do"
        release.refresh_from_db()
        assert (release.state, release.synopsis, release.asset) == ("draft", "Dark.", asset)
        assert [path for path in files_below(media) if "uploads" not in path.parts] == []


def test_running_again_changes_nothing(clip: Path) -> None:
    release = a_draft()
    asset = encode(clip, release)
    made, told = Path(asset.mp4.path).stat().st_mtime_ns, types_of_messages()

    tasks.encode_asset(asset_attached(release, asset))

    assert Path(asset.mp4.path).stat().st_mtime_ns == made
    assert types_of_messages() == told


def test_two_workers_do_not_encode_one_asset_at_once(clip: Path) -> None:
    release = a_draft()
    asset = attach(release, clip)

    with tasks._alone(Path(asset.source.path)), pytest.raises(AlreadyEncoding):
        tasks.encode_asset(asset_attached(release, asset))
    tasks.encode_asset(asset_attached(release, asset))

    asset.refresh_from_db()
    assert asset.state == "ready"


def test_an_upload_that_is_replaced_while_it_is_encoded_is_dropped(
    clip: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = a_draft()
    old = attach(release, clip)
    replaced: list[Asset] = []

    def replace_half_way(**progress: Any) -> bool:
        if not replaced and progress["rung"] == "180p":
            replaced.append(attach(release, clip))
        return report_progress(**progress)

    monkeypatch.setattr(tasks, "report_progress", replace_half_way)
    tasks.encode_asset(asset_attached(release, old))

    release.refresh_from_db()
    assert release.asset == replaced[0]
    assert release.playable is None
    assert not (media / "assets").exists()
    assert not list((media / "encoding").iterdir())
    tasks.encode_asset(asset_attached(release, replaced[0]))
    release.refresh_from_db()
    assert release.playable == replaced[0]


def test_an_upload_that_vanished_is_said_to_be_gone(clip: Path) -> None:
    release = a_draft()
    asset = attach(release, clip)
    Path(asset.source.path).unlink()

    tasks.encode_asset(asset_attached(release, asset))

    asset.refresh_from_db()
    assert (asset.state, "gone" in asset.error) == ("failed", True)


def test_progress_is_written_with_what_is_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, str]] = []

    def watch(**progress: Any) -> bool:
        seen.append((progress["percent"], progress["rung"]))
        return report_progress(**progress)

    monkeypatch.setattr(tasks, "report_progress", watch)
    encode(make_video(tmp_path / "large.mp4", size="640x360", seconds=2))

    assert next(rung for _, rung in seen) == "probe"
    assert {"240p", "360p", "thumbnails"} <= {rung for _, rung in seen}
    assert [percent for percent, _ in seen] == sorted(percent for percent, _ in seen)


# --- kill -9 -------------------------------------------------------------------------------------------------------

WORKER = """
import django; django.setup()
from catalog.models import Release
from catalog.events import asset_attached
from catalog.tasks import encode_asset
release = Release.objects.select_related("asset").get()
encode_asset(asset_attached(release, release.asset))
"""


def start_worker(environment: dict[str, str], media: Path) -> subprocess.Popen[bytes]:
    variables = {**environment, "OTT_DATA_DIR": str(media.parent), "DJANGO_SETTINGS_MODULE": "ott.settings"}
    return subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=variables)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" in status.read_text()


@pytest.mark.parametrize("rung", ["240p", "360p"])
def test_an_encode_that_is_killed_leaves_nothing_behind_and_is_finished_by_the_next_run(
    rung: str, tmp_path: Path, media: Path, process_environment: dict[str, str]
) -> None:
    asset = attach(a_draft(), make_video(tmp_path / "long.mp4", size="640x360", seconds=8))

    worker = start_worker(process_environment, media)
    wait_until(lambda: Asset.objects.filter(pk=asset.pk, rung=rung).exists())
    wait_until(lambda: children_of(worker.pid))
    (child,) = children_of(worker.pid)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()

    wait_until(lambda: is_gone(child), seconds=5)
    assert not (media / "assets").exists()
    asset.refresh_from_db()
    assert asset.state == "encoding"

    assert start_worker(process_environment, media).wait(60) == 0
    asset.refresh_from_db()
    assert (asset.state, asset.percent) == ("ready", 100)
    assert not list((media / "encoding").iterdir())


def test_a_run_that_was_killed_before_it_could_say_so_is_found_complete(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(**_: Any) -> bool:
        raise Killed

    release = a_draft()
    asset = attach(release, clip)
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "record_encoded", die)
        with pytest.raises(Killed):
            tasks.encode_asset(asset_attached(release, asset))
    made = (tasks.finished_folder(asset) / "video.mp4").stat().st_mtime_ns

    tasks.encode_asset(asset_attached(release, asset))

    asset.refresh_from_db()
    assert asset.state == "ready"
    assert Path(asset.mp4.path).stat().st_mtime_ns == made
