"""Who may call the API, refusals as problem details, and `Idempotency-Key`."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import close_old_connections, connection, connections
from django.test import Client
from django.utils import timezone

from accounts.commands import create_api_token
from accounts.models import ApiToken, IdempotencyKey, User
from accounts.tasks import forget_idempotency_keys
from catalog import commands
from catalog.models import Release, Studio
from tests.support.catalog import a_studio, a_user, types_of_messages

pytestmark = pytest.mark.django_db
DRAFT = {"title": "The Long Night", "category": "movies", "kind": "premiere"}
URL = "/api/v1/releases"


def api(user: User, studio_slug: str = "", **options: Any) -> Client:
    _, plaintext = create_api_token(user=user, name="test", studio_slug=studio_slug)
    return Client(headers={"Authorization": f"Bearer {plaintext}"}, **options)


def post(client: Client, url: str, body: Any, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(url, body, content_type="application/json", headers=headers)


def test_without_a_name_nobody_gets_in() -> None:
    answer = post(Client(), URL, DRAFT)

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "/problems/not-signed-in"


def test_a_wrong_token_is_refused_even_with_a_good_session() -> None:
    client = Client(headers={"Authorization": "Bearer mq_wrong"})
    client.force_login(a_studio()[1])

    assert post(client, URL, DRAFT).status_code == 401


def test_a_session_needs_its_csrf_token_to_write_but_not_to_read() -> None:
    _, owner = a_studio()
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)

    refused = post(client, URL, DRAFT)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/csrf-failed")
    assert client.get("/api/v1/releases/00000000-0000-0000-0000-000000000000").status_code == 404

    client.cookies["csrftoken"] = "x" * 32
    allowed = client.post(URL, DRAFT, content_type="application/json", headers={"X-CSRFToken": "x" * 32})
    assert allowed.status_code == 201


def test_a_token_needs_no_csrf_token_and_its_use_is_remembered() -> None:
    _, owner = a_studio()

    assert post(api(owner, enforce_csrf_checks=True), URL, DRAFT).status_code == 201
    assert ApiToken.objects.get().last_used_at is not None


def test_a_request_that_does_not_fit_says_where() -> None:
    _, owner = a_studio()
    answer = post(api(owner), URL, {**DRAFT, "kind": "rumour", "colour": "red"})

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "/problems/invalid-request")
    assert {error["at"] for error in problem["errors"]} == {"body/body/kind", "body/body/colour"}


def test_what_is_not_json_is_refused_as_a_problem() -> None:
    _, owner = a_studio()
    answer = api(owner).post(URL, "{", content_type="application/json")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_a_failure_is_a_problem_too_and_says_that_nothing_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("secret detail")

    _, owner = a_studio()
    monkeypatch.setattr(commands, "draft_release", fail)

    answer = post(api(owner), URL, DRAFT, key="k")

    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
    assert not IdempotencyKey.objects.exists()


def test_a_repeat_with_the_same_key_gets_the_first_answer_and_changes_nothing() -> None:
    _, owner = a_studio()
    client = api(owner)

    first, second = post(client, URL, DRAFT, key="one"), post(client, URL, DRAFT, key="one")
    other = post(client, URL, DRAFT, key="two")

    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert other.json()["id"] != first.json()["id"]
    assert Release.objects.count() == 2


def test_publishing_again_with_the_same_key_is_no_refusal() -> None:
    _, owner = a_studio()
    client = api(owner)
    url = f"{URL}/{post(client, URL, DRAFT).json()['id']}/publish"

    first, second = (client.post(url, headers={"Idempotency-Key": "k"}) for _ in range(2))
    third = client.post(url)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert (third.status_code, third.json()["type"]) == (409, "/problems/already-published")
    assert types_of_messages() == ["release.published"]


def test_a_key_with_another_request_is_refused_by_name() -> None:
    _, owner = a_studio()
    client = api(owner)
    post(client, URL, DRAFT, key="k")

    answer = post(client, URL, {**DRAFT, "synopsis": "Another"}, key="k")

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert Release.objects.count() == 1


def test_a_key_is_its_users_own() -> None:
    first, second = (post(api(a_studio()[1]), URL, DRAFT, key="same") for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 129])
def test_a_key_of_no_length_or_too_much_is_refused(key: str) -> None:
    answer = post(api(a_studio()[1]), URL, DRAFT, key=key)

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-idempotency-key")


def test_a_refusal_does_not_use_up_its_key() -> None:
    studio, owner = a_studio()
    client = api(a_user())
    assert post(client, URL, DRAFT, key="k").status_code == 403

    commands.add_studio_member(actor=owner, studio=studio, user=User.objects.latest("pk"), role="editor")

    assert post(client, URL, DRAFT, key="k").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_two_identical_requests_at_once_have_one_effect_and_one_answer() -> None:
    _, owner = a_studio()
    _, plaintext = create_api_token(user=owner, name="test")
    barrier, answers = threading.Barrier(4), []

    def call() -> None:
        client = Client(headers={"Authorization": f"Bearer {plaintext}"})
        barrier.wait()
        answer = post(client, URL, DRAFT, key="k")
        answers.append((answer.status_code, answer.json()))
        connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Release.objects.count() == 1
    assert [status for status, _ in answers] == [201] * 4
    assert all(body == answers[0][1] for _, body in answers)


@pytest.mark.django_db(transaction=True)
def test_a_request_that_died_half_way_leaves_its_key_free() -> None:
    studio, owner = a_studio()
    started, die = threading.Event(), threading.Event()

    def die_half_way() -> None:
        close_old_connections()
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "INSERT INTO accounts_idempotencykey (user_id, key, request_digest) VALUES (%s, 'k', 'x')", [owner.pk]
            )
            started.set()
            die.wait(10)
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    thread = threading.Thread(target=_ignoring_the_lost_connection, args=[die_half_way])
    thread.start()
    assert started.wait(10)
    threading.Timer(0.3, die.set).start()  # while the request below waits for the key

    answer = post(api(owner), URL, {**DRAFT, "studio": studio.slug}, key="k")
    thread.join()

    assert answer.status_code == 201
    assert Studio.objects.get().titles.count() == 1


def _ignoring_the_lost_connection(work: Any) -> None:
    try:
        work()
    except Exception:  # the server ended the connection: that is what was asked for
        pass
    finally:
        connections.close_all()


def test_keys_are_forgotten_after_a_day() -> None:
    _, owner = a_studio()
    client = api(owner)
    for key in ("old", "young"):
        post(client, URL, DRAFT, key=key)
    IdempotencyKey.objects.filter(key="old").update(created_at=timezone.now() - timedelta(hours=25))

    forget_idempotency_keys()

    assert IdempotencyKey.objects.get().key == "young"
