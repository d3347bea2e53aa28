"""The programme guide over HTTP: what is on, for anybody's TV guide or search engine."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from ninja import Query, Router, Schema

from accounts.api import ProblemDetail

from .models import Category, Listing, ReleaseKind

router = Router(tags=["Guide"])
MAX_PAGE = 200


class ListingOut(Schema):
    """A release in the guide."""

    release_id: UUID
    version: int
    kind: ReleaseKind
    headline: str
    title: str
    studio: str
    category: Category
    maturity: int
    season: int | None
    episode: int | None
    url: str
    available_from: datetime
    starts_at: datetime | None
    expires_at: datetime | None
    changed_at: datetime


@router.get("/guide", response={200: list[ListingOut], 422: ProblemDetail}, summary="Read the guide", auth=None)
def read_guide(
    request: HttpRequest,
    category: Category | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> list[dict[str, Any]]:
    """What is on, the newest first, in one category or in all of them. Nobody needs to sign in.

    A consumer group makes the guide from the stream `listings`, so it follows a publication within a moment.
    """
    listings = Listing.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), is_withdrawn=False)
    if category is not None:
        listings = listings.filter(category=category)
    return list(listings.order_by("-available_from").values_list("facts", flat=True)[:limit])
