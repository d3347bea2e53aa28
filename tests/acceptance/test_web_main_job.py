"""The main job: from a studio's upload to a viewer's browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.live_client import eventually
from tests.support.videos import make_video

from .site import Site

pytestmark = pytest.mark.browser

# Notes each value that a progress bar shows, by the bar's name.
WATCH_PROGRESS = """() => {
  window.progressSeen = {};
  const look = () => {
    for (const bar of document.querySelectorAll("#asset progress")) {
      if (bar.closest("[hidden]")) continue;
      (window.progressSeen[bar.getAttribute("aria-label")] ??= []).push(bar.value);
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""


def test_what_a_studio_uploads_and_publishes_reaches_a_viewer_who_watches_it(site: Site, tmp_path: Path) -> None:
    video = make_video(tmp_path / "night.mp4", seconds=8, size="640x360")
    with site.visit("viewer") as viewer, site.visit("studio") as studio:
        # Given a viewer with two tabs who has read everything
        first, second = viewer.open("/"), viewer.open("/browse/movies/")
        for tab in (first, second):
            tab.bring_to_front()
            expect(tab.locator("#connection")).to_have_attribute("data-state", "connected")
        _read_all(first)
        expect(second.locator("#bell .badge-count")).to_be_hidden()
        first.evaluate("window.sameDocument = true")

        # When the studio drafts a release, uploads its video and publishes it
        desk = studio.open("/studio/aurora/releases/new/?title=the-long-night")
        _draft(desk, headline="The Long Night, restored")
        _upload(desk, video)
        _publish(desk)

        # Then both tabs show a toast and count it, without being loaded again
        for tab in (first, second):
            expect(tab.locator(".toast")).to_contain_text("The Long Night, restored")
            expect(tab.locator("#bell .badge-count")).to_have_text("1")
            expect(tab).to_have_title(re.compile(r"^\(1\) "))
        assert first.evaluate("window.sameDocument") is True

        # and the studio sees that one viewer was told and has seen it, in however many tabs
        for stage in ("routed", "posted", "pushed", "seen"):
            expect(_viewers(desk, stage)).to_have_text("1")
        expect(_viewers(desk, "opened")).to_have_text("0")

        # and the toast's action opens the title, where the video plays
        first.locator(".toast").get_by_role("link", name="Watch").click()
        first.wait_for_url("**/titles/the-long-night/")
        expect(first.get_by_role("heading", level=1)).to_have_text("The Long Night")
        first.get_by_role("link", name="Play", exact=True).click()
        player = first.locator("video[data-player]")
        eventually(lambda: player.evaluate("video => video.currentTime") > 1, what="the video to play")

        # and the studio sees that, too
        expect(_viewers(desk, "opened")).to_have_text("1")

        # and the other tab knows that it is read
        expect(second.locator("#bell .badge-count")).to_be_hidden()
        expect(second).not_to_have_title(re.compile(r"^\("))
        assert viewer.complaints == []
        assert studio.complaints == []


def _viewers(desk: Page, stage: str) -> Locator:
    """The number of viewers at a stage, as the release's page shows it."""
    return desk.locator(f"#insight [data-stage={stage}] .funnel__viewers")


def _read_all(page: Page) -> None:
    if page.locator("#bell .badge-count").is_visible():
        page.get_by_role("button", name=re.compile("^Notifications")).click()
        page.get_by_role("button", name="Mark all read").click()
        page.keyboard.press("Escape")


def _draft(desk: Page, *, headline: str) -> None:
    desk.get_by_label("Headline").fill(headline)
    desk.get_by_role("button", name="Create draft").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text(headline)


def _upload(desk: Page, video: Path) -> None:
    """Upload over a slow line, and see both progress bars move."""
    desk.evaluate(WATCH_PROGRESS)
    line = desk.context.new_cdp_session(desk)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": video.stat().st_size}
    line.send("Network.emulateNetworkConditions", slow)
    desk.get_by_label("Choose a video").set_input_files(video)
    expect(desk.get_by_role("group", name=re.compile("Encoding"))).to_be_visible()
    line.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    expect(desk.get_by_role("button", name="Publish now")).to_be_disabled()
    expect(desk.locator(".asset__media video")).to_be_visible(timeout=60_000)
    seen = desk.evaluate("window.progressSeen")
    for bar in ("Uploaded", "Encoded"):
        steps = {value for value in seen[bar] if 0 < value < 100}
        assert steps, f"{bar} was not seen to move: {seen}"
        assert seen[bar] == sorted(seen[bar])


def _publish(desk: Page) -> None:
    desk.get_by_role("button", name="Publish now").click()
    desk.get_by_role("dialog").get_by_role("button", name="Publish now").click()
    expect(desk.get_by_role("status").filter(has_text="Published")).to_be_visible()
