"""What a service worker asks about the popups that it shows: a browser may be nobody's who is signed in by now."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.views.decorators.http import require_GET

from notifications.forms import IdsForm
from notifications.insight.marks import viewer_of
from notifications.queries import over_among

MOST_POPUPS = 200


@require_GET
def over(request: HttpRequest, mark: str) -> HttpResponse:
    """Which of `ids` the viewer of the mark need not be told of any more."""
    viewer_id = viewer_of(mark)
    if viewer_id is None:
        raise Http404
    form = IdsForm(request.GET)
    if not form.is_valid():
        return HttpResponseBadRequest("Say ids.")
    return JsonResponse({"over": over_among(viewer_id=viewer_id, ids=form.cleaned_data["ids"][:MOST_POPUPS])})
