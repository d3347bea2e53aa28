"""A whole running platform with content and people, as the browser tests meet it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser

from ott.embedded.stack import Stack
from tests.support.manager import Manage

from .chromium import Visitor
from .content import PASSWORD


class Site:
    """A running platform and a browser to visit it with."""

    def __init__(self, stack: Stack, manage: Manage, browser: Browser) -> None:
        self.stack = stack
        self._manage = manage
        self._browser = browser
        self._signed_in: dict[str, Any] = {}  # cookies by person, so that each signs in once

    def run(self, code: str) -> str:
        """Run Python on the platform, in another process; what it printed."""
        return self._manage("shell", "-v0", "-c", code)

    @contextmanager
    def visit(self, who: str = "", **options: Any) -> Iterator[Visitor]:
        """A visitor's browser: one of `PEOPLE`, signed in, or a guest."""
        if who and who not in self._signed_in:
            self._signed_in[who] = self._sign_in(who)
        state = {"storage_state": self._signed_in[who]} if who else {}
        visitor = Visitor(self._browser, self.stack.base_url, **state, **options)
        try:
            yield visitor
        finally:
            visitor.close()

    def publish(self, headline: str, *, title: str = "low-tide", kind: str = "premiere") -> str:
        """Announce a release without a video; its id."""
        return self.run(
            "from catalog.commands import draft_release, publish_release\n"
            "from catalog.models import Title\n"
            f"title = Title.objects.select_related('studio').get(slug={title!r})\n"
            "release = draft_release(actor=None, studio=title.studio, title=title,"
            f" kind={kind!r}, headline={json.dumps(headline)})\n"
            "publish_release(release_id=release.pk, actor=None)\n"
            "print(release.pk)"
        )

    def _sign_in(self, who: str) -> Any:
        visitor = Visitor(self._browser, self.stack.base_url)
        page = visitor.open("/accounts/login/")
        page.get_by_label("E-mail address").fill(f"{who}@test.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        state = visitor.context.storage_state()
        visitor.close()
        return state
