"""What can go wrong before the platform runs; each message is one paragraph that says what to do."""


class CannotStart(Exception):
    """The platform could not be started."""


class StopRequested(Exception):
    """Somebody pressed Ctrl-C, or sent SIGTERM."""
