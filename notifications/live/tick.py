"""Every `LIVE_TICK_SECONDS`, one query finds out whether what this process believes still holds."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection as database

from notifications import sql
from notifications.clock import clock
from notifications.resume_queries import read_news_of

from .connection import Connection
from .healing import GRACE_SECONDS, heal
from .hub import Hub
from .protocol import Close
from .threads import in_thread

RETRY_SECONDS = 0.5
READERS_AT_ONCE = 64

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database says about the topics and connections of a hub."""

    epoch: str
    heads: dict[str, int]
    viewers: dict[int, tuple[int, int, str]]  # entitlement version, read version, credential
    sessions: frozenset[str]
    tokens: frozenset[int]


def read_facts(topics: Sequence[str], connections: Sequence[Connection]) -> Facts:
    """Ask the database about these topics and connections, and what time it is: one query."""
    identities = [connection.identity for connection in connections]
    parameters: dict[str, Any] = {
        "topics": list(topics),
        "viewers": list({identity.viewer_id for identity in identities}),
        "sessions": [identity.session_key for identity in identities if identity.session_key],
        "tokens": [identity.token_id for identity in identities if identity.token_id],
    }
    with database.cursor() as cursor:
        cursor.execute(sql.load("tick"), parameters)
        moment, epoch, heads, viewers, sessions, tokens = cursor.fetchone()
    clock.set(moment)
    return Facts(
        epoch=str(epoch or ""),
        heads=json.loads(heads),
        viewers={int(viewer): tuple(versions) for viewer, versions in json.loads(viewers).items()},
        sessions=frozenset(json.loads(sessions)),
        tokens=frozenset(json.loads(tokens)),
    )


async def run(hub: Hub) -> None:
    """Tick for ever; a database that is away is asked again sooner, to notice at once that it is back."""
    pause = settings.LIVE_TICK_SECONDS
    while True:
        await asyncio.sleep(pause)
        try:
            await tick(hub)
            pause = settings.LIVE_TICK_SECONDS
        except Exception as error:
            logger.warning("The live tick failed (%s); it tries again", repr(error))
            pause = RETRY_SECONDS


async def tick(hub: Hub) -> None:
    """Compare the hub with the database, and put right what differs."""
    connections = list(hub.connections)
    if not connections:
        return
    facts = await in_thread(read_facts, hub.sequencer.tracked(), connections)
    known, hub.epoch = hub.epoch, facts.epoch
    if known not in {"", facts.epoch}:
        hub.reset_all("epoch")
        return
    stale_readers = {c.identity.viewer_id for c in connections if _check(hub, c, facts)}
    await _heal_heads(hub, facts.heads)
    await _tell_read(hub, sorted(stale_readers))


async def _tell_read(hub: Hub, viewer_ids: Sequence[int]) -> None:
    for start in range(0, len(viewer_ids), READERS_AT_ONCE):
        some = viewer_ids[start : start + READERS_AT_ONCE]
        for viewer_id, news in zip(some, await in_thread(read_news_of, viewer_ids=some), strict=True):
            hub.tell_read(viewer_id, news)


async def check_viewer(hub: Hub, viewer_id: int) -> None:
    """Look at one viewer's connections now: what they may see has just changed."""
    connections = hub.of_viewer(viewer_id)
    if connections:
        facts = await in_thread(read_facts, [], connections)
        for connection in connections:
            _check(hub, connection, facts)


def _check(hub: Hub, connection: Connection, facts: Facts) -> bool:
    """Close or reset a connection that no longer holds. True when it has missed that something was read."""
    identity = connection.identity
    versions = facts.viewers.get(identity.viewer_id)
    signed_in = identity.session_key in facts.sessions or identity.token_id in facts.tokens
    if versions is None or versions[2] != identity.credential or not signed_in:
        connection.close(Close.SIGNED_OUT, "signed-out")
        return False
    entitlement_version, read_version, _ = versions
    interest = connection.interest
    if interest is None:
        return False
    if entitlement_version > interest.entitlement_version or connection.period[1] <= clock.time():
        hub.reset(connection, "entitlement")
        return False
    return read_version > connection.read_version


async def _heal_heads(hub: Hub, heads: dict[str, int]) -> None:
    """Read what the database has and we do not, unless its hints arrive within a moment."""
    if hub.sequencer.behind(heads):
        await asyncio.sleep(GRACE_SECONDS)
        while (holes := hub.sequencer.behind(heads)) and await heal(hub, holes):
            pass
