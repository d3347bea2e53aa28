"""The frames of the live protocol, as `docs/live-protocol.md` describes them: JSON objects with a `type`."""

from datetime import datetime
from enum import IntEnum
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from notifications.queries import ReadNews, States

MAX_TOPICS = 2000
MAX_IDS = 200

Seq = Annotated[int, Field(ge=0, le=2**63 - 1)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Ids = Annotated[list[Id], Field(max_length=MAX_IDS)]
TopicName = Annotated[str, Field(max_length=160)]
Positions = Annotated[dict[TopicName, Seq], Field(max_length=MAX_TOPICS)]


ResetReason = Literal["epoch", "entitlement", "ahead", "too-old", "too-many", "positions"]


class Close(IntEnum):
    """Why the server ends a connection. Below 4000: RFC 6455, section 7.4.1, and the IANA registry it names."""

    FLOODING = 1008
    TOO_BIG = 1009
    RESTARTING = 1012
    TRY_AGAIN = 1013  # also to a reader that is too slow: come back and resume
    SIGNED_OUT = 4401
    NO_PONG = 4408
    TOO_MANY = 4429  # connections of one viewer


class BadFrame(Exception):
    """A frame that cannot be understood; the connection lives."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class _Frame(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


# --- From the client -----------------------------------------------------------------------------------------------
class Resume(_Frame):
    """Begin: from what the client holds, or, with neither field, from now."""

    type: Literal["resume"]
    epoch: Annotated[str, Field(max_length=80)] | None = None
    positions: Positions | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.epoch is None) != (self.positions is None):
            raise ValueError("epoch and positions go together")
        return self


class Ack(_Frame):
    """What the client has shown: of what came live, all up to `positions`; of a list that it loaded, `ids`."""

    type: Literal["ack"]
    positions: Positions = {}
    ids: Ids = []


class ReadRequest(_Frame):
    """Mark notifications, or topics up to a position, as read; with neither, only ask for the count."""

    type: Literal["read"]
    ids: Ids = []
    positions: Positions = {}


class UnreadRequest(_Frame):
    """Mark notifications as unread, whatever was read before."""

    type: Literal["unread"]
    ids: Ids


class DismissRequest(_Frame):
    """Take notifications out of the inbox, until they change."""

    type: Literal["dismiss"]
    ids: Ids


class RestoreRequest(_Frame):
    """Take a dismissal back. All of the viewer's tabs and devices get `reset`, since what they show is too little."""

    type: Literal["restore"]
    ids: Ids


class Pong(_Frame):
    """The answer to `ping`."""

    type: Literal["pong"]


ItemRequest = UnreadRequest | DismissRequest | RestoreRequest
ClientFrame = Resume | Ack | ReadRequest | UnreadRequest | DismissRequest | RestoreRequest | Pong
_TYPES = ("resume", "ack", "read", "unread", "dismiss", "restore", "pong")
_client_frames: TypeAdapter[ClientFrame] = TypeAdapter(Annotated[ClientFrame, Field(discriminator="type")])


def parse(text: str | None) -> ClientFrame:
    """The frame in `text`. Raises `BadFrame` with a code: not-text, not-json, unknown-type or malformed."""
    if text is None:
        raise BadFrame("not-text", "Frames are JSON in text messages.")
    try:
        return _client_frames.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise BadFrame("not-json", "The frame is not JSON.")
    if first["type"].startswith("union_tag"):
        raise BadFrame("unknown-type", f"The frame's type is not one of {', '.join(_TYPES)}.")
    where = ".".join(str(part)[:80] for part in first["loc"][1:])
    raise BadFrame("malformed", f"{where or 'frame'}: {first['msg']}"[:300])


# --- From the server -----------------------------------------------------------------------------------------------
class Welcome(_Frame):
    """The connection is live from `positions` on; `unread` includes what was missed, which follows.

    It is null where a crowd resumes: then the client asks for it a while later.
    """

    type: Literal["welcome"] = "welcome"
    epoch: str
    positions: dict[str, int]
    unread: int | None
    heartbeat: float


class NotificationFrame(_Frame):
    """A notification in its newest state, and where it stands."""

    type: Literal["notification"] = "notification"
    id: int
    revision: int
    kind: str
    title: str
    body: str
    url: str
    image: str
    studio: str
    category: str
    recalled: bool
    published_at: datetime
    expires_at: datetime | None
    positions: dict[str, int]


class ReadNotice(_Frame):
    """What this viewer has read, marked as unread or dismissed, here or elsewhere, and how many unread ones are left.

    `states` has {id: revision} under each state; `ids` are those that are read. `unread` is null as in `welcome`.
    """

    type: Literal["read"] = "read"
    ids: list[int]
    states: States
    positions: dict[str, int]
    unread: int | None

    @classmethod
    def of(cls, news: ReadNews) -> Self:
        """The frame that tells the news."""
        return cls(ids=news.ids, states=news.states, positions=news.positions, unread=news.unread)


class Reset(_Frame):
    """Load the list again, then send `resume` with its epoch and positions."""

    type: Literal["reset"] = "reset"
    reason: ResetReason


class Ping(_Frame):
    """All up to `positions` has been sent, or was not for this viewer. Answer `pong`."""

    type: Literal["ping"] = "ping"
    positions: dict[str, int]


class ErrorFrame(_Frame):
    """A frame of the client's was not understood and had no effect."""

    type: Literal["error"] = "error"
    code: str
    detail: str


CLIENT_FRAMES: tuple[type[BaseModel], ...] = get_args(ClientFrame)
SERVER_FRAMES: tuple[type[BaseModel], ...] = (Welcome, NotificationFrame, ReadNotice, Reset, Ping, ErrorFrame)
