"""What a browser gives when it subscribes, checked before it is kept."""

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric import ec

AUTH_BYTES = 16  # RFC 8291, section 3.2


def check_browser_keys(*, push_key: str, push_auth: str) -> str:
    """What is wrong with a subscription's keys; empty when nothing is."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(push_key))
    except (ValueError, binascii.Error):
        return "keys.p256dh: must be a point on P-256, uncompressed, in base64url."
    try:
        secret = _decoded(push_auth)
    except (ValueError, binascii.Error):
        secret = b""
    return "" if len(secret) == AUTH_BYTES else f"keys.auth: must be {AUTH_BYTES} bytes in base64url."


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
