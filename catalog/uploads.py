"""Files from outside: their size is checked before anything else, and they are stored under names that we draw."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.files.base import File
from django.template.defaultfilters import filesizeformat

from .errors import InvalidUpload, UploadTooLarge
from .models import Asset


def check_size(size: int | None) -> None:
    """Raise `UploadTooLarge` over the limit and `InvalidUpload` for an empty file."""
    limit: int = settings.CATALOG_MAX_UPLOAD_BYTES
    if size is not None and size > limit:
        message = f"The file has {filesizeformat(size)}; the limit is {filesizeformat(limit)}."
        raise UploadTooLarge(message.replace("\xa0", " "), limit_bytes=limit)
    if not size:
        raise InvalidUpload("The file is empty.")


@contextmanager
def store_source(asset: Asset, upload: "File[Any]") -> Iterator[None]:
    """Store the upload as the asset's source; take it away again when the block fails."""
    asset.source.save(uuid4().hex, upload, save=False)
    try:
        yield
    except BaseException:
        asset.source.delete(save=False)
        raise
