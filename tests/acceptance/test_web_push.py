"""A push that the platform encrypts is read by RFC 8291, and shown by the service worker in a real browser.

Chromium under automation cannot subscribe to a push service, so what our push service decrypts is handed to the
service worker through DevTools, as Chromium would hand it.
"""

import json
import time

from playwright.sync_api import CDPSession, Page

from tests.support.live_client import eventually
from tests.support.outbound_sinks import Browser, WebSink

from .site import Site

ADD = """
from accounts.models import User
from notifications.outbound.endpoints import add_browser
viewer = User.objects.get(email="reader@test.example")
add_browser(viewer_id=viewer.pk, address={address!r}, push_key={key!r}, push_auth={auth!r})
"""

READ = """
from accounts.models import User
from notifications.read_commands import mark_read
mark_read(viewer_id=User.objects.get(email="reader@test.example").pk, ids=[{id}])
"""

SHOWN = "navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.map((n) => n.title))"
AGAIN_SECONDS = 3.0


def registration_of(devtools: CDPSession, page: Page) -> str:
    """The id by which DevTools knows the page's service worker."""
    found: list[str] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda said: found.extend(one["registrationId"] for one in said["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    ready = "navigator.serviceWorker.ready.then(() => true)"  # asking lets Playwright hear events meanwhile
    eventually(lambda: page.evaluate(ready) and found, what="the service worker's registration")
    return found[0]


def deliver(devtools: CDPSession, page: Page, push: dict[str, str]) -> None:
    """Hand a push to the service worker until it is shown.

    Chromium drops, and DevTools does not tell, what comes within half a second of the worker's installation.
    """
    due = 0.0

    def is_shown() -> object:
        nonlocal due
        if time.monotonic() >= due:
            devtools.send("ServiceWorker.deliverPushMessage", push)
            due = time.monotonic() + AGAIN_SECONDS
        return page.evaluate(SHOWN)

    eventually(is_shown, what="the notification")


def test_a_pushed_notification_is_shown_and_closed_when_it_is_read_elsewhere(site: Site, sink: WebSink) -> None:
    with site.visit("reader") as visitor:
        # Given a browser that may notify, and has subscribed
        visitor.context.grant_permissions(["notifications"], origin=site.stack.base_url)
        page = visitor.open("/notifications/preferences/")
        browser = Browser()
        address = sink.url("/201/browser")
        site.run(ADD.format(address=address, key=browser.push_key, auth=browser.push_auth))

        # When something is published that its viewer follows
        site.publish("The tide turns", title="low-tide")
        eventually(lambda: sink.hits, what="the push", within=30)
        plain = browser.read(sink.hits[0].body)
        assert "The tide turns" in json.loads(plain)["title"]

        # Then the service worker shows it
        devtools = visitor.context.new_cdp_session(page)
        push = {"origin": site.stack.base_url, "registrationId": registration_of(devtools, page)}
        deliver(devtools, page, {**push, "data": plain.decode()})
        assert page.evaluate(SHOWN) == [json.loads(plain)["title"]]

        # And closes it when the viewer has read it on another device
        site.run(READ.format(id=json.loads(plain)["id"]))
        eventually(lambda: page.evaluate(SHOWN) == [], what="the popup to be closed")
        assert visitor.complaints == []


def test_a_viewer_adds_replaces_and_removes_a_webhook_and_switches_mail_on(site: Site) -> None:
    with site.visit("reader") as visitor:
        page = visitor.open("/notifications/preferences/")
        with page.expect_response("**/channels/mail/"):
            page.get_by_role("switch", name="E-mail").click()
        page.get_by_label("Address").fill("https://user:word@example.org/")
        page.get_by_role("button", name="Add webhook").click()
        page.get_by_text("may hold no user").first.wait_for()
        page.get_by_label("Address").fill("https://hooks.example.org/marquee")
        page.get_by_label("Name").fill("My lamp")
        page.get_by_role("button", name="Add webhook").click()
        hook = page.get_by_role("article", name="My lamp")
        hook.get_by_text("Signing secret").click()
        secret = hook.locator("code").inner_text()
        hook.get_by_role("button", name="Replace secret").click()
        hook.get_by_text("Signing secret").click()
        assert hook.locator("code").inner_text() != secret
        hook.get_by_role("button", name="Remove").click()
        hook.wait_for(state="detached")
        assert page.get_by_role("switch", name="E-mail").is_checked()
        assert visitor.complaints == []
