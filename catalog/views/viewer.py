"""What viewers see of the catalog. Guests may look around; to watch, one signs in."""

from collections.abc import Sequence
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.clock import database_now
from accounts.middleware import profile_of
from catalog import queries
from catalog.models import Category, Release, ReleaseKind


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The newest title large, then a rail for each category."""
    kids = is_kids(request)
    context = {"hero": queries.hero(kids=kids), "rails": queries.home_rails(kids=kids)}
    return render(request, "viewer/home.html", context)


@require_safe
def browse_all(request: HttpRequest) -> HttpResponse:
    """The categories."""
    return render(request, "viewer/browse_all.html")


@require_safe
def browse(request: HttpRequest, category: str) -> HttpResponse:
    """The titles of a category."""
    if category not in Category.values:
        raise Http404
    cards = queries.browse(category=category, kids=is_kids(request))
    context = {"category": category, "label": Category(category).label, "cards": cards}
    return render(request, "viewer/browse.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Titles by word."""
    text = request.GET.get("q", "").strip()
    context = {"query": text, "cards": queries.search(text=text, kids=is_kids(request))}
    return render(request, "viewer/search.html", context)


@require_safe
def title(request: HttpRequest, slug: str) -> HttpResponse:
    """A title with its player; `?release=` chooses what is played."""
    page = queries.title_page(slug=slug, kids=is_kids(request))
    if page is None:
        raise Http404
    chosen = _chosen(page.releases, request.GET.get("release", ""))
    playing = chosen or page.live_event or page.featured
    is_upcoming = playing.kind == ReleaseKind.LIVE_EVENT and playing.starts_at and playing.starts_at > database_now()
    context = {
        "page": page,
        "playing": playing,
        "video": playing.playable,
        "upcoming": playing if is_upcoming else None,
    }
    return render(request, "viewer/title.html", context)


def is_kids(request: HttpRequest) -> bool:
    """Whether to show a child's selection."""
    profile = profile_of(request)
    return profile is not None and profile.is_kids


def _chosen(releases: Sequence[Release], text: str) -> Release | None:
    try:
        wanted = UUID(text)
    except ValueError:
        return None
    return next((release for release in releases if release.pk == wanted), None)
