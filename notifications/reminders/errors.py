"""What can go wrong with reminders, by name."""

from accounts.problems import Problem


class NotUpcoming(Problem):
    """The release has started, was recalled, has no start, or is not published yet."""

    status = 404
    slug = "not-upcoming"
    title = "Nothing to be reminded of"


class TooManyReminders(Problem):
    """A viewer has so many reminders, and no more."""

    status = 409
    slug = "too-many-reminders"
    title = "There are too many reminders: take one back first"
