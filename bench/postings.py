"""Notifications posted by the benchmarks themselves, without a release behind them."""

from django.utils import timezone

from notifications.commands import post_notification


def post_premiere(topic: str, subject: str) -> None:
    """Post one to this topic, the way that a handler of a release's event does."""
    post_notification(
        subject=subject,
        subject_version=1,
        kind="premiere",
        topics={topic: topic},
        title=f"Premiere {subject}",
        body="A town waits for the sun.",
        url="/",
        published_at=timezone.now(),
    )
