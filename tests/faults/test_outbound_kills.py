"""`kill -9` on a sender at its worst moment: the mail is out, and nobody has written that down."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.conf import LazySettings
from django.db.models.functions import Now

from accounts.commands import create_viewer
from accounts.models import Membership
from notifications.commands import post_notification, subscribe
from notifications.outbound import creation, endpoints
from notifications.outbound.models import Delivery, Lane
from ott.embedded.processes import PROJECT
from tests.support.live_client import eventually
from tests.support.outbound_sinks import WebSink

DRAIN = "import django; django.setup(); from notifications.outbound.sender import drain; drain()"


def make_delivery(address: str) -> None:
    viewer = create_viewer(email="v@example.org", password="a-long-password")
    assert Membership.objects.filter(user=viewer).exists()
    subscribe(viewer_id=viewer.pk, topic="category:movies")
    endpoints.add_webhook(viewer_id=viewer.pk, address=address)
    card: dict[str, Any] = {
        "title": "Low Tide",
        "body": "",
        "url": "/",
        "published_at": datetime.now(UTC),
        "kind": "premiere",
    }
    topics = {"category:movies": "Movies"}
    posted = post_notification(subject="release:1", subject_version=1, topics=topics, **card)
    assert posted is not None
    assert creation.create(notification_id=posted.pk, lane=Lane.RELEASE, first=0, last=creation.END) == 1


def test_a_sender_killed_between_send_and_mark_sends_again_under_the_same_key(
    process_environment: dict[str, str], sink: WebSink, settings: LazySettings
) -> None:
    settings.OUTBOUND_ALLOW_PRIVATE = True
    environment = {**process_environment, "OTT_OUTBOUND_ALLOW_PRIVATE": "1", "DJANGO_SETTINGS_MODULE": "ott.settings"}
    make_delivery(sink.url("/hang"))
    command = [sys.executable, "-c", DRAIN]
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        # Given a sender whose request has arrived, and which cannot write
        victim = subprocess.Popen(command, env=environment, cwd=PROJECT)
        eventually(lambda: sink.hits, what="the request")
        connection.execute("SELECT FROM notifications_delivery FOR UPDATE")
        sink.release.set()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as other:
            eventually(lambda: other.execute(waiting).fetchone()[0], what="a sender that waits")  # type: ignore[index]
            # When it is killed
            victim.kill()
            victim.wait()
            ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"
            other.execute(ended)
    assert Delivery.objects.get().state == "open"

    # Then another one takes over when its lease is over
    subprocess.run(command, env=environment, cwd=PROJECT, check=True)
    assert len(sink.hits) == 1
    Delivery.objects.update(next_attempt_at=Now())
    subprocess.run(command, env=environment, cwd=PROJECT, check=True)
    assert (Delivery.objects.get().state, Delivery.objects.get().attempts) == ("sent", 2)
    assert list(sink.keys().values()) == [2]
