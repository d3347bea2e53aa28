"""A frame on its way out: its text, and its bytes on the wire, made once for however many clients."""

from pydantic import BaseModel
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode


class Frame:
    """One text message. The bytes are those of a server: final, unmasked, not compressed (RFC 6455, section 5.2)."""

    __slots__ = ("_wire", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._wire: bytes | None = None

    @classmethod
    def of(cls, content: BaseModel) -> "Frame":
        """The frame that says `content`."""
        return cls(content.model_dump_json())

    @property
    def wire(self) -> bytes:
        """The whole frame, header and payload."""
        if self._wire is None:
            self._wire = WebSocketFrame(Opcode.TEXT, self.text.encode()).serialize(mask=False)
        return self._wire
