"""Frames on their way out: their text, and their bytes on the wire, made once for however many clients."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode


class Outgoing(Protocol):
    """What is given to a client's way out at once."""

    @property
    def texts(self) -> Sequence[str]:
        """The messages, in order."""

    @property
    def wire(self) -> bytes:
        """All of them as a server writes them: final, unmasked, not compressed (RFC 6455, section 5.2)."""


class Frame:
    """One text message."""

    __slots__ = ("_wire", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._wire: bytes | None = None

    @classmethod
    def of(cls, content: BaseModel) -> "Frame":
        """The frame that says `content`."""
        return cls(content.model_dump_json())

    @property
    def texts(self) -> Sequence[str]:
        """The one message."""
        return (self.text,)

    @property
    def wire(self) -> bytes:
        """The whole frame, header and payload."""
        if self._wire is None:
            self._wire = WebSocketFrame(Opcode.TEXT, self.text.encode()).serialize(mask=False)
        return self._wire


class Burst:
    """Several frames that go out together, in one write: a system call costs more than all the rest of a push."""

    __slots__ = ("texts", "wire")

    def __init__(self, parts: Sequence[Outgoing]) -> None:
        self.texts: Sequence[str] = [text for part in parts for text in part.texts]
        self.wire = b"".join([part.wire for part in parts])
