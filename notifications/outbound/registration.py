"""What the broker must know of us: schemas of messages, and the way back from a dead letter."""

from broker import replay

from . import events
from .endings import ORIGIN, deliver_again

__all__ = ["events"]

replay.register(ORIGIN, deliver_again)
