"""Single topics to choose, as the page of a title offers them."""

from collections.abc import Sequence

from .models import Topic
from .queries import TopicChoice, choice_of, subscriptions_of


def topic_choices(*, viewer_id: int, topics: Sequence[str]) -> list[TopicChoice]:
    """These topics in this order, with what the viewer chose. One that nothing was posted to has its slug's words."""
    followed = subscriptions_of(viewer_id=viewer_id)
    labels = dict(Topic.objects.filter(name__in=topics).values_list("name", "label"))
    return [choice_of(name, labels.get(name) or _words(name), followed) for name in topics]


def _words(topic: str) -> str:
    return topic.partition(":")[2].replace("-", " ").capitalize()
