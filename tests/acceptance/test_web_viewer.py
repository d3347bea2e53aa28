"""What viewers do: join, follow, be told, look up, lose the connection, choose a theme."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from .site import Site

pytestmark = pytest.mark.browser


def live(page: Page) -> Page:
    """The page, once its live connection stands."""
    expect(page.locator("#connection")).to_have_attribute("data-state", "connected")
    return page


def test_who_joins_is_a_member_and_follows_a_category(site: Site) -> None:
    with site.visit() as visitor:
        page = visitor.open("/")
        page.get_by_role("link", name="Join").click()
        page.get_by_label("E-mail address").fill("new@test.example")
        page.get_by_label("Password").fill("short")
        page.get_by_role("button", name="Join").click()
        expect(page.get_by_text("at least 10 characters").first).to_be_visible()
        page.get_by_label("Password").fill("a much longer sentence")
        page.get_by_role("button", name="Join").click()
        live(page)
        page.get_by_role("button", name=re.compile("^Notifications")).click()
        page.get_by_role("link", name="Choose what to follow").click()
        page.get_by_role("switch", name="Follow Movies").check()
        expect(page.get_by_role("checkbox", name="Premieres")).to_be_checked()
        page.goto("/accounts/profile/")
        expect(page.get_by_text("Active", exact=True)).to_be_visible()
        assert visitor.complaints == []


def test_a_followed_title_is_told_at_once_and_says_why(site: Site) -> None:
    with site.visit("reader") as visitor:
        page = live(visitor.open("/titles/low-tide/"))
        page.get_by_role("button", name="Follow", exact=True).click()
        expect(page.get_by_role("switch", name="Follow Low Tide")).to_be_checked()
        page.goto("/notifications/")
        live(page)
        site.publish("Low Tide: the spring flood")
        entry = page.locator(".inbox .entry").filter(has_text="the spring flood")
        expect(entry).to_have_class(re.compile("is-unread"))
        expect(page.locator(".toast").filter(has_text="the spring flood")).to_be_visible()
        entry.get_by_role("link", name="Why did I get this?").click()
        expect(entry.get_by_text("You follow Low Tide since")).to_be_visible()
        assert visitor.complaints == []


def test_a_recalled_release_changes_its_card_in_place(site: Site) -> None:
    with site.visit("reader") as visitor:
        page = live(visitor.open("/notifications/"))
        release = site.publish("Low Tide: by mistake")
        entry = page.locator(".inbox .entry").filter(has_text="by mistake")
        expect(entry).to_be_visible()
        site.run(
            f"from catalog.commands import recall_release; recall_release(release_id={release!r}, actor=None,"
            " reason='It was the wrong film.')"
        )
        expect(entry).to_have_class(re.compile("is-recalled"))
        expect(entry).to_contain_text("It was the wrong film.")
        expect(entry).to_have_count(1)


def test_what_is_said_of_a_card_in_one_tab_is_so_in_the_other(site: Site) -> None:
    with site.visit("reader") as visitor:
        page, other = (live(visitor.open("/notifications/")) for _ in range(2))
        site.publish("Low Tide: said of")
        here, there = (tab.locator(".inbox .entry").filter(has_text="said of") for tab in (page, other))
        unread = re.compile("is-unread")
        expect(there).to_have_class(unread)
        here.get_by_role("button", name="Mark as read").press("Enter")
        expect(there).not_to_have_class(unread)
        here.get_by_role("button", name="Mark as unread").press("Enter")
        expect(there).to_have_class(unread)
        here.get_by_role("button", name="Dismiss").press("Enter")
        expect(there).to_have_count(0)
        undo = page.locator(".inbox").get_by_role("button", name="Undo")
        expect(undo).to_be_focused()
        undo.press("Enter")
        expect(there).to_have_class(unread)
        expect(here).to_have_class(unread)
        assert visitor.complaints == []


def test_a_card_leaves_an_open_page_when_it_expires(site: Site) -> None:
    with site.visit("reader") as visitor:
        page = live(visitor.open("/notifications/"))
        entry = page.locator(".inbox .entry").filter(has_text="not for long")
        count = page.locator("[data-unread-words]")
        before = count.inner_text()
        site.run(
            "from datetime import timedelta\n"
            "from accounts.clock import database_now\n"
            "from notifications.commands import post_notification\n"
            "now = database_now()\n"
            "post_notification(subject='test:expiring', subject_version=1, kind='premiere', title='not for long',\n"
            "    topics={'category:tv-shows': 'TV Shows'}, body='', url='/', published_at=now,\n"
            "    expires_at=now + timedelta(seconds=8))"
        )
        expect(entry).to_be_visible()
        expect(count).not_to_have_text(before)
        page.reload()
        live(page)
        expect(entry).to_be_visible()
        expect(entry).to_have_count(0, timeout=20_000)
        expect(count).to_have_text(before)
        page.reload()
        expect(count).to_have_text(before)
        assert visitor.complaints == []


def test_what_came_while_offline_is_there_after_reconnecting(site: Site) -> None:
    with site.visit("reader") as visitor:
        page = live(visitor.open("/notifications/"))
        visitor.context.set_offline(True)
        expect(page.locator("#connection")).to_have_text("Offline")
        site.publish("Low Tide: the first unseen")
        site.publish("Low Tide: the second unseen")
        visitor.context.set_offline(False)
        live(page)
        titles = page.locator(".inbox .entry__title").filter(has_text="unseen")
        expect(titles).to_have_text([re.compile("the second unseen"), re.compile("the first unseen")])
        page.reload()
        expect(titles).to_have_text([re.compile("the second unseen"), re.compile("the first unseen")])


def test_who_comes_back_in_a_crowd_is_told_what_is_unread_a_while_later(site: Site) -> None:
    def as_in_a_crowd(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: socket.send(without_count(str(message))))

    with site.visit("reader") as visitor:
        visitor.context.clock.install()
        visitor.context.route_web_socket(re.compile("/ws/live/$"), as_in_a_crowd)
        page = live(visitor.open("/notifications/"))
        site.publish("Low Tide: while a crowd comes back")
        expect(page.locator(".inbox .entry").filter(has_text="while a crowd comes back")).to_be_visible()
        badge = page.locator("[data-unread-badge]").first
        expect(badge).to_be_visible()
        told = badge.inner_text()
        badge.evaluate("(node) => (node.textContent = 'as before')")
        page.clock.fast_forward(29_000)
        expect(badge).to_have_text("as before")
        page.clock.fast_forward(22_000)
        expect(badge).to_have_text(told)
        assert visitor.complaints == []


def test_a_page_told_to_come_back_does_so_and_holds_positions_of_its_own_topics_alone(site: Site) -> None:
    resumes: list[dict[str, Any]] = []
    sockets: list[WebSocketRoute] = []

    def listen(socket: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] == "resume":
                resumes.append(frame["positions"])
            server.send(message)

        server = socket.connect_to_server()
        socket.on_message(pass_on)
        sockets.append(socket)

    with site.visit("reader") as visitor:
        visitor.context.route_web_socket(re.compile("/ws/live/$"), listen)
        page = live(visitor.open("/notifications/"))
        site.publish("Low Tide: in topics of others")
        expect(page.locator(".inbox .entry").filter(has_text="in topics of others")).to_be_visible()

        sockets[-1].close(code=1012, reason="retry after 0.5")
        expect(page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
        live(page)

        before, after = resumes
        assert after.keys() == before.keys()
        assert sum(after.values()) > sum(before.values())


def without_count(message: str) -> str:
    """A welcome as it is told while a crowd comes back; any other frame as it is."""
    frame = json.loads(message)
    return json.dumps(frame | {"unread": None}) if frame["type"] == "welcome" else message


def test_without_a_network_a_page_says_so(site: Site) -> None:
    with site.visit("reader") as visitor:
        page = live(visitor.open("/"))
        page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
        visitor.context.set_offline(True)
        page.goto("/browse/")
        expect(page.get_by_role("heading", name="You are offline")).to_be_visible()


def test_without_membership_the_pages_say_why_nothing_comes(site: Site) -> None:
    with site.visit("lapsed") as visitor:
        page = visitor.open("/notifications/")
        expect(page.locator(".inbox").get_by_text("You are not a member right now")).to_be_visible()
        page.goto("/accounts/profile/")
        expect(page.get_by_text("Without a membership no notifications reach you")).to_be_visible()


def test_a_live_event_is_counted_down(site: Site) -> None:
    with site.visit() as visitor:
        page = visitor.open("/titles/harbour-cup/")
        timer = page.get_by_role("timer")
        expect(timer.locator("[data-unit=days]")).to_have_text("01")
        seconds = timer.locator("[data-unit=seconds]")
        before = seconds.text_content() or ""
        expect(seconds).not_to_have_text(before)


def test_the_chosen_theme_stays_and_is_there_before_the_first_paint(site: Site) -> None:
    with site.visit("reader", color_scheme="dark") as visitor:
        page = visitor.open("/accounts/profile/")
        page.get_by_role("button", name="Light").first.click()
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        page.goto("/", wait_until="commit")
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(244, 246, 250)"
