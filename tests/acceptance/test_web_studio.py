"""What studios do, and what they may not."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from .site import Site

pytestmark = pytest.mark.browser


def open_draft(page: Page, headline: str) -> None:
    page.goto("/studio/aurora/releases/new/?title=the-long-night")
    page.get_by_label("Headline").fill(headline)
    page.get_by_role("button", name="Create draft").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(headline)


def test_guests_are_asked_to_sign_in_and_strangers_are_refused(site: Site) -> None:
    with site.visit() as guest:
        page = guest.open("/studio/aurora/")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    with site.visit("viewer") as viewer:
        page = viewer.open("/studio/aurora/releases/")
        expect(page.get_by_role("heading", name="You may not do this")).to_be_visible()
        expect(page.get_by_text("You are not a member of Aurora Pictures.")).to_be_visible()
    with site.visit("studio") as studio:
        answer = studio.open("about:blank").goto("/studio/rival/")
        assert answer is not None
        assert answer.status == 403


def test_an_editor_drafts_but_does_not_publish(site: Site) -> None:
    with site.visit("editor") as visitor:
        page = visitor.open("about:blank")
        open_draft(page, "Drafted by an editor")
        expect(page.get_by_text("A publisher or an owner publishes.")).to_be_visible()
        expect(page.get_by_role("button", name="Publish now")).to_have_count(0)
        page.goto("/studio/aurora/team/")
        expect(page.get_by_text("Your role is editor.")).to_be_visible()


def test_a_file_that_is_no_video_is_refused_in_words_and_the_draft_keeps_all_else(site: Site, tmp_path: Path) -> None:
    letter = tmp_path / "letter.mp4"
    letter.write_text("Dear viewers, this is a letter. " * 50)
    with site.visit("studio") as visitor:
        page = visitor.open("about:blank")
        open_draft(page, "With a letter for a video")
        page.get_by_label("Choose a video").set_input_files(letter)
        alert = page.get_by_role("alert").filter(has_text="letter.mp4 could not be used.")
        expect(alert).to_be_visible(timeout=30_000)
        expect(page.get_by_label("Headline")).to_have_value("With a letter for a video")
        expect(page.get_by_role("button", name="Publish now")).to_be_disabled()
        expect(page.get_by_label("Choose a video")).to_be_attached()
        assert visitor.complaints == []


def test_a_file_that_is_chosen_before_the_pages_scripts_run_is_sent_when_they_do(site: Site, tmp_path: Path) -> None:
    letter = tmp_path / "early.mp4"
    letter.write_text("Dear viewers, this is a letter. " * 50)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with site.visit("studio", service_workers="block") as visitor:
        page = visitor.open("about:blank")
        open_draft(page, "Chosen early")
        page.route("**/js/studio*.js", hold)
        with page.expect_request("**/js/studio*.js"):
            page.reload(wait_until="commit")
        page.get_by_label("Choose a video").set_input_files(letter)
        held[0].continue_()
        expect(page.get_by_role("alert").filter(has_text="early.mp4 could not be used.")).to_be_visible(timeout=30_000)


def test_a_draft_is_saved_while_one_types(site: Site) -> None:
    with site.visit("studio") as visitor:
        page = visitor.open("about:blank")
        open_draft(page, "Before typing")
        page.get_by_label("Headline").fill("After typing")
        expect(page.locator("#preview")).to_contain_text("Premiere: After typing")
        expect(page.locator(".save-state")).to_have_text("Saved")
        page.reload()
        expect(page.get_by_label("Headline")).to_have_value("After typing")
        page.get_by_label("Headline").fill("")
        expect(page.locator(".save-state")).to_contain_text("A release needs a headline.")


def test_two_windows_with_one_draft_do_not_overwrite_each_other(site: Site) -> None:
    with site.visit("studio") as visitor:
        one = visitor.open("about:blank")
        open_draft(one, "Before both")
        other = visitor.open(one.url)
        one.get_by_label("Headline").fill("By the first")
        expect(one.locator(".save-state")).to_have_text("Saved")
        other.get_by_label("Synopsis").fill("By the second.")
        expect(other.locator(".save-state")).to_have_text("Saved")
        other.get_by_label("Headline").fill("By the second")
        expect(other.locator(".save-state")).to_contain_text("somebody else changed the headline to “By the first”")
        other.get_by_role("button", name="Keep mine").click()
        expect(other.locator(".save-state")).to_have_text("Saved as you type")  # the page was loaded again
        one.reload()
        expect(one.get_by_label("Headline")).to_have_value("By the second")
        expect(one.get_by_label("Synopsis")).to_have_value("By the second.")


def test_a_release_is_scheduled_unscheduled_published_and_recalled(site: Site) -> None:
    with site.visit("studio") as visitor:
        page = visitor.open("about:blank")
        open_draft(page, "There and back")
        page.get_by_text("Schedule instead").click()
        page.get_by_label("Publish at").fill("2090-05-01T20:15")
        page.get_by_role("button", name="Schedule").click()
        expect(page.get_by_text("Goes out on 1 May 2090, 20:15 UTC")).to_be_visible()
        page.get_by_role("button", name="Make it a draft again").click()
        expect(page.locator(".pill--draft")).to_be_visible()
        page.get_by_role("button", name="Publish now").click()
        page.get_by_role("dialog").get_by_role("button", name="Publish now").click()
        expect(page.locator(".pill--published")).to_be_visible()
        page.get_by_label("Reason").fill("Changed our minds.")
        page.get_by_role("button", name="Recall").click()
        page.get_by_role("dialog").get_by_role("button", name="Recall").click()
        expect(page.locator(".pill--recalled")).to_be_visible()
        assert visitor.complaints == []


def test_a_new_title_is_made_and_a_token_is_shown_once(site: Site) -> None:
    with site.visit("studio") as visitor:
        page = visitor.open("/studio/aurora/titles/new/")
        page.get_by_label("Name").fill("The Paper Moon")
        page.get_by_label("Category").select_option("Movies")
        page.get_by_role("button", name="Create title").click()
        expect(page.get_by_role("link", name="The Paper Moon", exact=True)).to_be_visible()
        page.goto("/studio/aurora/tokens/")
        page.get_by_label("Name").fill("Nightly upload")
        page.get_by_role("button", name="Make token").click()
        expect(page.locator("#token")).to_have_text(re.compile("^mq_"))
        page.goto("/studio/aurora/tokens/")
        expect(page.locator("#token")).to_have_count(0)
        page.get_by_role("row", name="Nightly upload").get_by_role("button", name="Revoke").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("The token is revoked.")).to_be_visible()
        assert visitor.complaints == []
