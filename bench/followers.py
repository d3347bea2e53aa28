"""A topic that a million follow, another that ten thousand of them follow, and a mailbox each; set-based."""

from datetime import timedelta
from uuid import uuid4

from accounts.clock import database_now
from accounts.models import ApiToken
from accounts.tokens import token_digest
from catalog.models import Category
from notifications.commands import subscribe
from notifications.models import Topic
from notifications.outbound.endpoints import MAIL_HOST, set_mail
from notifications.outbound.models import Circuit

from .population import copies, make_viewers, next_id, settle_tables

MANY_FOLLOW, FEW_FOLLOW = Category.MOVIES, Category.DOCUMENTARIES


def make_followers(*, many: int, few: int, connected: int) -> list[str]:
    """Make them in a database that has no people yet; the tokens of `connected` of them, who follow both topics."""
    ids = make_viewers(many)
    subscribe(viewer_id=ids[0], topic=f"category:{MANY_FOLLOW}")
    subscribe(viewer_id=ids[0], topic=f"category:{FEW_FOLLOW}")
    set_mail(viewer_id=ids[0], on=True)
    first, everybody = ids[0] + 1, ids[-1]
    _copy("notifications_endpoint", first, everybody)
    for category, last in ((MANY_FOLLOW, everybody), (FEW_FOLLOW, ids[few - 1])):
        topic = Topic.objects.get(name=f"category:{category}").pk
        _copy("notifications_subscription", first, last, f", {topic} AS topic_id")
    tokens = [f"bench-{uuid4().hex}" for _ in range(connected)]
    ApiToken.objects.bulk_create(
        ApiToken(user_id=viewer_id, name="bench", prefix="bench", digest=token_digest(token))
        for viewer_id, token in zip(ids, tokens, strict=False)
    )
    settle_tables()
    return tokens


def _copy(table: str, first: int, last: int, more: str = "") -> None:
    """Give each viewer [first, last] the row that one has."""
    numbered = f"SELECT viewer_id, {next_id(table)} AS id{more}"
    source = f"{numbered} FROM generate_series(%(first)s, %(last)s) AS viewer_id"
    copies(table, source=source, values={"first": first, "last": last})


def let_no_mail_leave() -> None:
    """As if the mail server had failed and were tried again tomorrow."""
    tomorrow = database_now() + timedelta(days=1)
    Circuit.objects.create(host=MAIL_HOST, failures=1, retry_at=tomorrow, last_error="Nothing is sent here.")
