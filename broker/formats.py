"""Content formats: a message's data as JSON, or in another format as bytes. Handlers always get it decoded."""

from dataclasses import replace

from . import avro, schemas
from .errors import InvalidMessage
from .messages import Format, Message


def encode(message: Message, format_: Format) -> Message:
    """The message with its data in that format. Raises `InvalidMessage` naming what cannot be written in it."""
    if message.format is format_:
        return message
    plain = decode(message)
    if format_ is Format.JSON:
        return plain
    encoded = avro.encode(schemas.validated(plain), type_=plain.type, version=plain.version)
    return replace(plain, format=format_, data={}, encoded=encoded)


def decode(message: Message) -> Message:
    """The message with its data as JSON types; itself when it is JSON. Raises `InvalidMessage`."""
    if message.format is Format.JSON:
        return message
    try:
        data = avro.decode(message.encoded)
    except ValueError as error:
        raise InvalidMessage("data_base64", str(error)) from error
    return replace(message, format=Format.JSON, data=data, encoded=b"")


def for_handler(message: Message) -> Message:
    """The message as handlers get it: decoded, and in its type's newest version. Raises `InvalidMessage`."""
    return schemas.upcast(decode(message))
