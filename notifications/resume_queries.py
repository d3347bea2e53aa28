"""What resuming clients need to know, for many viewers in one statement each: the statements for one, made lateral."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from django.db import connection, transaction

from . import sql
from .clock import clock
from .queries import RULE_VALUES, UNREAD_LIMIT, ReadNews, ViewerState, ensure_epoch, news_from_row, state_from_row

# All is looked up for one viewer after the other. Where a table is small, or was small when the planner last looked, it
# would read the whole of it for each.
ONE_BY_ONE = "SET LOCAL enable_seqscan = off"
Held = Mapping[str, int]
Revisions = tuple[tuple[int, int | None], ...]  # (notification, revision)


def states_of(*, viewer_ids: Sequence[int]) -> list[ViewerState | None]:
    """Each viewer's state, None where there is no such user. One query, which sets our clock, too."""
    states: list[ViewerState | None] = [None] * len(viewer_ids)
    for row in _rows("viewer_state", viewer_ids):
        clock.set(row["moment"])
        states[row["place"] - 1] = state_from_row(row)
    return states


def missed_by(*, viewers: Sequence[tuple[int, Held]], limit: int) -> list[Revisions]:
    """What each (viewer, positions held) has missed, in posting order. One query, which costs by the topic held.

    The revision is None where a card that the viewer may hold is not for them any more.
    """
    missed: list[Revisions] = [()] * len(viewers)
    held = [json.dumps(dict(positions)) for _, positions in viewers]
    for row in _rows("missed", [viewer_id for viewer_id, _ in viewers], held, limit=limit):
        missed[row["place"] - 1] = _revisions(row["revisions"] or "")
    return missed


@lru_cache(256)
def _revisions(text: str) -> Revisions:
    """What `missed.sql` tells; of a crowd, many have missed the same."""
    pairs = (pair.split(":") for pair in text.split())
    return tuple((int(notification), None if revision == "-" else int(revision)) for notification, revision in pairs)


def read_news_of(*, viewer_ids: Sequence[int], counted: bool = True) -> list[ReadNews]:
    """What each viewer has read, and, where that is to be `counted`, how many are left. Two queries, or one."""
    unread: Sequence[int | None] = _unread(viewer_ids) if counted else [None] * len(viewer_ids)
    rows = sorted(_rows("read_state", viewer_ids), key=itemgetter("place"))
    return [news_from_row(row, unread=count) for row, count in zip(rows, unread, strict=True)]


@transaction.atomic
def unread_counts(viewer_ids: Sequence[int]) -> list[int]:
    """How many each viewer has not read, up to `UNREAD_LIMIT`. One query beside what the transaction needs."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_BY_ONE)
    return _unread(viewer_ids)


def _unread(viewer_ids: Sequence[int]) -> list[int]:
    rows = sorted(_rows("unread", viewer_ids, limit=UNREAD_LIMIT), key=itemgetter("place"))
    return [row["count"] for row in rows]


def prepare_snapshot() -> None:
    """What has to be there before a snapshot is taken: within one, two who make the epoch would clash."""
    ensure_epoch()


def _rows(
    statement: str, viewer_ids: Sequence[int], held: Sequence[str] = (), **parameters: object
) -> list[dict[str, Any]]:
    """Run `sql/<statement>.sql` for each viewer; `place` says for which, from 1."""
    bound: dict[str, Any] = {"viewer_ids": list(viewer_ids), "held": list(held) or ["{}"] * len(viewer_ids)}
    with connection.cursor() as cursor:
        cursor.execute(sql.load_for_many(statement), bound | RULE_VALUES | parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
