"""Takes the pictures in docs/: `python -m tests.acceptance.screenshots [FOLDER] [--all FOLDER]`.

Starts a platform of its own with the demo content. A few pictures go, small, to FOLDER (docs/screenshots); with
`--all`, every page in both sizes and both themes goes to the other folder, to be looked at.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from ott.embedded.stack import Stack

from .chromium import DESKTOP, PHONE, Visitor, chromium

PASSWORD = "marquee-demo"
SIZES = {"desktop": DESKTOP, "phone": PHONE}
THEMES = ("dark", "light")
WHY = "/console/notifications/notification/why/?viewer=viewer@marquee.example&notification=Premiere"
SMALL = (1440, 900)  # pixels; the pictures in docs/ fit into it


@dataclass(frozen=True)
class Shot:
    """A page to take, by whom it is seen, and what is done on it first."""

    name: str
    who: str
    path: str
    do: Callable[[Page], None] = lambda page: None


def open_drawer(page: Page) -> None:
    page.locator("#bell button.icon-button").first.click()
    page.wait_for_timeout(400)


def open_menu(page: Page) -> None:
    page.get_by_role("button", name="Your menu").click()


def add_webhook(page: Page) -> None:
    if not page.get_by_role("article").count():
        page.get_by_label("Address").fill("https://hooks.example.org/marquee")
        page.get_by_label("Name").fill("My lamp")
        page.get_by_role("button", name="Add webhook").click()


def open_first_release(page: Page) -> None:
    page.locator(".table .thing a").first.click()
    page.wait_for_load_state()


def open_published_release(page: Page) -> None:
    page.goto(f"{page.url}?state=published")
    open_first_release(page)
    page.wait_for_timeout(400)


SHOTS = (
    Shot("sign-in", "", "/accounts/login/"),
    Shot("join", "", "/accounts/signup/"),
    Shot("home-guest", "", "/"),
    Shot("not-found", "", "/nowhere/"),
    Shot("offline", "", "/offline/"),
    Shot("home", "viewer", "/"),
    Shot("menu", "viewer", "/", open_menu),
    Shot("drawer", "viewer", "/", open_drawer),
    Shot("browse", "viewer", "/browse/"),
    Shot("category", "viewer", "/browse/documentaries/"),
    Shot("search", "viewer", "/search/?q=night"),
    Shot("title", "viewer", "/titles/low-tide/"),
    Shot("live-event", "viewer", "/titles/midnight-marathon/"),
    Shot("inbox", "viewer", "/notifications/"),
    Shot("topics", "viewer", "/notifications/topics/"),
    Shot("preferences", "viewer", "/notifications/preferences/", add_webhook),
    Shot("profile", "viewer", "/accounts/profile/"),
    Shot("password", "viewer", "/accounts/password/change/"),
    Shot("forbidden", "viewer", "/studio/aurora/"),
    Shot("no-studio", "viewer", "/studio/"),
    Shot("studios", "studio", "/studio/?all"),
    Shot("studio", "studio", "/studio/aurora/"),
    Shot("releases", "studio", "/studio/aurora/releases/"),
    Shot("release-new", "studio", "/studio/aurora/releases/new/"),
    Shot("release-draft", "studio", "/studio/aurora/releases/", open_first_release),
    Shot("release-published", "studio", "/studio/aurora/releases/", open_published_release),
    Shot("titles", "studio", "/studio/aurora/titles/"),
    Shot("title-edit", "studio", "/studio/aurora/titles/the-long-night/"),
    Shot("team", "studio", "/studio/aurora/team/"),
    Shot("tokens", "studio", "/studio/aurora/tokens/"),
    Shot("console", "operator", "/console/broker/outboxmessage/"),
    Shot("console-announcements", "operator", "/console/notifications/announcement/add/"),
    Shot("console-why", "operator", WHY),
    Shot("console-releases", "operator", "/console/catalog/release/"),
)
IN_DOCS = (
    ("home", "desktop", "dark"),
    ("title", "desktop", "dark"),
    ("drawer", "desktop", "light"),
    ("release-published", "desktop", "dark"),
    ("studio", "desktop", "light"),
    ("home", "phone", "dark"),
    ("topics", "phone", "light"),
)


@contextmanager
def visitor_of(browser: Browser, stack: Stack, who: str, size: str, theme: str) -> Iterator[Page]:
    """A tab of somebody with a demo account, or of a guest."""
    visitor = Visitor(browser, stack.base_url, viewport=SIZES[size], color_scheme=theme, service_workers="block")
    page = visitor.open("/accounts/login/")
    if who:
        page.get_by_label("E-mail address").fill(f"{who}@marquee.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
    yield page
    visitor.close()


def take(page: Page, shot: Shot, file: Path) -> None:
    """Take one picture, once everything on the page is there."""
    page.goto(shot.path)
    shot.do(page)
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file)


def take_all(browser: Browser, stack: Stack, folder: Path, wanted: Callable[[str, str, str], bool]) -> None:
    """Every wanted picture, as NAME-SIZE-THEME.png in `folder`."""
    for size in SIZES:
        for theme in THEMES:
            for who in ("", "viewer", "studio", "operator"):
                shots = [shot for shot in SHOTS if shot.who == who and wanted(shot.name, size, theme)]
                if not shots:
                    continue
                with visitor_of(browser, stack, who, size, theme) as page:
                    for shot in shots:
                        take(page, shot, folder / f"{shot.name}-{size}-{theme}.png")


def keep_small(taken: Path, folder: Path) -> None:
    """Put the pictures of `IN_DOCS` into `folder`, small."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, theme in IN_DOCS:
        with Image.open(taken / f"{name}-{size}-{theme}.png") as picture:
            picture.thumbnail(SMALL, Image.Resampling.LANCZOS)
            picture.convert("RGB").save(folder / f"{name}-{size}-{theme}.webp", quality=82, method=6)


def main() -> None:
    """Start a platform with the demo, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="where every picture goes, in full size")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="marquee-") as temporary:
        Path(temporary).chmod(0o711)  # ours: the servers' user passes through it
        taken = chosen.all or Path(temporary)
        taken.mkdir(parents=True, exist_ok=True)
        with Stack(Path(temporary) / "data", seed=True) as stack, chromium() as browser:
            take_all(browser, stack, taken, lambda *shot: bool(chosen.all) or shot in IN_DOCS)
        keep_small(taken, chosen.folder)
    print(f"{len(IN_DOCS)} pictures are in {chosen.folder}")


if __name__ == "__main__":
    main()
