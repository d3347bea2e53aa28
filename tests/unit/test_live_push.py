"""A hint that cannot be sent is counted, and nobody fails by it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from prometheus_client import REGISTRY

from accounts.standing import StandingChanged
from notifications.live import push
from tests.support.live_client import eventually


class LayerWithoutRedis:
    """A channel layer that reaches nobody."""

    async def group_send(self, group: str, message: Mapping[str, Any]) -> None:
        raise ConnectionRefusedError(group, message["type"])


def lost() -> float:
    return REGISTRY.get_sample_value("live_hints_lost_total") or 0.0


@pytest.mark.parametrize(
    "send",
    [lambda: push.send_to_hubs({"type": "live.probe"}), lambda: push.hint_standing(StandingChanged(1))],
    ids=["waited for", "not waited for"],
)
def test_a_hint_that_cannot_be_sent_is_counted(send: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "get_channel_layer", LayerWithoutRedis)
    before = lost()

    send()

    eventually(lambda: lost() == before + 1)
