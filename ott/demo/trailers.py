"""Gives releases their videos: one trailer a category, encoded once, and shared by hard links.

A thread lets ffmpeg draw and encode them, while the seeding itself goes on with what needs no video.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from django.conf import settings
from django.core.files.base import File

from accounts.models import User
from catalog.commands import attach_asset
from catalog.encoder.pipeline import make_all
from catalog.events import asset_attached
from catalog.models import Category, Release
from catalog.tasks import RESULT, encode_asset, finished_folder

from .clips import draw_clip

PREFIX = "demo-"


class Trailers:
    """A folder for what is drawn and encoded on the way; it is beside the assets, so that files can be linked."""

    def __init__(self, categories: Iterable[Category], say: Callable[[str], None]) -> None:
        self._categories = categories
        self._say = say
        self._thread = ThreadPoolExecutor(max_workers=1)

    def __enter__(self) -> Self:
        parent = Path(settings.MEDIA_ROOT) / "encoding"
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{PREFIX}*"):  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._encoded = {category.value: self._thread.submit(self._make, category) for category in self._categories}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def attach(self, release: Release, owner: User, category: str) -> None:
        """Upload the category's trailer and let the encoder find its result made already."""
        made = self._encoded[category].result()
        with (self._folder / f"{category}.mp4").open("rb") as clip:
            asset = attach_asset(actor=owner, release_id=release.pk, upload=File(clip, name=f"{category}.mp4"))
        linked = Path(tempfile.mkdtemp(prefix="linked-", dir=self._folder)) / "made"
        shutil.copytree(made, linked, copy_function=_link)
        finished_folder(asset).parent.mkdir(parents=True, exist_ok=True)
        linked.rename(finished_folder(asset))
        encode_asset(asset_attached(release, asset))

    def _make(self, category: Category) -> Path:
        clip = draw_clip(category, self._folder)
        folder = self._folder / category.value
        folder.mkdir()
        made = make_all(clip, folder, lambda percent, rung: None)
        (folder / RESULT).write_text(json.dumps(asdict(made)))
        self._say(f"Encoded the trailer of {category.label}")
        return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
