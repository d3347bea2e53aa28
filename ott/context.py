"""What every template may use."""

from django.conf import settings
from django.http import HttpRequest


def brand(request: HttpRequest) -> dict[str, str]:
    """The brand's name."""
    return {"brand": settings.OTT_BRAND}
