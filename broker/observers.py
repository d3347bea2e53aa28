"""Log lines of what the bus of this process tells: said here once, wherever it happens."""

import structlog

from .bus import bus
from .dead_letters import MessageDeadLettered
from .event_store import EventsAppended

logger = structlog.get_logger(__name__)


def subscribe() -> None:
    """Log from now on."""
    bus.subscribe(EventsAppended, log_events)
    bus.subscribe(MessageDeadLettered, log_dead_letter)


def log_events(happened: EventsAppended) -> None:
    """What became of which aggregate, and by whom; not what the events say, which may be nobody's business."""
    for event in happened.events:
        actor = event.metadata.get("actor")
        logger.debug(event.type, aggregate=happened.aggregate, version=event.version, actor=actor)


def log_dead_letter(happened: MessageDeadLettered) -> None:
    """Somebody has to decide about this message."""
    logger.warning(
        "message_dead_lettered",
        reason=happened.reason,
        origin=happened.origin,
        type=happened.type,
        key=happened.key,
        position=happened.position,
        attempts=happened.attempts,
        error=happened.error,
        trace_id=happened.trace_id,
    )
