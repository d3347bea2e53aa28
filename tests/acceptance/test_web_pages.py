"""Every page: accessible in both themes, without a complaint of the browser, and fit for a phone."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.live_client import eventually

from .chromium import DESKTOP, PHONE, Visitor
from .site import Site

pytestmark = pytest.mark.browser

STANDARD = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}  # what a theme changes
GUEST = ("/accounts/login/", "/accounts/signup/", "/titles/the-long-night/", "/nowhere/", "/offline/", "/asyncapi/")
VIEWER = (
    "/",
    "/browse/",
    "/browse/tv-shows/",
    "/search/?q=tide",
    "/titles/low-tide/",
    "/titles/harbour-cup/",
    "/notifications/",
    "/notifications/topics/",
    "/accounts/profile/",
    "/accounts/password/change/",
    "/studio/",
)
STUDIO = tuple(
    f"/studio/aurora/{page}"
    for page in (
        "",
        "releases/",
        "releases/new/",
        "titles/",
        "titles/new/",
        "titles/low-tide/",
        "analytics/",
        "team/",
        "tokens/",
    )
)


def pages(site: Site) -> list[tuple[str, tuple[str, ...]]]:
    """(who, paths) of everything that there is to see."""
    release = site.run("from catalog.models import Release; print(Release.objects.first().pk)")
    return [
        ("", GUEST),
        ("viewer", VIEWER),
        ("lapsed", ("/notifications/",)),
        ("studio", (*STUDIO, f"/studio/aurora/releases/{release}/")),
    ]


def each_page(site: Site, **options: object) -> Iterator[tuple[Visitor, Page]]:
    """Every page in turn, with all its fragments loaded."""
    for who, paths in pages(site):
        with site.visit(who, **options) as visitor:
            page = visitor.open("about:blank")
            for path in paths:
                page.goto(path)
                expect(page.locator(".htmx-request")).to_have_count(0)
                yield visitor, page


def show_in(page: Page, theme: Literal["dark", "light"]) -> None:
    """Change the theme, and wait until no colour is on its way any more."""
    page.emulate_media(color_scheme=theme)
    moving = "document.getAnimations().filter(animation => animation instanceof CSSTransition).length"
    eventually(lambda: page.evaluate(moving) == 0, what="the end of all transitions")


def violations(page: Page, options: Mapping[str, object] = STANDARD) -> list[str]:
    """What axe finds, one line for each element."""
    found = Axe().run(page, options=dict(options)).response["violations"]
    return [
        f"{page.url}: {rule['id']}: {node['target']} {node['html'][:120]}" for rule in found for node in rule["nodes"]
    ]


def width_on_a_phone(page: Page) -> int:
    """How wide the page is on a phone, in pixels."""
    page.set_viewport_size(PHONE)
    width: int = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(DESKTOP)
    return width


def test_every_page_is_accessible_fits_a_phone_and_brings_no_complaints(site: Site) -> None:
    found: list[str] = []
    for visitor, page in each_page(site, color_scheme="dark"):
        found += violations(page) + visitor.complaints
        visitor.complaints.clear()
        show_in(page, "light")
        found += violations(page, COLOURS)
        show_in(page, "dark")
        if (width := width_on_a_phone(page)) > PHONE["width"]:
            found.append(f"{page.url} is {width} pixels wide on a phone")
    assert found == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_what_opens_above_a_page_is_accessible(site: Site, theme: str) -> None:
    with site.visit("viewer", color_scheme=theme) as visitor:
        page = visitor.open("/")
        for button, name in (("Notifications", "drawer"), ("Your menu", "user-menu")):
            page.get_by_role("button", name=re.compile(f"^{button}")).click()
            page.wait_for_timeout(300)  # the drawer slides in: half-faded words have no contrast yet
            assert violations(page) == []
            page.keyboard.press("Escape")
            expect(page.locator(f"#{name}")).to_be_hidden()


def test_the_console_works_under_its_own_policy_and_no_other_page_has_it(site: Site) -> None:
    with site.visit("operator") as visitor:
        page = visitor.open("/console/")
        for model in (
            "accounts/user",
            "broker/outboxmessage",
            "broker/deadletter",
            "broker/operatoraction/groups",
            "catalog/release",
            "catalog/title",
        ):
            answer = page.goto(f"/console/{model}/")
            assert answer is not None
            assert "'unsafe-eval'" in answer.headers["content-security-policy"]
            expect(page.get_by_role("link", name="Dead letters").first).to_be_visible()
        home = page.goto("/")
        assert home is not None
        assert "unsafe" not in home.headers["content-security-policy"]
        assert visitor.complaints == []
