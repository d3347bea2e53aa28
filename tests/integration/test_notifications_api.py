"""The viewer's side of the HTTP API."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.commands import create_api_token
from accounts.models import IdempotencyKey, User
from notifications import commands
from notifications.commands import subscribe
from notifications.outbound.endpoints import add_webhook
from notifications.outbound.models import Endpoint
from tests.support.outbound_sinks import Browser

from .notifications_support import MOVIES, a_viewer, given, post

pytestmark = pytest.mark.django_db


def caller(user: User) -> Client:
    _, token = create_api_token(user=user, name="test")
    return Client(headers={"Authorization": f"Bearer {token}"})


def test_topics_and_subscriptions_say_what_is_followed() -> None:
    api = caller(a_viewer())

    followed = {"kinds": ["episode"], "muted_until": None}
    put = api.put(f"/api/v1/subscriptions/{MOVIES}", {"kinds": ["episode"]}, content_type="application/json")
    assert (put.status_code, put.json()) == (200, {"topic": MOVIES} | followed)

    assert api.get("/api/v1/subscriptions").json() == [{"topic": MOVIES} | followed]
    (movies,) = [t for t in api.get("/api/v1/topics").json()[0]["topics"] if t["name"] == MOVIES]
    assert movies == {"name": MOVIES, "label": "Movies", "subscribed": True} | followed

    assert api.delete(f"/api/v1/subscriptions/{MOVIES}").status_code == 204
    assert api.delete(f"/api/v1/subscriptions/{MOVIES}").status_code == 204
    assert api.get("/api/v1/subscriptions").json() == []


@pytest.mark.parametrize("path", ["inbox", "subscriptions", "channels", "preferences", "reminders"])
def test_a_token_that_is_for_a_studio_alone_opens_nothing_of_its_owners_own(path: str) -> None:
    _, token = create_api_token(user=a_viewer(), name="test", studio_slug="aurora")

    answer = Client(headers={"Authorization": f"Bearer {token}"}).get(f"/api/v1/{path}")

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/studio-token")


def test_whoever_follows_as_much_as_one_can_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_FOLLOWED", 1)
    api = caller(a_viewer())
    assert api.put(f"/api/v1/subscriptions/{MOVIES}").status_code == 200

    answer = api.put("/api/v1/subscriptions/title:one-more")

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/too-many-topics")
    assert api.put(f"/api/v1/subscriptions/{MOVIES}").status_code == 200


def test_a_topic_that_somebody_made_up_is_listed_to_nobody_else() -> None:
    assert caller(a_viewer()).put("/api/v1/subscriptions/studio:made-up").status_code == 200

    assert "made-up" not in str(caller(a_viewer()).get("/api/v1/topics").json())


def test_subscribing_without_a_body_wants_all_kinds() -> None:
    api = caller(a_viewer())

    assert "premiere" in api.put("/api/v1/subscriptions/title:new").json()["kinds"]


@pytest.mark.parametrize("topic", ["nonsense", "viewer:1", "platform:all", "title:", "title:A b", "title:" + "x" * 200])
def test_a_topic_that_cannot_be_is_refused_by_name(topic: str) -> None:
    answer = caller(a_viewer()).put(f"/api/v1/subscriptions/{topic}")

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-topic")


@pytest.mark.parametrize("kinds", [[], ["gossip"]])
def test_kinds_that_are_not_are_refused_by_name(kinds: list[str]) -> None:
    api = caller(a_viewer())
    answer = api.put(f"/api/v1/subscriptions/{MOVIES}", {"kinds": kinds}, content_type="application/json")

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-kinds")


def test_a_topic_is_muted_and_heard_of_again() -> None:
    api = caller(a_viewer())
    api.put(f"/api/v1/subscriptions/{MOVIES}")
    address, until = f"/api/v1/subscriptions/{MOVIES}/mute", "2090-01-01T00:00:00Z"

    assert api.put(address, {"until": until}, content_type="application/json").json()["muted_until"] == until
    assert api.get("/api/v1/subscriptions").json()[0]["muted_until"] == until
    assert api.delete(address).json()["muted_until"] is None

    over = api.put(address, {"until": "2020-01-01T00:00:00Z"}, content_type="application/json")
    assert (over.status_code, over.json()["type"]) == (422, "/problems/invalid-mute")
    stranger = api.delete("/api/v1/subscriptions/studio:aurora/mute")
    assert (stranger.status_code, stranger.json()["type"]) == (422, "/problems/invalid-mute")


def test_the_inbox_is_paged_and_read() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    posted = [post(str(number)) for number in range(3)]
    api = caller(viewer)

    page = api.get("/api/v1/inbox", {"limit": 2}).json()
    assert [entry["title"] for entry in page["entries"]] == ["2", "1"]
    assert (page["unread"], page["positions"], page["next_before"]) == (3, {MOVIES: 3} | given(viewer), posted[1].pk)
    rest = api.get("/api/v1/inbox", {"limit": 2, "before": page["next_before"]}).json()
    assert [entry["title"] for entry in rest["entries"]] == ["0"]
    assert rest["next_before"] is None

    one = api.post("/api/v1/inbox/read", {"ids": [posted[0].pk]}, content_type="application/json").json()
    states = {"read": {str(posted[0].pk): 1}, "unread": {}, "dismissed": {}}
    assert one == {"ids": [posted[0].pk], "states": states, "positions": {}, "unread": 2}
    everything = {"positions": page["positions"]}
    assert api.post("/api/v1/inbox/read", everything, content_type="application/json").json()["unread"] == 0


@pytest.mark.parametrize(
    "body", [{"ids": ["x"]}, {"ids": [-1]}, {"positions": {"a": -1}}, {"ids": list(range(1, 999))}]
)
def test_nonsense_is_refused_with_a_problem(body: dict[str, Any]) -> None:
    answer = caller(a_viewer()).post("/api/v1/inbox/read", body, content_type="application/json")

    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")


def test_without_signing_in_there_is_no_inbox() -> None:
    assert Client().get("/api/v1/inbox").status_code == 401


BROWSER = Browser()
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "channels/mail": ("put", {"on": True}),
    "channels/browsers": (
        "post",
        {"endpoint": "https://push.example/me", "keys": {"p256dh": BROWSER.push_key, "auth": BROWSER.push_auth}},
    ),
    "channels/webhooks": ("post", {"url": "https://hooks.example/hear"}),
    "preferences": ("put", {}),
    f"subscriptions/{MOVIES}": ("put", {"kinds": ["episode"]}),
    f"subscriptions/{MOVIES}/mute": ("put", {"until": "2099-01-01T00:00:00Z"}),
    "inbox/read": ("post", {"ids": [1]}),
    "inbox/unread": ("post", {"ids": [1]}),
    "inbox/dismiss": ("post", {"ids": [1]}),
    "inbox/restore": ("post", {"ids": [1]}),
    "channels/webhooks/{hook}/rotate": ("post", {}),
    "channels/{hook}": ("put", {"on": False}),
    "channels/{hook} ": ("delete", {}),
    f"subscriptions/{MOVIES} ": ("delete", {}),
    f"subscriptions/{MOVIES}/mute ": ("delete", {}),
}


@pytest.mark.parametrize("path", WRITES)
def test_each_write_of_a_viewers_gets_its_first_answer_again(path: str) -> None:
    viewer, (method, body) = a_viewer(), WRITES[path]
    api = caller(viewer)
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    hook = add_webhook(viewer_id=viewer.pk, address="https://hooks.example/one")
    if path == "preferences":
        body = api.get("/api/v1/preferences").json()

    def send(key: str | None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        url = f"/api/v1/{path.strip().format(hook=hook.pk)}"
        return getattr(api, method)(url, body, content_type="application/json", headers=headers)

    first, repeat, without = send("one"), send("one"), send(None)

    assert first.status_code in {200, 201, 204}
    assert (repeat.status_code, repeat.content) == (first.status_code, first.content)
    assert without.status_code == first.status_code
    if first.content:
        assert without.json().keys() == first.json().keys()


def test_a_secret_that_was_told_once_is_told_again_to_a_repeat_and_kept_under_a_seal(settings: LazySettings) -> None:
    api = caller(a_viewer())
    hook = {"url": "https://hooks.example/hear"}

    def add() -> Any:
        headers = {"Idempotency-Key": "one"}
        return api.post("/api/v1/channels/webhooks", hook, content_type="application/json", headers=headers)

    first = add()
    assert add().json() == first.json()
    assert first.json()["secret"] not in str(IdempotencyKey.objects.get().body)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another one", [settings.SECRET_KEY]
    assert add().json() == first.json()
    settings.SECRET_KEY_FALLBACKS = []
    lost = add()
    assert (lost.status_code, lost.json()["type"]) == (409, "/problems/lost-answer")
    assert Endpoint.objects.count() == 1
