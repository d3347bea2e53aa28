"""Fragments for the pages of whoever owns what a notification is about, who load them by address."""

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.permissions import VIEW_INSIGHT, Subject, may
from accounts.requests import SignedInRequest
from notifications.outbound.models import Channel

from .models import Stage
from .queries import Insight, insight_of, insights_in

FRESH = timedelta(minutes=10)
POLL_SECONDS, OLD_POLL_SECONDS = 2, 20
_WORDS = {
    Stage.ROUTED: "follow it",
    Stage.POSTED: "have it in the inbox",
    Stage.PUSHED: "were handed it",
    Stage.SEEN: "had it on screen",
    Stage.OPENED: "followed its link",
}


@login_required
@require_GET
def insight(request: SignedInRequest) -> HttpResponse:
    """How far the notification about one subject came; asks for itself again while it is looked at."""
    found = insight_of(subject=_allowed(request, "subject"))
    channels = [{"label": Channel(name).label, "outcome": outcome} for name, outcome in found.channels.items()]
    context = {"insight": found, "steps": _steps(found), "channels": channels, "seconds": _seconds(found)}
    return render(request, "notifications/insight.html", context)


@login_required
@require_GET
def insights(request: SignedInRequest) -> HttpResponse:
    """The newest notifications in a topic, with how many viewers they reached."""
    topic = _allowed(request, "topic")
    rows = [
        {"insight": found, "steps": _steps(found), "release": _release(found.subject)}
        for found in insights_in(topic=topic)
    ]
    context = {"rows": rows, "stages": Stage, "studio": topic.partition(":")[2], "seconds": OLD_POLL_SECONDS}
    return render(request, "notifications/insights.html", context)


def _allowed(request: SignedInRequest, parameter: str) -> str:
    """The subject that is asked for. Raises `PermissionDenied`, too, where there is none."""
    name = request.GET.get(parameter, "")
    if not may(user=request.user, permission=VIEW_INSIGHT, subject=Subject(name)):
        raise PermissionDenied("These figures are for members of the studio.")
    return name


def _release(subject: str) -> str:
    """The id of the release that a subject names, if it does."""
    prefix, _, release_id = subject.partition(":")
    try:
        return str(UUID(release_id)) if prefix == "release" else ""
    except ValueError:
        return ""


def _steps(found: Insight) -> list[dict[str, object]]:
    """The stages as a page draws them; widths are in percent of the widest."""
    widest = max(found.reach.values()) or 1
    return [
        {"label": stage.label, "words": _WORDS[stage], "viewers": viewers, "percent": round(100 * viewers / widest, 1)}
        for stage, viewers in found.reach.items()
    ]


def _seconds(found: Insight) -> int:
    """Until the page asks again."""
    moves = any(outcome.waiting or outcome.retrying for outcome in found.channels.values())
    is_fresh = found.posted_at is None or timezone.now() - found.posted_at < FRESH
    return POLL_SECONDS if moves or is_fresh else OLD_POLL_SECONDS
