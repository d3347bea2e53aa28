"""What can go wrong in notifications, by name."""


class NotificationsError(Exception):
    """Base of every error that this app raises on purpose."""


class InvalidTopic(NotificationsError):
    """A topic that can be chosen is `category:<slug>`, `studio:<slug>` or `title:<slug>`."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"{topic[:80]!r} is not a topic: it must be category:, studio: or title: with a slug.")


class InvalidKinds(NotificationsError):
    """A subscription wants one or more of the kinds that there are."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class TooManyTopics(NotificationsError):
    """A viewer follows 500 topics at most: unsubscribe from one first."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class InvalidMute(NotificationsError):
    """A topic is muted until a moment in the future, with a time zone."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class NotFollowed(NotificationsError):
    """Only a topic that is followed can be muted."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class InvalidPositions(NotificationsError):
    """Positions are {topic: seq} with seq from 0 to 2^63 - 1."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)
