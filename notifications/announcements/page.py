"""The console's page of one announcement: as viewers will see it, with the buttons that decide."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from accounts.models import User
from broker import queries
from broker.console_pages import ConsolePage
from notifications.errors import NotificationsError

from .commands import publish_announcement, withdraw_announcement
from .models import Announcement
from .permissions import may_edit

DONE = {"publish": "It is on its way to every viewer.", "withdraw": "It is withdrawn; the card says so."}


class AnnouncementPage(ConsolePage):
    """Preview, publish, withdraw; and who decided what."""

    title = "An announcement, as viewers see it"
    template_name = "notifications/announcements/preview.html"
    permission_required = "notifications.view_announcement"
    permission_to_act = "notifications.publish_announcement"

    def act(self, verb: str, data: Any) -> HttpResponse | None:
        decide = {"publish": publish_announcement, "withdraw": withdraw_announcement}.get(verb)
        if decide is None or not isinstance(self.request.user, User):
            return None
        try:
            decide(announcement_id=self.kwargs["pk"], actor=self.request.user)
        except NotificationsError as error:
            messages.error(self.request, str(error))
        else:
            messages.success(self.request, DONE[verb])
        return None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        announcement = get_object_or_404(Announcement.objects.select_related("author"), pk=self.kwargs["pk"])
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "announcement": announcement,
            "may_edit": isinstance(self.request.user, User) and may_edit(self.request.user, announcement),
            "audience": User.objects.filter(is_active=True).count(),
            "history": queries.operator_actions(limit=20, target=f"announcement:{announcement.pk}"),
        }
