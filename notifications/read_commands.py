"""What viewers read, mark as unread, dismiss and take back: set-based, and told to all their tabs and devices."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction

from accounts.commands import bump_entitlements

from . import sql
from .errors import InvalidPositions
from .live import push
from .models import ReadState
from .queries import MAX_ID, RULE_VALUES, ItemRow, ReadNews, states_of, unread_count


@transaction.atomic
def mark_read(
    *, viewer_id: int, ids: Iterable[int] | None = None, positions: Mapping[str, int] | None = None
) -> ReadNews:
    """Mark notifications, or whole topics up to a position, as read.

    Marks only move forward and never above a topic's head; ids that this viewer does not see are passed over. What was
    marked as unread up to a position is read again. Raises `InvalidPositions`.
    """
    _check_positions(positions or {})
    state = _locked_state(viewer_id)
    changed = _mark_items(viewer_id, ids or (), is_read=True)
    wanted = {"positions": json.dumps(dict(positions or {}))}
    moved: dict[str, int] = dict(_changed("mark_positions", viewer_id, **wanted))
    changed += _changed("mark_covered", viewer_id, **wanted)
    return _told(state, changed, moved)


@transaction.atomic
def mark_unread(*, viewer_id: int, ids: Iterable[int]) -> ReadNews:
    """Mark notifications as unread, whatever was read before. Those that this viewer does not see are passed over."""
    state = _locked_state(viewer_id)
    return _told(state, _mark_items(viewer_id, ids, is_read=False), {})


@transaction.atomic
def dismiss(*, viewer_id: int, ids: Iterable[int]) -> ReadNews:
    """Take notifications out of the viewer's inbox and count, until they change. See `restore`."""
    state = _locked_state(viewer_id)
    return _told(state, _mark_items(viewer_id, ids, is_dismissed=True), {})


@transaction.atomic
def restore(*, viewer_id: int, ids: Iterable[int]) -> ReadNews:
    """Take a dismissal back: they are in the inbox again, read or unread as they were.

    What the viewer sees is more than before, so open pages load their lists again.
    """
    state = _locked_state(viewer_id)
    changed = _mark_items(viewer_id, ids, is_dismissed=False)
    if changed:
        bump_entitlements(user_id=viewer_id)
    return _news(state, changed, {})


def _locked_state(viewer_id: int) -> ReadState:
    """The row that serialises all that a viewer reads."""
    ReadState.objects.bulk_create([ReadState(viewer_id=viewer_id)], ignore_conflicts=True)
    return ReadState.objects.select_for_update().get(viewer_id=viewer_id)


def _mark_items(
    viewer_id: int, ids: Iterable[int], *, is_read: bool | None = None, is_dismissed: bool | None = None
) -> list[ItemRow]:
    """Keep what is said of single notifications; None: as it is. Those that changed."""
    wanted = [one for one in ids if 0 < one <= MAX_ID]
    if not wanted:
        return []
    return _changed("mark_items", viewer_id, ids=wanted, is_read=is_read, is_dismissed=is_dismissed)


def _changed(statement: str, viewer_id: int, **parameters: object) -> list[Any]:
    bound: dict[str, Any] = {"viewer_id": viewer_id, **RULE_VALUES, **parameters}
    with connection.cursor() as cursor:
        cursor.execute(sql.load(statement), bound)
        return list(cursor.fetchall())


def _told(state: ReadState, changed: list[ItemRow], moved: dict[str, int]) -> ReadNews:
    """What changed, as it is told to tabs and devices once it is committed. Where nothing did, nobody hears of it."""
    if not changed and not moved:
        return _news(state, changed, moved)
    state.version += 1
    state.save(update_fields=["version"])
    news = _news(state, changed, moved)
    push.on_commit_push_read(state.viewer_id, news)
    return news


def _news(state: ReadState, changed: list[ItemRow], moved: dict[str, int]) -> ReadNews:
    return ReadNews(state.version, states_of(changed), moved, unread_count(viewer_id=state.viewer_id))


def _check_positions(positions: Mapping[str, int]) -> None:
    if any(isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq <= MAX_ID for seq in positions.values()):
        raise InvalidPositions
