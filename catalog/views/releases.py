"""The release editor: describe, upload, watch the encoder, publish, schedule, recall."""

import json
from collections.abc import Callable
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.problems import Problem
from accounts.requests import SignedInRequest
from catalog import commands
from catalog.editing import editing_of, known_edits
from catalog.errors import NotAllowed, NotFound
from catalog.forms import NewReleaseForm, RecallForm, ReleaseForm, ScheduleForm, add_problem, is_disputed
from catalog.history import told
from catalog.models import Asset, Release
from catalog.studio_queries import ReleaseDetail, release_detail, studio_titles

from .common import Desk, studio_page

ASSET_CHANGED = "asset-changed"
BUSY = {Asset.State.UPLOADED, Asset.State.ENCODING}


@require_http_methods(["GET", "POST"])
@studio_page
def new(request: SignedInRequest, desk: Desk) -> HttpResponse:
    """Draft a release."""
    titles = studio_titles(user=request.user, slug=desk.slug)
    form = NewReleaseForm(request.POST or None, titles=titles, initial={"title": request.GET.get("title")})
    if form.is_valid():
        try:
            release = commands.draft_release(actor=request.user, studio=desk.studio, **form.details())
        except (NotFound, NotAllowed):
            raise
        except Problem as problem:
            add_problem(form, problem)
        else:
            return redirect("studio_release", desk.slug, release.pk)
    context = {"studio": desk.studio, "form": form}
    return render(request, "studio/release_new.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@studio_page
def edit(request: SignedInRequest, desk: Desk, *, release_id: UUID) -> HttpResponse:
    """The editor's page. A draft is saved while one types; a published release when one says so."""
    detail = _detail(request, desk, release_id)
    form = ReleaseForm(request.POST or None, initial=_described(detail.release))
    if form.is_valid() and _save(request, form, release_id):
        if not request.htmx:
            messages.success(request, "Saved.")
            return redirect("studio_release", desk.slug, release_id)
        response = render(request, "studio/save_state.html", {"saved": True})
        if "keep" in request.POST:  # the page shows the other's values nowhere yet
            response["HX-Refresh"] = "true"
        return response
    if request.htmx and form.errors:
        errors = " ".join(str(line) for lines in form.errors.values() for line in lines)
        said = {"errors": errors, "disputed": is_disputed(form)}
        return render(request, "studio/save_state.html", said, status=422)
    context = _context(desk, detail) | {"form": form, "history": told(detail.history), "disputed": is_disputed(form)}
    context |= {
        "editor": request.POST.get("editor") or uuid4().hex,
        "seen": request.POST.get("seen") or json.dumps(dict(known_edits(detail.history))),
    }
    return render(request, "studio/release.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@studio_page
def asset(request: SignedInRequest, desk: Desk, *, release_id: UUID) -> HttpResponse:
    """The video as a fragment: how far the encoder is, or what it made. A POST uploads one."""
    status, problem = 200, ""
    if request.method == "POST":
        status, problem = _upload(request, release_id)
    detail = _detail(request, desk, release_id)
    response = render(request, "studio/asset.html", _context(desk, detail) | {"problem": problem}, status=status)
    if not _is_busy(detail.release):
        response["HX-Trigger"] = ASSET_CHANGED
    return response


@require_safe
@studio_page
def publishing(request: SignedInRequest, desk: Desk, *, release_id: UUID) -> HttpResponse:
    """The panel that publishes, as a fragment."""
    return render(request, "studio/publishing.html", _context(desk, _detail(request, desk, release_id)))


@require_POST
@studio_page
def publish(request: SignedInRequest, desk: Desk, *, release_id: UUID) -> HttpResponse:
    """Publish now."""
    return _step(
        request,
        desk,
        release_id,
        lambda: commands.publish_release(release_id=release_id, actor=request.user),
        done="Published. Everyone who follows it is being told.",
    )


@require_POST
@studio_page
def schedule(request: SignedInRequest, desk: Desk, *, release_id: UUID) -> HttpResponse:
    """Publish later; with `cancel`, make it a draft again."""
    form = ScheduleForm(request.POST)
    if "cancel" in request.POST:
        at, done = None, "It is a draft again."
    elif form.is_valid():
        at, done = form.cleaned_data["at"], "Scheduled. It goes out by itself."
    else:
        messages.error(request, "Choose the day and the time at which to publish.")
        return redirect("studio_release", desk.slug, release_id)
    return _step(
        request,
        desk,
        release_id,
        lambda: commands.schedule_release(actor=request.user, release_id=release_id, at=at),
        done=done,
    )


@require_POST
@studio_page
def recall(request: SignedInRequest, desk: Desk, *, release_id: UUID) -> HttpResponse:
    """Take a published release back."""
    reason = request.POST.get("reason", "")
    return _step(
        request,
        desk,
        release_id,
        lambda: commands.recall_release(actor=request.user, release_id=release_id, reason=reason),
        done="Recalled. Everyone's card says so.",
    )


def _step(
    request: SignedInRequest, desk: Desk, release_id: UUID, command: Callable[[], Release], *, done: str
) -> HttpResponse:
    """Run a command on a release of this studio, and say how it went on the editor's page."""
    _detail(request, desk, release_id)
    try:
        command()
    except (NotFound, NotAllowed):
        raise
    except Problem as problem:
        messages.error(request, f"{problem.detail} Nothing was changed.")
    else:
        messages.success(request, done)
    return redirect("studio_release", desk.slug, release_id)


def _upload(request: SignedInRequest, release_id: UUID) -> tuple[int, str]:
    """(status, problem in words) of storing the uploaded file."""
    upload = request.FILES.get("file")
    if upload is None:
        return 422, "No file arrived. Choose one and try again."
    try:
        commands.attach_asset(actor=request.user, release_id=release_id, upload=upload)
    except (NotFound, NotAllowed):
        raise
    except Problem as problem:
        return problem.status, problem.detail
    return 202, ""


def _save(request: SignedInRequest, form: ReleaseForm, release_id: UUID) -> bool:
    try:
        editing = editing_of(**{name: request.POST.get(name, "") for name in ("editor", "seen", "keep")})
        commands.edit_release(actor=request.user, release_id=release_id, changes=form.cleaned_data, editing=editing)
    except (NotFound, NotAllowed):
        raise
    except Problem as problem:
        add_problem(form, problem)
        return False
    return True


def _detail(request: SignedInRequest, desk: Desk, release_id: UUID) -> ReleaseDetail:
    detail = release_detail(user=request.user, release_id=release_id)
    if detail.release.title.studio_id != desk.studio.pk:
        raise Http404
    return detail


def _described(release: Release) -> dict[str, object]:
    return {name: getattr(release, name) for name in ReleaseForm.base_fields}


def _is_busy(release: Release) -> bool:
    return release.asset is not None and release.asset.state in BUSY


def _context(desk: Desk, detail: ReleaseDetail) -> dict[str, object]:
    release = detail.release
    frames = release.asset.thumbnails if release.asset else []
    return {
        "studio": desk.studio,
        "detail": detail,
        "release": release,
        "encoding": _is_busy(release),
        "blocked": release.asset is not None and release.asset.state != Asset.State.READY,
        "frames": [f"{settings.MEDIA_URL}{frame}" for frame in frames],
        "upload_limit": settings.CATALOG_MAX_UPLOAD_BYTES,
        "autosave": detail.may_edit and release.state in {Release.State.DRAFT, Release.State.SCHEDULED},
        "schedule_form": ScheduleForm(initial={"at": release.scheduled_at}),
        "recall_form": RecallForm(),
    }
