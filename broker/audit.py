"""Who decided what, in the transaction that did it."""

from collections.abc import Mapping
from typing import Any

from .models import OperatorAction


def note(
    *,
    actor: str,
    verb: str,
    target: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Remember that `actor` did `verb` to `target`, such as `group:feed` or `dead_letter:7`."""
    OperatorAction.objects.create(
        actor=actor, verb=verb, target=target, before=dict(before or {}), after=dict(after or {})
    )
