"""Viewers by the thousand, with tokens and subscriptions, written in a few statements."""

from datetime import timedelta
from uuid import uuid4

from django.db import connection, transaction

from accounts.clock import database_now
from accounts.models import ApiToken, Membership, User, ViewerProfile
from accounts.tokens import token_digest
from notifications.models import Topic

from .live_audience import ALL, TOPICS, follower

_SUBSCRIBE = """
INSERT INTO notifications_subscription (viewer_id, topic_id, kinds, from_seq, created_at)
SELECT follows.viewer, topic.id, string_to_array(follows.kinds, ','), topic.head + 1, now()
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS follows (viewer, topics, kinds)
CROSS JOIN LATERAL unnest(string_to_array(follows.topics, ',')) AS followed (name)
JOIN notifications_topic topic ON topic.name = followed.name
"""


@transaction.atomic
def make_listeners(count: int) -> list[str]:
    """The first `count` listeners of `live_audience` as viewers of this database; their tokens."""
    Topic.objects.bulk_create([Topic(name=name, label=name) for name in (*TOPICS, ALL)], ignore_conflicts=True)
    users = _viewers(count)
    tokens = [f"bench-{uuid4().hex}" for _ in users]
    ApiToken.objects.bulk_create(
        ApiToken(user=user, name="bench", prefix="bench", digest=token_digest(token))
        for user, token in zip(users, tokens, strict=True)
    )
    followers = [follower(number) for number in range(count)]
    topics = [",".join(one.topics) for one in followers]
    kinds = [",".join(one.kinds) for one in followers]
    with connection.cursor() as cursor:
        cursor.execute(_SUBSCRIBE, [[user.pk for user in users], topics, kinds])
        cursor.execute("ANALYZE")
    return tokens


def _viewers(count: int) -> list[User]:
    mark = uuid4().hex[:8]
    yesterday = database_now() - timedelta(days=1)
    users = User.objects.bulk_create(
        User(email=f"{mark}-{number}@bench.example", password="!") for number in range(count)
    )
    ViewerProfile.objects.bulk_create(
        ViewerProfile(user=user, is_kids=follower(number).is_kids) for number, user in enumerate(users)
    )
    Membership.objects.bulk_create(Membership(user=user, starts_at=yesterday) for user in users)
    return users
