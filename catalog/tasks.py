"""What the catalog does in the background: encode what was uploaded, publish what is due."""

import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

from celery import shared_task
from django.conf import settings

from broker.messages import Message

from . import ingest
from .commands import publish_due
from .encoder.errors import AlreadyEncoding, NoLongerWanted, UnusableVideo
from .encoder.pipeline import Made, Report, make_all
from .encoding_commands import FINISHED, Encoded, record_encoded, record_encoding_failed, report_progress
from .models import Asset

REPORT_SECONDS = 0.5
RESULT = "result.json"


@shared_task(name="catalog.publish_due_releases")
def publish_due_releases() -> None:
    """Publish the releases whose moment has come."""
    publish_due()


@shared_task(name="catalog.forget_received_events")
def forget_received_events() -> None:
    """Forget the events of studios that were dealt with long ago; for the beat, every hour."""
    ingest.forget_received_events()


def encode_asset(message: Message) -> None:
    """Handle `asset.attached`: encode the upload; safe to be killed at any point and to run twice.

    All is made in a folder of its own, which gets its name when it is complete. Whoever finds a complete folder
    records it. Raises `AlreadyEncoding` and `EncoderDied`, after which it is tried again.
    """
    asset_id = UUID(message.data["asset_id"])
    asset = _wanted(asset_id)
    if asset is None:
        return
    try:
        with _alone(Path(asset.source.path)):
            if _wanted(asset_id):
                _encode(asset)
    except FileNotFoundError:
        if Path(asset.source.path).exists():
            raise
        record_encoding_failed(asset_id=asset_id, error="The uploaded file is gone. Upload it again.")


def _wanted(asset_id: UUID) -> Asset | None:
    """The asset, unless it is done, was replaced, or does not exist any more."""
    return Asset.objects.filter(pk=asset_id, release__isnull=False).exclude(state__in=FINISHED).first()


def _encode(asset: Asset) -> None:
    try:
        made = _complete(asset) or _make(asset)
    except UnusableVideo as refusal:
        record_encoding_failed(asset_id=asset.pk, error=str(refusal))
    except NoLongerWanted:
        pass
    else:
        if not record_encoded(asset_id=asset.pk, result=_result(asset, made)):
            shutil.rmtree(finished_folder(asset), ignore_errors=True)
    finally:
        shutil.rmtree(_workshop(asset), ignore_errors=True)


@contextmanager
def _alone(source: Path) -> Iterator[None]:
    """Hold the source for this process; the kernel lets go of it when the process dies."""
    with source.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyEncoding(f"Another worker is encoding {source.name}") from error
        yield


def _make(asset: Asset) -> Made:
    """Encode into the workshop, then give it its name in one step."""
    workshop = _workshop(asset)
    shutil.rmtree(workshop, ignore_errors=True)  # left by a run that was killed
    workshop.mkdir(parents=True)
    made = make_all(Path(asset.source.path), workshop, _reporter(asset.pk))
    (workshop / RESULT).write_text(json.dumps(asdict(made)))
    finished_folder(asset).parent.mkdir(parents=True, exist_ok=True)
    workshop.rename(finished_folder(asset))
    return made


def _complete(asset: Asset) -> Made | None:
    """What a run made that was killed before it could say so."""
    result = finished_folder(asset) / RESULT
    return Made(**json.loads(result.read_text())) if result.exists() else None


def _reporter(asset_id: UUID) -> Report:
    """Write the progress at most twice a second, but each new rung at once."""
    last_rung, last_time = "", 0.0

    def report(percent: int, rung: str) -> None:
        nonlocal last_rung, last_time
        if rung == last_rung and time.monotonic() < last_time + REPORT_SECONDS:
            return
        last_rung, last_time = rung, time.monotonic()
        if not report_progress(asset_id=asset_id, percent=percent, rung=rung):
            raise NoLongerWanted

    return report


def _result(asset: Asset, made: Made) -> Encoded:
    """What was made, with paths below MEDIA_ROOT."""
    base = f"assets/{asset.pk}"
    return Encoded(
        duration=made.duration,
        width=made.width,
        height=made.height,
        mp4=f"{base}/{made.mp4}",
        hls=f"{base}/{made.hls}",
        poster=f"{base}/{made.poster}",
        thumbnails=[f"{base}/{name}" for name in made.thumbnails],
    )


def finished_folder(asset: Asset) -> Path:
    """Where the complete result of an asset stands; `RESULT` in it says what it is."""
    return Path(settings.MEDIA_ROOT) / "assets" / str(asset.pk)


def _workshop(asset: Asset) -> Path:
    return Path(settings.MEDIA_ROOT) / "encoding" / str(asset.pk)
