"""What templates need beyond values: icons, form fields, the categories of the top bar."""

import json
from collections.abc import Mapping

from django import template
from django.forms import BoundField
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.places import REGION_CHOICES
from catalog.models import Category
from catalog.window_fields import rows_of

register = template.Library()

MOST_UNREAD = 99
CARD_PREFIXES = {"premiere": "Premiere", "episode": "New episode", "live_event": "Live"}


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """A decorative icon of the sprite `static/img/icons.svg`."""
    sprite = static("img/icons.svg")
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>', css, sprite, name)


@register.simple_tag
def categories() -> list[tuple[str, str]]:
    """(slug, label) of every category."""
    return [(category.value, category.label) for category in Category]


@register.simple_tag(takes_context=True)
def current(context: Mapping[str, object], path: str, *, exact: bool = False) -> SafeString:
    """`aria-current="page"` on a link to the page that is shown, or to a page that holds it."""
    request = context.get("request")
    here = request.path if isinstance(request, HttpRequest) else ""
    is_here = here == path if exact or path == "/" else here.startswith(path)
    return SafeString('aria-current="page"' if is_here else "")


@register.inclusion_tag("partials/field.html")
def field(bound: BoundField, label: str = "", *, needed: bool = False) -> dict[str, object]:
    """A form field with its label, help and errors; Django ties them together for screen readers.

    `needed` is for a field that only its form as a whole can require.
    """
    return {"field": bound, "label": label or bound.label, "needed": needed or bound.field.required}


@register.inclusion_tag("studio/windows.html")
def windows(bound: BoundField) -> dict[str, object]:
    """The field of a release's region windows, a row for each."""
    return {"field": bound, "rows": rows_of(bound), "regions": REGION_CHOICES}


@register.filter
def duration(seconds: float | None) -> str:
    """75.3 → 1:15, 3725 → 1:02:05."""
    if not seconds:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def initial(name: object) -> str:
    """The first letter of a name, for an avatar."""
    return str(name)[:1].upper()


@register.filter
def unread_label(count: int) -> str:
    """The count as the badge shows it."""
    return f"{MOST_UNREAD}+" if count > MOST_UNREAD else str(count)


@register.filter
def topic_sort(topic: str) -> str:
    """What sort of topic a name stands for."""
    return {"title": "This title", "studio": "The studio", "category": "The category"}.get(topic.partition(":")[0], "")


@register.filter
def to_json(value: object) -> str:
    """JSON for a data attribute; the template escapes it."""
    return json.dumps(value)


@register.filter
def card_prefix(kind: str) -> str:
    """How the notification of a release begins: the words of `notifications/handlers.py`."""
    return CARD_PREFIXES.get(kind, "")
