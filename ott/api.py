"""The HTTP API, version 1: every app's router in one place."""

from ninja import NinjaAPI

from accounts.api import auth, register_problem_handlers
from catalog.api import router as catalog_router
from notifications.api import router as notifications_router

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
