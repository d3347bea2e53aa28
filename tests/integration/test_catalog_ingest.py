"""Events from a studio's own systems, from the request to what became of them."""

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.commands import create_api_token, revoke_api_token
from accounts.models import User
from broker.cloudevents import BATCH, STRUCTURED
from broker.models import DeadLetter, OutboxMessage
from catalog.ingest import accept_events, forget_received_events
from catalog.models import ReceivedEvent, Release, Studio, StudioMember
from tests.support.broker_app import drain, in_threads
from tests.support.catalog import a_member, a_studio, a_user, published_messages

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/events"
PLAN = {"reference": "R-1", "title": "Low Tide", "kind": "episode", "category": "tv-shows", "season": 1, "episode": 4}


@pytest.fixture(autouse=True)
def _media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


class System:
    """A studio's own system, with a token."""

    def __init__(self, studio: Studio, user: User, *, slug: str | None = None) -> None:
        self.studio, self.user = studio, user
        self.token, plaintext = create_api_token(
            user=user, name="system", studio_slug=studio.slug if slug is None else slug
        )
        self.client = Client(headers={"Authorization": f"Bearer {plaintext}"})

    def send(self, *events: dict[str, Any], content_type: str = "") -> Any:
        body = list(events) if len(events) != 1 or content_type == BATCH else events[0]
        kind = content_type or (BATCH if isinstance(body, list) else STRUCTURED)
        return self.client.post(URL, json.dumps(body), content_type=kind)

    def sent(self) -> list[dict[str, Any]]:
        """What the studio is told of its events, oldest first."""
        answer = self.client.get(URL)
        assert answer.status_code == 200
        told: list[dict[str, Any]] = answer.json()
        return told[::-1]


@pytest.fixture
def system() -> System:
    return System(*a_studio())


def planned(id_: str = "1", **data: Any) -> dict[str, Any]:
    return event("studio.release.planned", id_, PLAN | data)


def event(type_: str, id_: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"specversion": "1.0", "id": id_, "source": "/aurora/planning", "type": type_, "data": data}


def refusal(answer: Any) -> tuple[int, str, list[str]]:
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    slug = document["type"].removeprefix("/problems/")
    return answer.status_code, slug, [error["at"] for error in document.get("errors", [])]


def test_a_plan_becomes_a_draft_and_a_changed_plan_changes_it(system: System) -> None:
    answer = system.send(planned(headline="The tide turns"))
    assert (answer.status_code, answer.json()) == (
        202,
        [{"source": "/aurora/planning", "id": "1", "is_duplicate": False}],
    )
    drain()
    system.send(planned("2", headline="The tide has turned"))
    drain()

    release = Release.objects.get()
    assert (release.state, release.headline, release.episode) == ("draft", "The tide has turned", 4)
    assert release.title.studio == system.studio
    assert [(each["state"], each["release"]) for each in system.sent()] == [("done", str(release.pk))] * 2


def test_a_release_is_planned_scheduled_published_and_withdrawn_by_events_alone(system: System) -> None:
    at = (timezone.now() + timedelta(hours=1)).isoformat()
    system.send(planned(), event("studio.release.scheduled", "2", {"reference": "R-1", "at": at}))
    drain()
    assert Release.objects.get().state == "scheduled"

    system.send(event("studio.release.scheduled", "3", {"reference": "R-1", "at": None}))
    drain()
    release = Release.objects.get()
    assert release.state == "draft"
    system.client.post(f"/api/v1/releases/{release.pk}/publish")
    system.send(event("studio.release.withdrawn", "4", {"reference": "R-1", "reason": "Wrong tide"}))
    drain()

    assert Release.objects.get().state == "recalled"
    recalled = next(body for body in published_messages() if body["type"] == "release.recalled")
    withdrawn = next(body for body in published_messages() if body["type"] == "studio.release.withdrawn")
    assert recalled["causationid"] == withdrawn["id"]
    assert not DeadLetter.objects.exists()


def test_binary_mode_is_taken_and_attributes_travel(system: System) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "b%201",
        "ce-source": "/aurora/planning",
        "ce-type": "studio.release.planned",
        "ce-time": "2030-01-02T03:04:05Z",
        "ce-expirytime": "2090-01-02T03:04:05Z",
        "ce-traceparent": f"00-{trace_id}-00f067aa0ba902b7-01",
    }
    answer = system.client.post(URL, json.dumps(PLAN), content_type="application/json", headers=headers)

    assert (answer.status_code, answer.json()[0]["id"]) == (202, "b 1")
    (body,) = published_messages()
    assert (body["time"], body["expirytime"]) == ("2030-01-02T03:04:05+00:00", "2090-01-02T03:04:05+00:00")
    assert (body["source"], body["subject"]) == (f"/studios/{system.studio.slug}", "R-1")
    assert body["traceparent"].split("-")[1] == trace_id
    assert body["partitionkey"] == f"studio:{system.studio.slug}:R-1"


def test_sending_again_has_the_effect_of_once(system: System) -> None:
    assert [each["is_duplicate"] for each in system.send(planned(), planned(), planned("2")).json()] == [
        False,
        True,
        False,
    ]
    assert system.send(planned()).json()[0]["is_duplicate"]
    assert len(published_messages()) == 2


def test_another_event_under_a_known_source_and_id_is_refused(system: System) -> None:
    system.send(planned())

    assert refusal(system.send(planned(headline="Other"))) == (409, "event-id-reused", ["id"])
    assert refusal(system.send(planned("2"), planned(headline="Other"))) == (409, "event-id-reused", ["1/id"])
    other = planned(headline="Other") | {"source": "/aurora/other"}
    assert system.send(other).status_code == 202
    assert len(published_messages()) == 2, "the refused batch left nothing behind"


def test_two_studios_may_use_the_same_source_and_id(system: System) -> None:
    system.send(planned())

    assert System(*a_studio()).send(planned()).json()[0]["is_duplicate"] is False


def test_the_same_event_sent_many_times_at_once_is_taken_once(system: System) -> None:
    answers: list[Any] = []
    lock = threading.Lock()

    def send() -> None:
        answer = System(system.studio, system.user).send(planned("1"), planned("2"))
        with lock:
            answers.append([each["is_duplicate"] for each in answer.json()])

    in_threads(send, 6)

    assert sorted(answers) == [[False, False]] + [[True, True]] * 5
    assert OutboxMessage.objects.count() == 2


def test_batches_that_cross_each_other_do_not_deadlock(system: System) -> None:
    names = [f"R-{number}" for number in range(20)]
    orders = [names, names[::-1]] * 2

    def send(number: int, order: list[str]) -> None:
        events = [planned(f"{number % 2}-{name}", reference=name) for name in order]
        assert System(system.studio, system.user).send(*events).status_code == 202

    work = iter(enumerate(orders))
    in_threads(lambda: send(*next(work)), len(orders))

    assert OutboxMessage.objects.count() == 40


@pytest.mark.parametrize(
    ("bad", "at"),
    [
        (planned(kind="opera"), "data.kind"),
        (planned(reference=""), "data.reference"),
        (planned(reference="ü"), "data.reference"),
        (planned(studio="other"), "data.studio"),
        (planned(title="a\x00b"), "data"),
        (planned(episode=0), "data.episode"),
        (planned(starts_at="2030-01-01T00:00:00"), "data.starts_at"),
        (planned() | {"type": "release.published"}, "type"),
        (planned() | {"schemaversion": 7}, "schemaversion"),
        (planned() | {"specversion": "0.3"}, "specversion"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name_and_a_batch_is_refused_whole(
    system: System, bad: dict[str, Any], at: str
) -> None:
    assert refusal(system.send(bad)) == (422, "invalid-event", [at])
    batch = [planned("good"), bad | {"id": "bad"}]
    assert refusal(system.send(*batch)) == (422, "invalid-event", [f"1/{at}"])
    assert not ReceivedEvent.objects.exists()
    assert not published_messages()


def test_every_fault_of_a_batch_is_told_at_once(system: System) -> None:
    answer = system.send(planned("1", kind="opera"), planned("2"), planned("3", episode=0))

    assert refusal(answer) == (422, "invalid-event", ["0/data.kind", "2/data.episode"])
    assert "0/data.kind" in answer.json()["detail"]


def test_formats_and_sizes_are_refused_by_name(system: System) -> None:
    assert refusal(system.send(planned(), content_type="text/plain"))[:2] == (415, "event-format-not-supported")
    assert refusal(system.send(planned(), content_type="application/cloudevents+xml"))[0] == 415
    assert refusal(system.send(planned(synopsis="x" * 2**20)))[:2] == (413, "events-too-large")
    assert refusal(system.send(*[planned(str(number)) for number in range(101)]))[:2] == (413, "events-too-large")
    assert refusal(system.client.post(URL, b"{", content_type=STRUCTURED)) == (422, "invalid-event", ["body"])
    assert system.send(*[planned(str(number)) for number in range(100)]).status_code == 202


def test_who_may_send(system: System) -> None:
    studio, owner = system.studio, system.user
    editor, viewer = a_member(studio, StudioMember.Role.EDITOR), a_user()
    withdrawn = event("studio.release.withdrawn", "9", {"reference": "R-1"})

    assert refusal(Client().post(URL, "{}", content_type=STRUCTURED))[:2] == (401, "not-signed-in")
    signed_in = Client()
    signed_in.force_login(owner)
    assert signed_in.post(URL, "{}", content_type=STRUCTURED).status_code == 401
    assert refusal(System(studio, owner, slug="").send(planned()))[:2] == (403, "not-allowed")
    assert refusal(System(studio, viewer).send(planned()))[:2] == (403, "not-allowed")
    assert refusal(System(studio, editor).send(withdrawn))[:2] == (403, "not-allowed")
    assert refusal(System(studio, editor).send(planned("8"), withdrawn))[:2] == (403, "not-allowed")
    assert not published_messages()
    assert System(studio, editor).send(planned()).status_code == 202
    revoke_api_token(user=owner, token_id=system.token.pk)
    assert system.send(planned("2")).status_code == 401


def test_rights_are_asked_for_again_when_the_event_is_handled(system: System) -> None:
    system.send(planned())
    StudioMember.objects.filter(user=system.user).delete()
    drain()

    received = ReceivedEvent.objects.get()
    assert received.state == "refused"
    assert received.problem is not None
    assert received.problem["type"] == "/problems/not-allowed"
    assert not Release.objects.exists()


@pytest.mark.parametrize(
    ("then", "slug"),
    [
        (planned("2", kind="premiere"), "invalid-release"),
        (planned("2", title="High Tide"), "invalid-release"),
        (planned("2", reference="R-2", title="Unheard", category=None), "invalid-release"),
        (planned("2", expires_at="2030-01-01T00:00:00Z", starts_at="2031-01-01T00:00:00Z"), "invalid-release"),
        (event("studio.release.scheduled", "2", {"reference": "R-2", "at": "2090-01-01T00:00:00Z"}), "not-found"),
        (event("studio.release.scheduled", "2", {"reference": "R-1", "at": "2020-01-01T00:00:00Z"}), "invalid-release"),
        (event("studio.release.withdrawn", "2", {"reference": "R-1"}), "illegal-transition"),
    ],
)
def test_what_the_platform_refuses_later_is_told_to_the_studio_and_changes_nothing(
    system: System, then: dict[str, Any], slug: str
) -> None:
    assert system.send(planned(), then).status_code == 202
    drain()

    first, second = sorted(system.sent(), key=lambda told: told["id"])
    assert (first["state"], second["state"]) == ("done", "refused")
    assert second["problem"]["type"] == f"/problems/{slug}"
    assert Release.objects.get().version == 1
    assert not DeadLetter.objects.exists()


def test_a_studio_reads_its_own_events_alone(system: System) -> None:
    system.send(planned())

    assert System(*a_studio()).sent() == []
    assert len(system.sent()) == 1


def test_what_ended_a_month_ago_is_forgotten(system: System) -> None:
    system.send(planned("1"))
    drain()
    system.send(planned("2"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_receivedevent SET received_at = now() - interval '31 days'")
    forget_received_events()

    assert [received.event_id for received in ReceivedEvent.objects.all()] == ["2"]


def test_nothing_to_take_is_fine(system: System) -> None:
    assert accept_events(actor=system.user, studio=system.studio, events=[], is_batch=True) == []


def test_the_description_names_the_formats_and_the_refusals() -> None:
    described = Client().get("/api/v1/openapi.json").json()["paths"]["/api/v1/events"]["post"]

    assert set(described["requestBody"]["content"]) == {STRUCTURED, BATCH, "application/json"}
    assert {"202", "401", "403", "409", "413", "415", "422"} <= set(described["responses"])
    assert "whole or not at all" in described["description"]
