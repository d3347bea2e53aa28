"""What a viewer finds who was away: everything they were entitled to, once each, in order, and nothing else."""

from uuid import uuid4

from tests.support.live_client import eventually
from tests.support.system import System

CATEGORY = "documentaries"  # which nobody else follows: other tests count their audience
TOPIC = f"category:{CATEGORY}"


def follower(system: System, email: str = "") -> str:
    """A new member who follows `TOPIC`; the answer is their API token."""
    return system.viewer(topics=(TOPIC,), email=email)


def announce(system: System, *headlines: str, witness: str) -> None:
    """Publish, and wait until the viewer with the token `witness` has them all in the inbox."""
    before = len(system.inbox(witness))
    system.announce(*headlines, category=CATEGORY)
    eventually(lambda: len(system.inbox(witness)) == before + len(headlines), what="the witness to be told")


def headlines_of(system: System, token: str) -> list[str]:
    """What the viewer's inbox says, oldest first."""
    return [entry["title"].removeprefix("Premiere: ") for entry in reversed(system.inbox(token))]


def membership(system: System, email: str, command: str) -> None:
    """End or start the membership of a viewer, as an operator would."""
    system.manage(
        "shell",
        "-v0",
        "-c",
        "from accounts.commands import end_membership, start_membership\n"
        "from accounts.models import User\n"
        f"{command}(user=User.objects.get(email={email!r}))",
    )


def test_a_viewer_offline_during_two_releases_finds_both_once_each_in_order(system: System) -> None:
    viewer, witness = follower(system), follower(system)
    announce(system, "While away, first", "While away, second", witness=witness)
    assert headlines_of(system, viewer) == ["While away, first", "While away, second"]


def test_a_viewer_who_reconnects_gets_what_came_meanwhile_once_each_in_order(system: System) -> None:
    viewer, witness = follower(system), follower(system)
    with system.live(viewer) as client:
        announce(system, "Seen live", witness=witness)
        eventually(lambda: len(client.received) == 1, what="the live notification")
    announce(system, "Missed, first", "Missed, second", witness=witness)
    with system.live(viewer, held=client) as again:
        eventually(lambda: len(again.received) == 2, what="what was missed")
        announce(system, "Live again", witness=witness)
        eventually(lambda: len(again.received) == 3, what="the live notification")
    titles = [frame["title"].removeprefix("Premiere: ") for frame in again.received]
    assert titles == ["Missed, first", "Missed, second", "Live again"]


def test_a_viewer_who_unsubscribed_in_between_finds_only_the_first(system: System) -> None:
    viewer, witness = follower(system), follower(system)
    announce(system, "Before unsubscribing", witness=witness)
    assert system.call("DELETE", f"/subscriptions/{TOPIC}", viewer).status in {200, 204}
    announce(system, "After unsubscribing", witness=witness)
    assert headlines_of(system, viewer) == ["Before unsubscribing"]


def test_a_viewer_whose_membership_ended_finds_nothing_after_that_also_when_renewed(system: System) -> None:
    witness, email = follower(system), f"{uuid4().hex[:10]}@test.example"
    viewer = follower(system, email)
    announce(system, "While a member", witness=witness)
    membership(system, email, "end_membership")
    announce(system, "While not a member", witness=witness)
    assert headlines_of(system, viewer) == ["While a member"]
    membership(system, email, "start_membership")
    assert headlines_of(system, viewer) == ["While a member"]
    announce(system, "A member again", witness=witness)
    assert headlines_of(system, viewer) == ["While a member", "A member again"]
