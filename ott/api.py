"""The HTTP API, version 1: every app's router in one place."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from accounts.api import auth, problem_response, register_problem_handlers
from catalog.api import router as catalog_router
from catalog.guide_api import router as guide_router
from catalog.ingest_api import router as ingest_router
from notifications.api import router as notifications_router
from notifications.insight.api import router as insight_router
from notifications.outbound.api import router as outbound_router
from notifications.outbound.preferences_api import router as preferences_router
from notifications.reminders.api import router as reminders_router

api = NinjaAPI(
    title="Marquee",
    version="1",
    description="Publish releases, subscribe to topics, read notifications.",
    urls_namespace="api",
    docs_url="/docs",
    auth=auth,
)
register_problem_handlers(api)
api.add_router("", catalog_router)
api.add_router("", notifications_router)
api.add_router("", insight_router)
api.add_router("", guide_router)
api.add_router("", ingest_router)
api.add_router("", outbound_router)
api.add_router("", reminders_router)
api.add_router("", preferences_router)


def unknown_address(request: HttpRequest) -> HttpResponse:
    """What the API says at an address that it does not have."""
    status = HTTPStatus.NOT_FOUND
    detail = f"There is nothing at {request.path}: see /api/v1/docs."
    return problem_response(
        {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail},
    )
