"""A whole running system under test, spoken to as its users do: over HTTP, WebSocket and the command line."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from uuid import uuid4

import psycopg
import redis

from ott.embedded.processes import COMMANDS
from ott.embedded.stack import Stack

from .live_client import LiveClient, eventually, live_client
from .manager import Manage, manager

DATABASE_AWAY = 503


@dataclass(frozen=True)
class Answer:
    """An HTTP answer with its JSON."""

    status: int
    body: dict[str, Any]


class System:
    """A `Stack` with one studio and its viewers."""

    def __init__(self, stack: Stack, manage: Manage) -> None:
        self.stack = stack
        self.manage = manage
        self.base_url = stack.base_url
        self.studio_token = self.manage("create_token", "studio@test.example", "--studio", "aurora", "--create")

    def viewer(self, *, topics: tuple[str, ...] = ("category:movies",), email: str = "") -> str:
        """A new member who subscribes to `topics`; the answer is their API token."""
        token = self.manage("create_token", email or f"{uuid4().hex[:10]}@test.example", "--create")
        for topic in topics:
            answer = self.call("PUT", f"/subscriptions/{topic}", token, {})
            assert answer.status in {200, 201}, answer
        return token

    def call(self, method: str, path: str, token: str, body: dict[str, Any] | None = None) -> Answer:
        """One API call, sent again while the platform does not answer: its key makes that harmless."""
        request = self.request(method, path, token, body)
        answer: Answer = eventually(lambda: _answer(request), what=f"an answer to {method} {path}")
        return answer

    def request(self, method: str, path: str, token: str, body: dict[str, Any] | None = None) -> urllib.request.Request:
        """An API call that is not sent yet."""
        return urllib.request.Request(
            f"{self.base_url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Idempotency-Key": uuid4().hex,
            },
        )

    def upload(self, release_id: str, video: Path) -> Answer:
        """Upload `video` as the release's asset."""
        boundary = uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{video.name}"\r\n'
        body = (
            head.encode() + b"Content-Type: video/mp4\r\n\r\n" + video.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        )
        request = urllib.request.Request(
            f"{self.base_url}/api/v1/releases/{release_id}/asset",
            method="POST",
            data=body,
            headers={
                "Authorization": f"Bearer {self.studio_token}",
                "Content-Type": f"multipart/form-data; boundary={boundary}",
            },
        )
        return send(request)

    def draft(self, headline: str, category: str = "movies") -> str:
        """A drafted release's id."""
        body = {"title": f"Film of {category}", "category": category, "kind": "premiere", "headline": headline}
        answer = self.call("POST", "/releases", self.studio_token, body)
        assert answer.status == 201, answer
        return str(answer.body["id"])

    def publish(self, release_id: str) -> None:
        """Publish a drafted release."""
        answer = self.call("POST", f"/releases/{release_id}/publish", self.studio_token)
        assert answer.status == 202, answer

    def announce(self, *headlines: str, category: str = "movies") -> list[str]:
        """Draft and publish one release a headline; the answer is their headlines."""
        for headline in headlines:
            self.publish(self.draft(headline, category))
        return list(headlines)

    def restart_the_ended(self) -> None:
        """Start again what has ended by itself, as the supervisor does: a Celery worker may when Redis goes away."""
        for name in COMMANDS:
            if not self.stack.pids(name):
                self.stack.start(name)

    def empty_valkey(self) -> None:
        """Forget everything that Valkey holds."""
        with redis.Redis.from_url(self.stack.redis_url) as client:
            client.flushall()

    def inbox(self, token: str) -> list[dict[str, Any]]:
        """All entries of a viewer's inbox, newest first."""
        entries: list[dict[str, Any]] = []
        page = "/inbox?limit=100"
        while True:
            answer = self.call("GET", page, token)
            assert answer.status == 200, answer
            entries += answer.body["entries"]
            before = answer.body.get("next_before")
            if not before:
                return entries
            page = f"/inbox?limit=100&before={before}"

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of the test's own, outside any pool."""
        with psycopg.connect(self.stack.database_url, autocommit=True) as connection:
            yield connection

    def live(self, token: str, *, held: LiveClient | None = None) -> AbstractContextManager[LiveClient]:
        """A live client of the viewer with `token`; it goes on from what the client `held` holds."""
        return live_client(self.base_url, token, held=held)


@contextmanager
def running_system(folder: Path) -> Iterator[System]:
    """A system of one's own in `folder`."""
    with Stack(folder) as stack, manager(stack.environment) as manage:
        yield System(stack, manage)


def _answer(request: urllib.request.Request) -> Answer | None:
    """The answer, unless it is that the platform cannot be reached or its database is away."""
    try:
        answer = send(request)
    except (OSError, HTTPException):
        return None
    return None if answer.status == DATABASE_AWAY else answer


def send(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return Answer(response.status, _body(response.read()))
    except HTTPError as error:
        return Answer(error.code, _body(error.read()))
    except URLError as error:
        raise OSError(str(error)) from error


def _body(raw: bytes) -> dict[str, Any]:
    if raw.startswith(b"{"):
        document: dict[str, Any] = json.loads(raw)
        return document
    return {"text": raw.decode(errors="replace")}


def assert_exactly_once(system: System, client: LiveClient, token: str, headlines: list[str]) -> None:
    """The viewer has each of `headlines` exactly once, in the inbox and on the socket."""
    eventually(lambda: len(client.received) >= len(headlines), what=f"{len(headlines)} notifications on the socket")
    inbox = system.inbox(token)
    for cards in (inbox, client.received):
        words = [f"{card['title']} {card['body']}" for card in cards]
        counts = {headline: sum(headline in text for text in words) for headline in headlines}
        assert counts == dict.fromkeys(headlines, 1)
    assert [card["id"] for card in inbox] == [frame["id"] for frame in reversed(client.received)]
    assert client.resets == []
