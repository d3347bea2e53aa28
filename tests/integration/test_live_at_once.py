"""What changes for a viewer takes effect on their open connections at once: here no tick would find it in time."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client as Browser

from accounts.commands import create_api_token, end_membership, revoke_api_token, update_profile
from accounts.models import ApiToken, User
from notifications.commands import subscribe, unsubscribe

from .live_support import Client, LiveServer
from .notifications_support import MOVIES

pytestmark = pytest.mark.django_db(transaction=True)
AN_HOUR = "3600"  # seconds


@pytest.fixture(scope="module")
def web(test_database_url: str) -> Iterator[LiveServer]:
    environment = {"DATABASE_URL": test_database_url, "OTT_LIVE_TICK_SECONDS": AN_HOUR}
    running = LiveServer(environment).wait_until_ready()
    yield running
    running.stop()


@pytest.mark.parametrize(
    "change",
    [
        lambda user: end_membership(user=user),
        lambda user: update_profile(user=user, is_kids=True),
        lambda user: subscribe(viewer_id=user.pk, topic="title:x"),
        lambda user: unsubscribe(viewer_id=user.pk, topic=MOVIES),
    ],
    ids=["membership", "profile", "subscription", "unsubscription"],
)
def test_a_change_of_entitlement_resets_an_open_connection_at_once(
    web: LiveServer, subscriber: User, change: Callable[[User], object]
) -> None:
    with Client(web, subscriber) as client:
        client.resume()
        change(subscriber)
        assert client.next("reset")["reason"] == "entitlement"


def test_signing_out_ends_the_sessions_connections_at_once_and_no_others(web: LiveServer, subscriber: User) -> None:
    browser, other = Browser(), Browser()
    for one in (browser, other):
        one.force_login(subscriber)
    with (
        Client(web, subscriber, additional_headers=cookie(browser)) as leaving,
        Client(web, subscriber, additional_headers=cookie(other)) as staying,
    ):
        leaving.resume()
        staying.resume()

        browser.logout()

        assert leaving.close_code() == 4401
        assert staying.hears_nothing()


def test_a_new_password_ends_the_connections_made_with_the_old_one_at_once(web: LiveServer, subscriber: User) -> None:
    with Client(web, subscriber) as client:
        client.resume()
        subscriber.set_password("another-long-password")
        subscriber.save(update_fields=["password"])
        assert client.close_code() == 4401


def test_a_user_who_is_switched_off_is_out_at_once(web: LiveServer, subscriber: User) -> None:
    with Client(web, subscriber) as client:
        client.resume()
        subscriber.is_active = False
        subscriber.save(update_fields=["is_active"])
        assert client.close_code() == 4401


def test_a_revoked_token_ends_its_connections_at_once(web: LiveServer, subscriber: User) -> None:
    token, plaintext = create_api_token(user=subscriber, name="to be revoked")
    with Client(web, subscriber, additional_headers={"Authorization": f"Bearer {plaintext}"}) as client:
        client.resume()
        revoke_api_token(user=subscriber, token_id=token.pk)
        assert client.close_code() == 4401
    assert ApiToken.objects.get(pk=token.pk).revoked_at is not None


def cookie(browser: Browser) -> dict[str, str]:
    """The headers of a page's script in this browser."""
    key = browser.cookies[settings.SESSION_COOKIE_NAME].value
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={key}", "Origin": "http://127.0.0.1"}
