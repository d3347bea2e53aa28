"""The operators' console: how django-unfold looks here, and the one place where the content policy is wider."""

from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.urls import reverse_lazy

PREFIX = "/console/"
# Unfold's Alpine evaluates expressions and sets inline styles. Nowhere else is either allowed.
WIDER_POLICY = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}

# The brand's accent and grounds as Unfold's scales, from light to dark.
PRIMARY = (
    "#fff3f0",
    "#ffe4dd",
    "#ffcabd",
    "#ffa792",
    "#ff7f61",
    "#ff5a36",
    "#c83c1b",
    "#a83217",
    "#8a2e19",
    "#722b1a",
    "#3e120a",
)
BASE = (
    "#f4f6fa",
    "#e9edf4",
    "#d5dce8",
    "#b4bece",
    "#9aa5b8",
    "#67748f",
    "#4b566e",
    "#2b3345",
    "#1d2330",
    "#141821",
    "#0b0d12",
)
PAGES_OF_THEIR_OWN = {"broker_groups", "notifications_why"}  # that are not a model's list
STEPS = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")


class ContentSecurityPolicy(CSPMiddleware):
    """The strict policy of the settings; below `PREFIX`, what Unfold needs besides."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(PREFIX):
            parts.replace = WIDER_POLICY
        return parts


def console(*, brand: str) -> dict[str, Any]:
    """Unfold's settings."""
    return {
        "SITE_TITLE": f"{brand} console",
        "SITE_HEADER": brand,
        "SITE_SUBHEADER": "Console",
        "SITE_URL": "/",
        "SITE_ICON": lambda request: static("img/favicon.svg"),
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/favicon.svg")}],
        "BORDER_RADIUS": "8px",
        "COLORS": {"primary": dict(zip(STEPS, PRIMARY, strict=True)), "base": dict(zip(STEPS, BASE, strict=True))},
        "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": _navigation()},
    }


def _navigation() -> list[dict[str, Any]]:
    return [
        _group(
            "Broker",
            ("Outbox", "outbox", "broker_outboxmessage"),
            ("Work items", "work", "broker_workitem"),
            ("Paused queues", "pause_circle", "broker_pausedqueue"),
            ("Consumer groups", "groups", "broker_groups"),
            ("Dead letters", "error", "broker_deadletter"),
            ("Events", "history", "broker_storedevent"),
            ("Leases", "lock_clock", "broker_lease"),
            ("Decisions", "gavel", "broker_operatoraction"),
        ),
        _group(
            "Catalog",
            ("Studios", "storefront", "catalog_studio"),
            ("Titles", "movie", "catalog_title"),
            ("Releases", "campaign", "catalog_release"),
            ("Videos", "smart_display", "catalog_asset"),
        ),
        _group(
            "Notifications",
            ("Announcements", "campaign", "notifications_announcement"),
            ("Notifications", "notifications", "notifications_notification"),
            ("Why (not)?", "help", "notifications_why"),
            ("Topics", "tag", "notifications_topic"),
            ("Subscriptions", "bookmark", "notifications_subscription"),
        ),
        _group(
            "People",
            ("Users", "person", "accounts_user"),
            ("Memberships", "card_membership", "accounts_membership"),
            ("API tokens", "key", "accounts_apitoken"),
        ),
    ]


def _group(title: str, *pages: tuple[str, str, str]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": [_item(*page) for page in pages]}


def _item(label: str, icon: str, page: str) -> dict[str, Any]:
    """A link to a model's list, or to a page of its own."""

    def is_here(request: HttpRequest) -> bool:
        name = request.resolver_match.url_name or "" if request.resolver_match else ""
        return name == page or name.startswith(f"{page}_")

    link = reverse_lazy(f"admin:{page if page in PAGES_OF_THEIR_OWN else f'{page}_changelist'}")
    return {"title": label, "icon": icon, "link": link, "active": is_here}
