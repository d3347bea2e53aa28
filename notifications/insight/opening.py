"""Following a notification's link: in the app its pages tell, from outside the link itself leads through here."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.requests import SignedInRequest
from notifications.models import Notification
from notifications.queries import visible_among
from notifications.read_commands import mark_read

from .marks import viewer_of
from .models import Stage
from .tally import tally


@login_required
@require_POST
def opened(request: SignedInRequest, notification_id: int) -> HttpResponse:
    """The signed-in viewer followed the link on one of our pages."""
    _count(request.user.pk, notification_id)
    return HttpResponse(status=204)


@csrf_exempt  # the mark is the right to do this, and no cookie is looked at
@require_http_methods(["GET", "HEAD", "POST"])
def opened_from(request: HttpRequest, notification_id: int, mark: str) -> HttpResponse:
    """A marked link was followed: count its viewer, and lead on. A POST, from a service worker, stays where it is.

    It was a click on a popup, which so is read. A mail's links are followed by programs, too: nothing is read by that.

    A link that is only fetched ahead (`Sec-Purpose: prefetch`) or asked about (HEAD) was not followed.
    """
    notification = get_object_or_404(Notification, pk=notification_id)
    viewer_id = viewer_of(mark)
    is_ahead = request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", "")
    if viewer_id is not None and not is_ahead and _count(viewer_id, notification_id) and request.method == "POST":
        mark_read(viewer_id=viewer_id, ids=[notification_id])
    return HttpResponse(status=204) if request.method == "POST" else redirect(notification.url)


def _count(viewer_id: int, notification_id: int) -> bool:
    """Count the viewer, if they are there and see this notification; whether they do."""
    seen = visible_among(viewer_id=viewer_id, ids=[notification_id])
    if seen:
        tally.note(Stage.OPENED, tuple(seen), (viewer_id,))
    return bool(seen)
