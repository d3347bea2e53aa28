"""The page of preferences, and tests of endpoints."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.commands import update_profile
from accounts.models import ViewerProfile
from accounts.problems import Problem
from accounts.queries import is_member
from accounts.requests import SignedInRequest
from notifications.models import Kind
from notifications.queries import TopicGroup, topics_for
from notifications.topic_choices import topic_choices

from . import queries, testing
from .endpoints import UnknownEndpoint
from .forms import AS_USUAL, CHANNEL_SETS, NOWHERE, TOPIC, PreferencesForm, WebhookForm
from .models import Channel, Endpoint, cell_of
from .preferences import Preferences, preferences_of, save_preferences
from .web_push.keys import public_key


@login_required
@require_http_methods(["GET", "POST"])
def preferences(request: SignedInRequest) -> HttpResponse:
    """What is told where, and when; where that is. Each change is saved at once."""
    if request.method == "POST":
        return _save(request)
    return preferences_page(request)


@login_required
@require_POST
def send_test(request: SignedInRequest, endpoint_id: int) -> HttpResponse:
    """Send a test to an endpoint, and say what became of it."""
    try:
        delivery = testing.send_test(viewer_id=request.user.pk, endpoint_id=endpoint_id)
    except UnknownEndpoint as problem:
        raise Http404(problem.detail) from problem
    except Problem as problem:
        context: dict[str, object] = {"problem": problem.detail}
    else:
        context = {"delivery": delivery}
    if request.htmx:
        return render(request, "notifications/test_result.html", context)
    messages.info(request, str(context.get("problem", "The test is on its way.")))
    return redirect("preferences")


@login_required
@require_GET
def test_result(request: SignedInRequest, endpoint_id: int, notification_id: int) -> HttpResponse:
    """What has become of a test by now."""
    delivery = testing.test_delivery(
        viewer_id=request.user.pk, endpoint_id=endpoint_id, notification_id=notification_id
    )
    if delivery is None:
        raise Http404
    return render(request, "notifications/test_result.html", {"delivery": delivery})


def preferences_page(request: SignedInRequest, *, webhook: WebhookForm | None = None) -> HttpResponse:
    """The page; with a `webhook` that could not be added, to be mended."""
    held = preferences_of(viewer_id=request.user.pk)
    found = queries.endpoints_of(viewer_id=request.user.pk)
    of = {channel: [one for one in found if one.channel == channel] for channel in Channel}
    form = _form(request, held, None)
    context: Mapping[str, Any] = {
        "preferences": form,
        "columns": [Column.of(channel, of[channel], form) for channel in Channel],
        "rows": [
            (kind.label, [(cell_of(kind, one), one.label, held.wants(kind, one)) for one in Channel]) for kind in Kind
        ],
        "groups": _groups(request.user.pk, held),
        "channel_sets": CHANNEL_SETS,
        "mail": next(iter(of[Channel.MAIL]), None),
        "browsers": of[Channel.WEB_PUSH],
        "webhooks": of[Channel.WEBHOOK],
        "form": webhook or WebhookForm(),
        "public_key": public_key(),
        "is_member": is_member(user_id=request.user.pk),
    }
    return render(request, "notifications/preferences.html", context, status=422 if webhook else 200)


@dataclass(frozen=True, slots=True)
class Column:
    """A channel at the head of the matrix: whether anything is on there, and how many a day."""

    label: str
    is_on: bool
    cap: Any

    @classmethod
    def of(cls, channel: Channel, endpoints: Iterable[Endpoint], form: PreferencesForm) -> "Column":
        """The column of a channel with these endpoints."""
        return cls(str(channel.label), any(not one.disabled_at for one in endpoints), form[f"cap_{channel}"])


def _save(request: SignedInRequest) -> HttpResponse:
    form = _form(request, preferences_of(viewer_id=request.user.pk), request.POST)
    problem = "" if form.is_valid() else " ".join(str(error) for errors in form.errors.values() for error in errors)
    if not problem:
        try:
            with transaction.atomic():
                if form.cleaned_data["time_zone"] != form.initial["time_zone"]:
                    update_profile(user=request.user, time_zone=form.cleaned_data["time_zone"])
                save_preferences(viewer_id=request.user.pk, preferences=form.preferences())
        except Problem as refusal:
            problem = refusal.detail
    if request.htmx:
        return render(request, "notifications/preferences_saved.html", {"problem": problem})
    if problem:
        messages.error(request, problem)
    else:
        messages.success(request, "Your preferences are saved.")
    return redirect("preferences")


def _form(request: SignedInRequest, held: Preferences, data: Any) -> PreferencesForm:
    return PreferencesForm(data, held=held, time_zone=ViewerProfile.objects.get(pk=request.user.pk).time_zone)


def _groups(viewer_id: int, held: Preferences) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """(group, [(field, label, channels)]) of the topics that are followed, or have channels of their own."""
    groups: list[TopicGroup] = topics_for(viewer_id)
    shown = [
        (group.label, [one for one in group.topics if one.subscribed or one.name in held.topics]) for group in groups
    ]
    listed = {one.name for _, choices in shown for one in choices}
    others = topic_choices(viewer_id=viewer_id, topics=[name for name in held.topics if name not in listed])
    shown.append(("Others", others))
    return [
        (label, [(f"{TOPIC}{one.name}", one.label, _set_of(held, one.name)) for one in choices])
        for label, choices in shown
        if choices
    ]


def _set_of(held: Preferences, topic: str) -> str:
    if topic not in held.topics:
        return AS_USUAL
    return ",".join(held.topics[topic]) or NOWHERE
