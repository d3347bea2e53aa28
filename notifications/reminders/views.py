"""The button "Remind me", which a title's page loads by its address."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.problems import Problem
from accounts.requests import SignedInRequest

from . import commands, queries


@login_required
@require_http_methods(["GET", "POST"])
def remind(request: SignedInRequest, release_id: UUID) -> HttpResponse:
    """The button for one release; empty where there is nothing to wait for. A POST asks, or takes it back."""
    viewer_id, problem = request.user.pk, ""
    if request.method == "POST":
        try:
            if request.POST.get("wanted"):
                commands.remind(viewer_id=viewer_id, release_id=release_id)
            else:
                commands.forget(viewer_id=viewer_id, release_id=release_id)
        except Problem as error:
            problem = str(error.title)
    context = {
        "upcoming": queries.upcoming_release(release_id=release_id),
        "is_reminded": queries.is_reminded(viewer_id=viewer_id, release_id=release_id),
        "minutes": settings.OTT_REMINDER_MINUTES,
        "problem": problem,
    }
    return render(request, "notifications/remind.html", context)
