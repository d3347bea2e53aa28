"""What is stored of an API token."""

import hashlib


def token_digest(plaintext: str) -> str:
    """The token's SHA-256. No salt and no slow hash: it has 256 random bits and cannot be guessed."""
    return hashlib.sha256(plaintext.encode()).hexdigest()
