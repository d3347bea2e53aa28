"""Pictures from outside: read, made smaller, and written anew, so that only pixels of them are ever served."""

from io import BytesIO
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile, File
from PIL import Image, ImageOps

from .errors import InvalidUpload

MAX_BYTES = 20 * 1024**2
FORMATS = ("JPEG", "PNG", "WEBP")


def stored_image(upload: "File[Any] | None", *, size: tuple[int, int]) -> "ContentFile[bytes] | str":
    """The picture as WebP, at most `size` pixels wide and high, under a random name; "" for none.

    Raises `InvalidUpload` for what is no JPEG, PNG or WebP, or is too large.
    """
    if upload is None:
        return ""
    if upload.size > MAX_BYTES:
        raise InvalidUpload(f"The picture has more than {MAX_BYTES // 1024**2} MB.")
    try:
        with Image.open(upload, formats=FORMATS) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidUpload("The picture cannot be read. Use a JPEG, PNG or WebP file.") from error
    upright.thumbnail(size)
    written = BytesIO()
    upright.save(written, "WEBP", quality=82, method=2)
    return ContentFile(written.getvalue(), name=f"{uuid4().hex}.webp")
