"""The key pair by which push services know us: drawn once, kept secret in the data folder, or given by a setting."""

import base64
import os
import tempfile
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from py_vapid import Vapid

from notifications.clock import clock

FILE = "vapid_key"
SIGNED_FOR_SECONDS = 12 * 3600  # at most 24 hours: RFC 8292, section 2
RENEWED_EVERY_SECONDS = 3600


@cache
def vapid() -> Vapid:
    """The key pair. Raises `ValueError` when the one given is none."""
    text: str = settings.OTT_VAPID_PRIVATE_KEY or _kept(Path(settings.OTT_DATA_DIR) / FILE)
    return Vapid.from_string(text)


@cache
def public_key() -> str:
    """What a browser subscribes with: the public key, base64url without padding."""
    point = vapid().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def authorization(endpoint: str) -> str:
    """The header for a push to this endpoint; one signature serves a push service for an hour."""
    parts = urlsplit(endpoint)
    return _signed(f"{parts.scheme}://{parts.netloc}", int(clock.time() // RENEWED_EVERY_SECONDS))


@lru_cache(maxsize=1024)
def _signed(audience: str, hour: int) -> str:
    until = (hour * RENEWED_EVERY_SECONDS) + SIGNED_FOR_SECONDS
    claims = {"aud": audience, "exp": until, "sub": settings.OTT_VAPID_CONTACT}
    return str(vapid().sign(claims)["Authorization"])


def _kept(path: Path) -> str:
    """The key in the file, readable by its owner alone. Of several processes that find none, one makes it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"="))
        with suppress(FileExistsError):
            Path(path).hardlink_to(name)
        Path(name).unlink()
    return path.read_text()
