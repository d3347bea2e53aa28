"""A crowd is told from a few, and from what never ends."""

from notifications.crowds import APART_SECONDS, CROWD, LONGEST_SECONDS, CrowdWatch


def test_a_few_are_no_crowd() -> None:
    watch = CrowdWatch()

    assert not watch.sees_crowd(CROWD - 1, now=0)
    assert watch.sees_crowd(CROWD, now=1)


def test_what_goes_on_for_too_long_is_no_crowd_until_it_has_ended() -> None:
    watch = CrowdWatch()

    seen = [watch.sees_crowd(CROWD, now=second) for second in range(int(2 * LONGEST_SECONDS))]
    assert seen == [True] * int(LONGEST_SECONDS) + [False] * int(LONGEST_SECONDS)

    assert watch.sees_crowd(CROWD, now=2 * LONGEST_SECONDS + APART_SECONDS)


def test_a_moment_without_anybody_does_not_make_another_crowd_of_it() -> None:
    watch = CrowdWatch()
    assert watch.sees_crowd(CROWD, now=0)
    assert not watch.sees_crowd(0, now=APART_SECONDS / 2)

    for second in range(int(APART_SECONDS), int(LONGEST_SECONDS), 5):
        watch.sees_crowd(CROWD, now=second)

    assert not watch.sees_crowd(CROWD, now=LONGEST_SECONDS)
