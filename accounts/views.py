"""The page about oneself."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from .commands import update_profile
from .forms import ProfileForm
from .models import Membership, ViewerProfile
from .problems import Problem
from .queries import current_membership, memberships_of
from .requests import SignedInRequest


@login_required
@require_http_methods(["GET", "POST"])
def profile(request: SignedInRequest) -> HttpResponse:
    """Name, time zone, region, languages, a child's profile; and how the membership stands."""
    form = ProfileForm(request.POST or None, initial=_present(request))
    if form.is_valid():
        try:
            update_profile(user=request.user, **form.cleaned_data)
        except Problem as problem:
            form.add_error(None, problem.detail)
        else:
            messages.success(request, "Your profile is saved.")
            return redirect("profile")
    membership = current_membership(user_id=request.user.pk)
    context = {"form": form, "membership": membership, "ended_at": None if membership else _ended_at(request)}
    return render(request, "accounts/profile.html", context, status=422 if form.errors else 200)


def _present(request: SignedInRequest) -> dict[str, object]:
    row = ViewerProfile.objects.get(pk=request.user.pk)
    present = {"time_zone": row.time_zone, "languages": row.languages, "region": row.region, "is_kids": row.is_kids}
    return {"name": request.user.name, **present}


def _ended_at(request: SignedInRequest) -> object:
    last: Membership | None = memberships_of(user_id=request.user.pk).filter(ends_at__isnull=False).first()
    return last.ends_at if last else None
