"""The bell, the inbox, what to follow. Catalog's pages load what they show of it by address, as fragments."""

from collections.abc import Iterable
from datetime import date, timedelta

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.clock import database_now
from accounts.queries import is_member
from accounts.requests import SignedInRequest

from . import commands, queries, read_commands
from .errors import NotificationsError
from .forms import MUTES, FollowForm, IdsForm, MuteForm, ReadForm, is_id
from .given_topics import is_given
from .models import Kind
from .queries import InboxEntry, InboxPage, TopicChoice
from .topic_choices import topic_choices

BELL_ENTRIES = 15
MOST_TOPICS_AT_ONCE = 5
FOLLOW_CHANGED = "follow-changed"
ACTS = {"unread": read_commands.mark_unread, "dismiss": read_commands.dismiss, "restore": read_commands.restore}


@login_required
@require_GET
def bell(request: SignedInRequest) -> HttpResponse:
    """The bell with its drawer, and the epoch and positions from which the page goes live."""
    page = queries.inbox(viewer_id=request.user.pk, limit=BELL_ENTRIES)
    return render(request, "notifications/bell.html", _page_context(request, page))


@login_required
@require_GET
def inbox(request: SignedInRequest) -> HttpResponse:
    """All notifications, page by page."""
    before = request.GET.get("before", "")
    page = queries.inbox(viewer_id=request.user.pk, before=int(before) if is_id(before) else None)
    template = "notifications/page.html" if request.htmx else "notifications/inbox.html"
    return render(request, template, _page_context(request, page))


@login_required
@require_POST
def read(request: SignedInRequest) -> HttpResponse:
    """Mark `ids`, or topics up to `positions`, as read. Open tabs hear of it."""
    form = ReadForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("Say ids, or positions as a JSON object.")
    try:
        read_commands.mark_read(viewer_id=request.user.pk, **form.cleaned_data)
    except NotificationsError as error:
        return HttpResponseBadRequest(str(error))
    return HttpResponse(status=204)


@login_required
@require_POST
def mark(request: SignedInRequest, act: str) -> HttpResponse:
    """Mark `ids` as unread, dismiss or restore them. Open tabs hear of it."""
    form = IdsForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("Say ids.")
    ACTS[act](viewer_id=request.user.pk, ids=form.cleaned_data["ids"])
    return HttpResponse(status=204)


@login_required
@require_GET
def why(request: SignedInRequest, notification_id: int) -> HttpResponse:
    """Why a notification reached this viewer."""
    reasons = queries.why(viewer_id=request.user.pk, notification_id=notification_id)
    template = "notifications/why.html" if request.htmx else "notifications/why_page.html"
    is_followed = any(not reason.is_given for reason in reasons)
    return render(request, template, {"reasons": queries.by_topic(reasons), "is_followed": is_followed})


@login_required
@require_GET
def topics(request: SignedInRequest) -> HttpResponse:
    """What there is to follow, and what the viewer follows."""
    groups = queries.topics_for(viewer_id=request.user.pk)
    return render(request, "notifications/topics.html", {"groups": groups} | _choice_context(request))


@login_required
@require_http_methods(["GET", "POST"])
def follow(request: SignedInRequest) -> HttpResponse:
    """The follow button of one topic; a POST follows it or not, and tells the page."""
    if request.method == "POST":
        return _change(request)
    choice = _choices(request)[0]
    return render(request, "notifications/follow.html", {"choice": choice, "look": request.GET.get("look")})


@login_required
@require_POST
def mute(request: SignedInRequest) -> HttpResponse:
    """Mute a topic for some hours, or with 0 no longer, and tell the page."""
    form = MuteForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("Say which topic, and for how many of the hours that there are to choose.")
    hours = form.cleaned_data["hours"]
    until = database_now() + timedelta(hours=hours) if hours else None
    try:
        commands.mute(viewer_id=request.user.pk, topic=form.cleaned_data["topic"], until=until)
    except NotificationsError as error:
        return HttpResponseBadRequest(str(error))
    return HttpResponse(status=204, headers={"HX-Trigger": FOLLOW_CHANGED})


@login_required
@require_GET
def follow_panel(request: SignedInRequest) -> HttpResponse:
    """Some topics with their kinds, for the page of a title."""
    context = {"choices": _choices(request)} | _choice_context(request)
    return render(request, "notifications/follow_panel.html", context)


def _change(request: SignedInRequest) -> HttpResponse:
    form = FollowForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("Say which topic, and kinds that there are.")
    topic, kinds = form.cleaned_data["topic"], form.cleaned_data["kinds"]
    followed = queries.subscriptions_of(viewer_id=request.user.pk)
    try:
        if not form.cleaned_data["following"] or (topic in followed and "kinds" not in request.POST):
            commands.unsubscribe(viewer_id=request.user.pk, topic=topic)
        else:
            commands.subscribe(viewer_id=request.user.pk, topic=topic, kinds=kinds or None)
    except NotificationsError as error:
        return HttpResponseBadRequest(str(error))
    return HttpResponse(status=204, headers={"HX-Trigger": FOLLOW_CHANGED})


def _choices(request: SignedInRequest) -> list[TopicChoice]:
    names = [name for name in request.GET.getlist("topic") if not is_given(name)][:MOST_TOPICS_AT_ONCE]
    if not names:
        raise Http404
    return topic_choices(viewer_id=request.user.pk, topics=names)


def _choice_context(request: SignedInRequest) -> dict[str, object]:
    return {"all_kinds": Kind.choices, "mutes": MUTES, "is_member": is_member(user_id=request.user.pk)}


def _page_context(request: SignedInRequest, page: InboxPage) -> dict[str, object]:
    follows = bool(page.entries) or bool(queries.subscriptions_of(viewer_id=request.user.pk))
    return {
        "page": page,
        "days": _by_day(page.entries, today=timezone.localdate()),
        "is_member": is_member(user_id=request.user.pk),
        "follows": follows,
    }


def _by_day(entries: Iterable[InboxEntry], *, today: date) -> list[tuple[str, list[InboxEntry]]]:
    """Today's and earlier ones, without empty groups."""
    new: list[InboxEntry] = []
    old: list[InboxEntry] = []
    for entry in entries:
        (new if timezone.localdate(entry.published_at) == today else old).append(entry)
    return [(label, group) for label, group in (("Today", new), ("Earlier", old)) if group]
