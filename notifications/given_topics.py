"""The topics that exist without subscribing: `viewer:<id>`, one viewer's own, and `platform:all`, everybody's."""

from collections.abc import Collection

PLATFORM = "platform:all"
PLATFORM_LABEL = "News from the platform"
OWN_LABEL = "For you"
_OWN = "viewer:"


def own_topic(viewer_id: int) -> str:
    """The topic of one viewer. Its name never leaves for anybody else: see `check_topics`."""
    return f"{_OWN}{viewer_id}"


def viewer_of(topic: str) -> int | None:
    """Whose own topic it is; None for every other one."""
    return int(topic.removeprefix(_OWN)) if topic.startswith(_OWN) else None


def is_given(topic: str) -> bool:
    """Whether viewers hear of it without subscribing, members or not."""
    return topic == PLATFORM or topic.startswith(_OWN)


def check_topics(topics: Collection[str]) -> None:
    """Refuse to post one notification to a viewer's own topic and to any other: its frame names all its topics.

    Raises `ValueError`: nothing that comes from outside leads here.
    """
    if len(topics) > 1 and any(viewer_of(topic) is not None for topic in topics):
        raise ValueError(f"What is posted to a viewer's own topic is posted nowhere else: {sorted(topics)}")
