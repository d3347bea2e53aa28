"""What can go wrong while encoding."""


class UnusableVideo(Exception):
    """The file will never be encoded; the message tells the studio why, and what to do."""


class EncoderDied(Exception):
    """The encoder was killed or ran out of time or space. Nothing is wrong with the file: try again."""


class NoLongerWanted(Exception):
    """The upload was replaced while it was being encoded."""


class AlreadyEncoding(Exception):
    """Another worker holds this asset; it may be one that is about to die."""
