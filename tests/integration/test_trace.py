"""One trace: from a request's header through outbox, stream, handler and work item into the log lines."""

import logging
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.commands import create_api_token
from broker.models import OutboxMessage, StreamMessage, WorkItem
from tests.support.broker_app import drain
from tests.support.catalog import a_draft, a_studio

pytestmark = pytest.mark.django_db(transaction=True)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(autouse=True)
def _media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def publish(**headers: str) -> None:
    studio, owner = a_studio()
    release = a_draft(studio)
    _, token = create_api_token(user=owner, name="test")
    client = Client(headers={"Authorization": f"Bearer {token}", **headers})
    assert client.post(f"/api/v1/releases/{release.pk}/publish").status_code == 202


def traces_of_all_messages() -> set[str]:
    stored = (OutboxMessage, StreamMessage, WorkItem)
    bodies = [body for model in stored for body in model.objects.values_list("body", flat=True)]
    assert {body["type"] for body in bodies} >= {"release.published", "listing.added", "notification.posted"}
    return {body["traceparent"].split("-")[1] for body in bodies}


def test_a_requests_trace_reaches_every_message_and_every_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="broker.trace")
    formatter = logging.getLogger().handlers[0].formatter
    caplog.handler.setFormatter(formatter)

    publish(traceparent=f"00-{TRACE_ID}-00f067aa0ba902b7-01")
    drain()

    assert traces_of_all_messages() == {TRACE_ID}
    lines = [line for line in caplog.text.splitlines() if "Handled" in line]
    for place in ("group:feed", "group:guide", "queue:fan_out"):
        line = next(line for line in lines if f"handled_by={place}" in line)
        assert f"trace_id={TRACE_ID}" in line


def test_a_request_without_a_header_begins_a_trace_that_all_its_messages_share() -> None:
    publish()
    drain()

    (trace_id,) = traces_of_all_messages()
    assert trace_id != TRACE_ID
    assert len(trace_id) == 32
