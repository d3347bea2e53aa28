"""The console's pages on which operators decide: consumer groups, and one dead letter."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.generic import TemplateView
from unfold.views import UnfoldModelAdminViewMixin

from . import dead_letter_commands, group_commands, queries
from .console_forms import EditForm, ReplayForm, ResetForm
from .current import current_topology, group_named
from .errors import BrokerError, StreamsUnavailable
from .group_commands import Move
from .models import DeadLetter
from .queries import PartitionLag
from .replay import replay
from .topology import Group

OPERATE = "broker.operate_group"
DECIDE = "broker.decide_deadletter"
HEADINGS = ("Partition", "State", "Offset", "End", "Lag", "For", "Expired", "Owner")
VARIANTS = {"running": "success", "retrying": "danger", "paused": "warning"}  # Unfold's colours of a label


class ConsolePage(UnfoldModelAdminViewMixin, TemplateView):  # type: ignore[misc]  # unfold is not annotated
    """A page that looks on GET; and does, on POST, what its buttons are named after."""

    permission_to_act: str
    request: HttpRequest

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Do what was pressed, for whoever may; then show the page again, or what is wrong with the form."""
        if not request.user.has_perm(self.permission_to_act):
            raise PermissionDenied
        try:
            answer = self.act(request.POST.get("do", ""), request.POST)
        except BrokerError as error:
            messages.error(request, str(error))
            answer = None
        return answer or HttpResponseRedirect(request.path)

    def act(self, verb: str, data: Any) -> HttpResponse | None:
        """Do it. An answer, when the page is not simply shown anew."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"may_act": self.request.user.has_perm(self.permission_to_act)}

    @property
    def actor(self) -> str:
        """Who is remembered to have decided."""
        return self.request.user.get_username()


class GroupsPage(ConsolePage):
    """Every consumer group with its partitions: pause, resume, reset."""

    title = "Consumer groups"
    template_name = "broker/groups.html"
    permission_required = "broker.view_grouppartition"
    permission_to_act = OPERATE

    def act(self, verb: str, data: Any) -> HttpResponse | None:
        group = group_named(data.get("group", ""))
        if verb in ("pause", "resume"):
            decide: Callable[..., bool] = group_commands.pause if verb == "pause" else group_commands.resume
            decide(group=group.name, actor=self.actor)
            messages.success(self.request, f"{group.name}: {verb}d.")
            return None
        return self._reset(group, data, dry_run=verb != "reset")

    def _reset(self, group: Group, data: Any, *, dry_run: bool) -> HttpResponse | None:
        form = ResetForm(group, data)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        moves = group_commands.reset(
            group=group.name,
            target=form.cleaned_data["target"],
            partition=form.cleaned_data["partition"],
            actor=self.actor,
            dry_run=dry_run,
        )
        if dry_run:
            return self.render_to_response(self.get_context_data(form=form, moves=moves))
        messages.success(self.request, f"{group.name}: reset. {_in_words(moves)}")
        return None

    def _lags(self) -> list[PartitionLag]:
        try:
            return queries.lag()
        except StreamsUnavailable as error:
            messages.error(self.request, str(error))
            return []

    def get_context_data(
        self, *, form: ResetForm | None = None, moves: list[Move] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Every group; `form` is the one that was filled in, `moves` what its reset would do."""
        lags = self._lags()
        shown = [
            {
                "group": group,
                "lags": [(lag, VARIANTS.get(lag.state, "")) for lag in lags if lag.group == group.name],
                "is_paused": any(lag.paused for lag in lags if lag.group == group.name),
                "form": form if form and form.prefix == group.name else ResetForm(group),
                "moves": moves if form and form.prefix == group.name else None,
            }
            for group in current_topology().groups
        ]
        return super().get_context_data(shown=shown, headings=HEADINGS, **kwargs)


class DeadLetterPage(ConsolePage):
    """One dead letter: replay it, mend its message, discard it; and who did so before."""

    title = "Decide about a dead letter"
    template_name = "broker/dead_letter.html"
    permission_required = "broker.view_deadletter"
    permission_to_act = DECIDE

    def act(self, verb: str, data: Any) -> HttpResponse | None:
        pk = self.kwargs["pk"]
        if verb == "replay":
            return self._replay(pk, data)
        if verb == "edit":
            return self._edit(pk, data)
        if verb == "discard":
            dead_letter_commands.discard(dead_letter_id=pk, actor=self.actor)
            messages.success(self.request, f"Dead letter {pk} is discarded.")
            return HttpResponseRedirect(reverse("admin:broker_deadletter_changelist"))
        return None

    def _replay(self, pk: int, data: Any) -> HttpResponse | None:
        form = ReplayForm(data)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(replaying=form))
        try:
            replay(dead_letter_id=pk, actor=self.actor, **form.cleaned_data)
        except BrokerError:
            raise
        except Exception as error:  # the handler's: shown, and counted by the replay
            messages.error(self.request, f"It failed again: {type(error).__name__}: {error}")
        else:
            messages.success(self.request, f"Dead letter {pk} is replayed.")
        return None

    def _edit(self, pk: int, data: Any) -> HttpResponse | None:
        form = EditForm(data)
        if form.is_valid():
            try:
                dead_letter_commands.edit(dead_letter_id=pk, body=form.cleaned_data["body"], actor=self.actor)
            except BrokerError as error:
                form.add_error("body", str(error))
            else:
                messages.success(self.request, f"Dead letter {pk} has another message now.")
                return None
        return self.render_to_response(self.get_context_data(editing=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        letter = get_object_or_404(DeadLetter, pk=self.kwargs["pk"])
        text = json.dumps(letter.body, indent=2, ensure_ascii=False)
        return super().get_context_data(
            **{
                "letter": letter,
                "is_open": letter.state in (DeadLetter.State.WAITING, DeadLetter.State.PARKED),
                "facts": _facts(letter),
                "replaying": ReplayForm(),
                "editing": EditForm(initial={"body": letter.body}),
                "body": text,
                "history": queries.operator_actions(limit=20, target=f"dead_letter:{letter.pk}"),
            }
            | kwargs
        )


def _facts(letter: DeadLetter) -> Mapping[str, object]:
    return {
        "State": letter.get_state_display(),
        "Failed at": letter.origin,
        "Reason": letter.get_reason_display(),
        "Type": letter.body.get("type", ""),
        "Key": letter.key,
        "Attempts": letter.attempts,
        "Replays": letter.replays,
        "Since": letter.created_at,
        "Error": letter.error,
    }


def _in_words(moves: list[Move]) -> str:
    return "; ".join(f"partition {move.partition}: {move.before} → {move.after}" for move in moves)
