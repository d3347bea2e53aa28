"""What viewers do to their endpoints, and the address that ends the mails."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.problems import Problem
from accounts.requests import SignedInRequest

from . import endpoints
from .forms import BrowserForm, MailForm, WebhookForm
from .mail.unsubscribing import endpoint_of
from .preferences_views import preferences_page


@login_required
@require_POST
def mail(request: SignedInRequest) -> HttpResponse:
    """Mail on or off."""
    form = MailForm(request.POST)
    form.full_clean()
    endpoints.set_mail(viewer_id=request.user.pk, on=form.cleaned_data["on"])
    return HttpResponse(status=204) if request.htmx else redirect("preferences")


@login_required
@require_POST
def browser(request: SignedInRequest) -> HttpResponse:
    """Push to the browser that sends this."""
    form = BrowserForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("Say address, push_key and push_auth.")
    label = browser_name(request.headers.get("User-Agent", ""))
    try:
        endpoints.add_browser(viewer_id=request.user.pk, label=label, **form.cleaned_data)
    except Problem as problem:
        return HttpResponseBadRequest(problem.detail)
    return HttpResponse(status=204)


@login_required
@require_POST
def browser_off(request: SignedInRequest) -> HttpResponse:
    """Push to the browser that sends this no longer; again is fine."""
    endpoints.remove_browser(viewer_id=request.user.pk, address=request.POST.get("address", ""))
    return HttpResponse(status=204)


@login_required
@require_POST
def webhook(request: SignedInRequest) -> HttpResponse:
    """Add a webhook."""
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            endpoints.add_webhook(viewer_id=request.user.pk, **form.cleaned_data)
        except Problem as problem:
            form.add_error("address", problem.detail)
        else:
            messages.success(request, "The webhook is on. Its secret is below.")
            return redirect("preferences")
    return preferences_page(request, webhook=form)


@login_required
@require_POST
def change(request: SignedInRequest, endpoint_id: int, act: str) -> HttpResponse:
    """Switch an endpoint on or off, remove it, or replace its secret."""
    viewer_id = request.user.pk
    try:
        match act:
            case "on" | "off":
                endpoints.switch(viewer_id=viewer_id, endpoint_id=endpoint_id, on=act == "on")
            case "remove":
                endpoints.remove(viewer_id=viewer_id, endpoint_id=endpoint_id)
            case "rotate":
                endpoints.rotate_secret(viewer_id=viewer_id, endpoint_id=endpoint_id)
                messages.success(request, "The secret is replaced. Both sign for a day.")
            case _:
                raise Http404
    except endpoints.UnknownEndpoint as problem:
        raise Http404(problem.detail) from problem
    return redirect("preferences")


# Whoever holds the signed address may end the mails: mail programs post here without cookies (RFC 8058, section 3.2).
@csrf_exempt
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End the mails, signed in or not. A GET asks first: programs that look at links must not unsubscribe anybody."""
    endpoint_id = endpoint_of(token)
    if endpoint_id is None:
        raise Http404
    done = request.method == "POST" and endpoints.unsubscribe(endpoint_id=endpoint_id)
    return render(request, "notifications/unsubscribe.html", {"done": done})


def browser_name(user_agent: str) -> str:
    """A name for a browser that its owner knows it by: "Firefox on Linux"."""
    names = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
    systems = (
        *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad")),
        *(("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux")),
    )
    name = next((name for mark, name in names if mark in user_agent), "Browser")
    system = next((system for mark, system in systems if mark in user_agent), "")
    return f"{name} on {system}" if system else name
