"""How far a release came, for programs of its studio."""

from typing import cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from accounts.api import ProblemDetail
from accounts.models import User
from accounts.permissions import VIEW_INSIGHT, Subject, may, studio_of_token
from accounts.problems import Problem

from .queries import Insight, insight_of
from .schemas import InsightOut

router = Router(tags=["Insight"])


class NotYours(Problem):
    """Figures are for members of the studio, and for operators."""

    status = 403
    slug = "not-allowed"
    title = "These figures are not for you"


@router.get(
    "/releases/{uuid:release_id}/insight",
    response={200: InsightOut, 401: ProblemDetail, 403: ProblemDetail},
    summary="See how far a release came",
)
def read_insight(request: HttpRequest, release_id: UUID) -> Insight:
    """How many viewers it was routed, posted and pushed to, who saw and who opened it; and what failed, and why."""
    subject = Subject(f"release:{release_id}", studio_of_token(request))
    if not may(user=cast("User", request.user), permission=VIEW_INSIGHT, subject=subject):
        raise NotYours("The release is not one of your studios'.")
    return insight_of(subject=subject.name)
