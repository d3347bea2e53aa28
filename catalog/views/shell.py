"""The page for when there is no network, and the worker in the browser that keeps it."""

from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Shown by the service worker in place of a page that cannot be reached."""
    return render(request, "offline.html")


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The service worker; it stands at the root because it may serve only what lies below its own address."""
    source = Path(finders.find("js/service-worker.js") or "").read_bytes()
    return HttpResponse(source, content_type="text/javascript", headers={"Cache-Control": "no-cache"})
