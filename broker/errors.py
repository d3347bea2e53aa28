"""What can go wrong in the broker, by name."""


class BrokerError(Exception):
    """Base of every error that the broker raises on purpose."""


class NotInTransaction(BrokerError):
    """A message may be published only inside a transaction: it commits or vanishes with the state that it tells of."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class InvalidMessage(BrokerError):
    """A message that must not be published, or cannot be read; `field` names the part at fault."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


class Unroutable(BrokerError):
    """Nothing is bound where a mandatory message was to go: it was not published."""

    def __init__(self, *, exchange: str, routing_key: str) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        super().__init__(f"no binding of exchange {exchange!r} takes a message with the routing key {routing_key!r}")


class PermanentFailure(BrokerError):
    """Raised by a handler that knows that trying again is useless: the message becomes a dead letter at once."""


class TimeLimitExceeded(BrokerError):
    """A handler took longer for a message than its group allows."""


class UnknownName(BrokerError):
    """The topology has no part of that kind and name."""

    def __init__(self, *, kind: str, name: str, known: list[str]) -> None:
        super().__init__(f"There is no {kind} {name!r}; there are: {', '.join(sorted(known)) or 'none'}")


class InvalidTarget(BrokerError):
    """A place in a stream that there is not."""

    def __init__(self, target: str, problem: str) -> None:
        super().__init__(f"{target} {problem}")


class LeaseLost(BrokerError):
    """Somebody else holds the right by now; nothing of this transaction may stand."""


class ConcurrentWrite(BrokerError):
    """The aggregate has moved on since it was loaded: load it again and decide anew."""

    def __init__(self, *, aggregate: str, expected_version: int, actual_version: int) -> None:
        self.aggregate = aggregate
        self.expected_version = expected_version
        self.actual_version = actual_version
        super().__init__(f"{aggregate} is at version {actual_version}, not {expected_version}")


class EventsFromElsewhere(BrokerError):
    """Events bear transaction numbers that this server has not reached: they were restored from another one's dump.

    See "Backup and restore" in docs/operations.md.
    """

    def __init__(self) -> None:
        super().__init__(" ".join((self.__doc__ or "").split()))


class CannotRebuild(BrokerError):
    """The projection cannot be rebuilt now, or not at all; the message says why. The live table is untouched."""


class InvalidTopology(BrokerError):
    """The topology has mistakes; `problems` lists every one of them."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("The topology has mistakes:\n" + "\n".join(f"- {problem}" for problem in problems))


class AlreadyDecided(BrokerError):
    """The dead letter is no longer waiting: it was replayed or discarded before."""


class Parked(BrokerError):
    """The dead letter failed in so many replays that only a forced one takes it up again."""


class NotReplayable(BrokerError):
    """There is no way back for this dead letter, or not to that place."""


class StreamsUnavailable(BrokerError):
    """The stream engine's server cannot be reached, or does not answer in time; what waits is tried again later."""


class LogCutShort(StreamsUnavailable):
    """The server holds less of a log than it did: it was emptied, or restored, or lost what it had in memory."""

    def __init__(self, *, stream: str, partition: int, known: int, found: int) -> None:
        self.stream, self.partition = stream, partition
        super().__init__(f"{stream}, partition {partition}: the log ended at {known} and ends at {found} now")


class CannotTrim(BrokerError):
    """This stream engine forgets by rules of its own server; see its `Features`."""


class MustMove(BrokerError):
    """Streams stand in another engine, or have other partitions, than the settings and the topology say."""


class NotDrained(BrokerError):
    """Groups have still something to handle, so the streams were not moved."""

    def __init__(self, left: list[str]) -> None:
        super().__init__(
            "Nothing was moved; groups have still to handle: " + ("; ".join(left) or "what is just relayed")
        )
