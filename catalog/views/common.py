"""What every page of a studio needs: somebody signed in who is a member of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse

from accounts.requests import SignedInRequest
from catalog.errors import NotAllowed, NotFound
from catalog.models import Studio, StudioMember
from catalog.studio_queries import studio_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A studio, and the role in it of whoever asks."""

    studio: Studio
    role: StudioMember.Role

    @property
    def slug(self) -> str:
        """The studio's."""
        return self.studio.slug


def studio_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Call `view(request, desk, …)` for a member of the studio; 404 and 403 for what the catalog refuses."""

    @login_required
    @wraps(view)
    def page(request: SignedInRequest, studio: str, **arguments: Any) -> HttpResponse:
        try:
            found, role = studio_of(user=request.user, slug=studio)
            return view(request, Desk(studio=found, role=role), **arguments)
        except NotFound as error:
            raise Http404(error.detail) from error
        except NotAllowed as error:
            raise PermissionDenied(error.detail) from error

    return page
