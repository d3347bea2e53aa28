"""The studio's pages: overview, titles, team and tokens. Each asks the catalog what this member may see."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.commands import create_api_token, revoke_api_token
from accounts.models import User
from accounts.problems import Problem
from accounts.queries import api_tokens_of
from accounts.requests import SignedInRequest
from catalog import studio_queries
from catalog.commands import add_studio_member, create_title, edit_title
from catalog.errors import NotAllowed
from catalog.forms import NewTitleForm, TeamForm, TitleForm, TokenForm, add_problem
from catalog.models import Release, StudioMember, Title

from .common import Desk, studio_page


@login_required
@require_safe
def studios(request: SignedInRequest) -> HttpResponse:
    """The member's studios; one alone is opened at once, unless all are asked for."""
    memberships = studio_queries.studios_of(user=request.user)
    if len(memberships) == 1 and "all" not in request.GET:
        return redirect("studio_overview", memberships[0].studio.slug)
    return render(request, "studio/studios.html", {"memberships": memberships})


@require_safe
@studio_page
def overview(request: SignedInRequest, desk: Desk) -> HttpResponse:
    """The studio in numbers, and what was changed last."""
    found = studio_queries.studio_overview(user=request.user, slug=desk.slug)
    return render(request, "studio/overview.html", {"studio": desk.studio, "overview": found})


@require_safe
@studio_page
def releases(request: SignedInRequest, desk: Desk) -> HttpResponse:
    """The studio's releases, of one state if asked for."""
    state = request.GET.get("state", "")
    found = studio_queries.studio_releases(
        user=request.user, slug=desk.slug, state=state if state in Release.State.values else ""
    )
    context = {"studio": desk.studio, "releases": found, "state": state, "states": Release.State.choices}
    return render(request, "studio/releases.html", context)


@require_safe
@studio_page
def titles(request: SignedInRequest, desk: Desk) -> HttpResponse:
    """The studio's titles."""
    found = studio_queries.studio_titles(user=request.user, slug=desk.slug)
    return render(request, "studio/titles.html", {"studio": desk.studio, "titles": found})


@require_http_methods(["GET", "POST"])
@studio_page
def title_new(request: SignedInRequest, desk: Desk) -> HttpResponse:
    """Make a title."""
    form = NewTitleForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            title = create_title(actor=request.user, studio=desk.studio, **form.details())
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"{title.name} is made. Now release something of it.")
            return redirect("studio_titles", desk.slug)
    context = {"studio": desk.studio, "form": form, "heading": "New title"}
    return render(request, "studio/title_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@studio_page
def title_edit(request: SignedInRequest, desk: Desk, *, title: str) -> HttpResponse:
    """Change a title."""
    found = _title(request, desk, title)
    initial = {"name": found.name, "maturity": found.maturity, "year": found.year, "synopsis": found.synopsis}
    form = TitleForm(request.POST or None, request.FILES or None, initial=initial)
    if form.is_valid():
        try:
            edit_title(actor=request.user, title_id=found.pk, changes=form.details())
        except Problem as problem:
            add_problem(form, problem)
        else:
            messages.success(request, f"{found.name} is saved.")
            return redirect("studio_titles", desk.slug)
    context = {"studio": desk.studio, "form": form, "heading": found.name, "title": found}
    return render(request, "studio/title_form.html", context, status=422 if form.errors else 200)


@require_safe
@studio_page
def analytics(request: SignedInRequest, desk: Desk) -> HttpResponse:
    """How far the studio's latest releases came, as notifications tell it."""
    return render(request, "studio/analytics.html", {"studio": desk.studio})


@require_http_methods(["GET", "POST"])
@studio_page
def team(request: SignedInRequest, desk: Desk) -> HttpResponse:
    """Who is in the studio; owners change it."""
    form = TeamForm(request.POST or None)
    if request.method == "POST" and desk.role != StudioMember.Role.OWNER:
        raise NotAllowed
    if form.is_valid() and _add_member(request, desk, form):
        return redirect("studio_team", desk.slug)
    context = {
        "studio": desk.studio,
        "role": desk.role,
        "team": studio_queries.studio_team(user=request.user, slug=desk.slug),
        "form": form if desk.role == StudioMember.Role.OWNER else None,
    }
    return render(request, "studio/team.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@studio_page
def tokens(request: SignedInRequest, desk: Desk) -> HttpResponse:
    """The member's own tokens for this studio; a new one is shown in the answer that made it, and never again."""
    form, plaintext = TokenForm(request.POST or None), ""
    if form.is_valid():
        name = form.cleaned_data["name"]
        _, plaintext = create_api_token(user=request.user, name=name, studio_slug=desk.slug)
        form = TokenForm()
    context = {
        "studio": desk.studio,
        "tokens": api_tokens_of(user=request.user, studio_slug=desk.slug),
        "form": form,
        "plaintext": plaintext,
    }
    response = render(request, "studio/tokens.html", context, status=422 if form.errors else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@studio_page
def token_revoke(request: SignedInRequest, desk: Desk, *, token_id: int) -> HttpResponse:
    """Make a token useless."""
    try:
        revoke_api_token(user=request.user, token_id=token_id)
    except Problem as problem:
        raise Http404(problem.detail) from problem
    messages.success(request, "The token is revoked.")
    return redirect("studio_tokens", desk.slug)


def _title(request: SignedInRequest, desk: Desk, slug: str) -> Title:
    found = studio_queries.studio_titles(user=request.user, slug=desk.slug).filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


def _add_member(request: SignedInRequest, desk: Desk, form: TeamForm) -> bool:
    user = User.objects.filter(email=form.cleaned_data["email"].lower()).first()
    if user is None:
        form.add_error("email", "Nobody has an account with this address. Ask them to join first.")
        return False
    add_studio_member(actor=request.user, studio=desk.studio, user=user, role=form.cleaned_data["role"])
    messages.success(request, f"{user} is in the team.")
    return True
