"""What the encoder reports. Results of an upload that was replaced meanwhile are ignored."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db import transaction

from . import release as domain
from .models import Asset, Release
from .store import Decision, decide_and_store, locked_release

FINISHED = (Asset.State.READY, Asset.State.FAILED)


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """What the encoder made; paths are relative to MEDIA_ROOT, `duration` is in seconds."""

    duration: float
    width: int
    height: int
    mp4: str
    hls: str
    poster: str
    thumbnails: Sequence[str]


def report_progress(*, asset_id: UUID, percent: int, rung: str) -> bool:
    """Say how far it is and what is being made. False when nobody wants the asset any more: stop."""
    wanted = Asset.objects.filter(pk=asset_id, release__isnull=False).exclude(state__in=FINISHED)
    return bool(wanted.update(state=Asset.State.ENCODING, percent=percent, rung=rung))


@transaction.atomic
def record_encoded(*, asset_id: UUID, result: Encoded) -> bool:
    """The asset is ready. False when it was replaced meanwhile, or recorded before."""
    decision = partial(domain.record_encoded, asset=str(asset_id))
    return _record(
        asset_id,
        decision,
        {
            "state": Asset.State.READY,
            "percent": 100,
            "rung": "",
            "error": "",
            "duration": result.duration,
            "width": result.width,
            "height": result.height,
            "mp4": result.mp4,
            "hls": result.hls,
            "poster": result.poster,
            "thumbnails": list(result.thumbnails),
        },
    )


@transaction.atomic
def record_encoding_failed(*, asset_id: UUID, error: str) -> bool:
    """The asset cannot be encoded, and `error` tells the studio why. False as with `record_encoded`."""
    decision = partial(domain.record_encoding_failed, asset=str(asset_id), error=error)
    return _record(asset_id, decision, {"state": Asset.State.FAILED, "rung": "", "error": error})


def _record(asset_id: UUID, decision: Decision, fields: dict[str, object]) -> bool:
    release_id = Release.objects.filter(asset_id=asset_id).values_list("pk", flat=True).first()
    if release_id is None:
        return False
    release = locked_release(release_id)
    unfinished = Asset.objects.filter(pk=asset_id, release=release).exclude(state__in=FINISHED)
    # The row first: the message about the release may show the asset's poster.
    return bool(unfinished.update(**fields)) and bool(decide_and_store(release, decision, actor=None))
