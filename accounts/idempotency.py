"""`Idempotency-Key`: a write that is repeated has the effect of once, and gets the first answer.

The key's row is inserted in the same transaction as the write's effects. A second request with the key waits at the
unique index until the first has committed or rolled back, so it either finds the answer or starts afresh. A crash in
between rolls the key back with everything else, and so does a refusal: it changed nothing and may be tried again.
Answers are kept sealed, as some of them hold a secret that is told once.

Source: draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar, cast

from django.db import connection, transaction
from django.http import HttpRequest
from ninja import Status
from pydantic import BaseModel

from .models import IdempotencyKey, User
from .problems import IdempotencyKeyReused, InvalidIdempotencyKey, LostAnswer
from .sealing import seal, unseal

MAX_KEY_LENGTH = 128
# A schema or nothing: what else ninja could answer with cannot be kept.
Answer = TypeVar("Answer", bound=BaseModel | None)


def idempotent(operation: Callable[..., Status[Answer]]) -> Callable[..., Status[Any]]:
    """Make a ninja operation honour `Idempotency-Key`.

    Raises `InvalidIdempotencyKey`, `IdempotencyKeyReused` when the key came with another request before, and
    `LostAnswer` where the first answer can be opened no more.
    """

    @wraps(operation)
    def once(request: HttpRequest, *args: Any, **kwargs: Any) -> Status[Any]:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return operation(request, *args, **kwargs)
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            raise InvalidIdempotencyKey
        with transaction.atomic():
            user, digest = cast("User", request.user), _digest(request)
            if not _claim(user.pk, key, digest):
                return _first_answer(user.pk, key, digest)
            answer = _plain(operation(request, *args, **kwargs))
            _mine(user.pk, key).update(status=answer.status_code, body=_kept(answer.value))
            return answer

    return once


def _claim(user_id: int, key: str, digest: str) -> bool:
    """Insert the key; wait for whoever is inserting it right now. False when it is there already."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_idempotencykey (user_id, key, request_digest) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [user_id, key, digest],
        )
        return bool(cursor.rowcount == 1)


def _first_answer(user_id: int, key: str, digest: str) -> Status[Any]:
    stored = _mine(user_id, key).get()
    if stored.request_digest != digest:
        raise IdempotencyKeyReused
    return Status(cast("int", stored.status), _opened(stored.body))


def _mine(user_id: int, key: str) -> Any:
    return IdempotencyKey.objects.filter(user_id=user_id, key=key)


def _plain(answer: Status[Answer]) -> Status[Any]:
    """The answer as JSON types, so that the first caller gets what a repeat will get."""
    return Status(answer.status_code, None if answer.value is None else answer.value.model_dump(mode="json"))


def _kept(value: Any) -> str | None:
    return None if value is None else seal(json.dumps(value))


def _opened(kept: Any) -> Any:
    if not isinstance(kept, str):
        return kept  # nothing, or from before answers were sealed
    opened = unseal(kept)
    if not opened:
        raise LostAnswer
    return json.loads(opened)


def _digest(request: HttpRequest) -> str:
    """A fingerprint of method, address and content. Of a multipart body: its fields and files."""
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type == "multipart/form-data":
        digest.update(json.dumps(sorted(request.POST.lists())).encode())
        for name, file in sorted(request.FILES.items()):
            digest.update(f"\n{name}\n".encode())
            for chunk in _chunks(file):
                digest.update(chunk)
    else:
        digest.update(request.body)
    return digest.hexdigest()


def _chunks(file: Any) -> Iterable[bytes]:
    yield from file.chunks()
    file.seek(0)
