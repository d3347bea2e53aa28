"""Data in Avro: schemas derived from the pydantic models, and values that say with which schema they were written.

A value is in Avro's single-object encoding: a marker, the writer's schema by its fingerprint, the binary data. Schemas
that were used are kept in a table, so what was written once can be read when its model has changed or is gone.

Source: https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding
"""

import io
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import fastavro
from django.db import connection, transaction
from fastavro.schema import SchemaParseException, fingerprint, to_parsing_canonical_form
from fastavro.validation import ValidationError, validate
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from .avro_schemas import avro_schema
from .errors import InvalidMessage
from .models import AvroSchema

MARKER = b"\xc3\x01"
FINGERPRINT_BYTES = 8  # of the little-endian CRC-64-AVRO
_HEADER = len(MARKER) + FINGERPRINT_BYTES

_KEEP = """
    INSERT INTO broker_avroschema (fingerprint, type, version, definition) VALUES (%s, %s, %s, %s)
    ON CONFLICT (fingerprint) DO NOTHING
"""

_by_fingerprint: dict[str, Any] = {}  # schemas that this process has seen committed


def encode(value: BaseModel, *, type_: str, version: int) -> bytes:
    """The value as bytes; its schema is kept first. Raises `InvalidMessage` for what Avro cannot hold."""
    schema, print_ = _schema_for(type(value), type_, version)
    _keep(print_, type_, version, schema)
    out = io.BytesIO()
    out.write(MARKER + bytes.fromhex(print_))
    plain = value.model_dump()
    try:
        fastavro.schemaless_writer(out, schema, plain)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidMessage("data", f"cannot be written as Avro: {_fault(plain, schema) or error}") from error
    return out.getvalue()


def decode(encoded: bytes) -> dict[str, Any]:
    """The value in JSON types. Raises `ValueError` for what is not Avro, or whose schema nobody knows."""
    if len(encoded) < _HEADER or not encoded.startswith(MARKER):
        raise ValueError("is not Avro in the single-object encoding")
    schema = _schema_with(encoded[len(MARKER) : _HEADER].hex())
    body = io.BytesIO(encoded[_HEADER:])
    try:
        value = fastavro.schemaless_reader(body, schema, None)
    except (EOFError, IndexError, OverflowError, ValueError) as error:
        raise ValueError(f"cannot be read as Avro: {type(error).__name__} {error}") from error
    if body.read(1):
        raise ValueError("cannot be read as Avro: bytes are left over")
    plain: dict[str, Any] = to_jsonable_python(value)
    return plain


def _fault(plain: dict[str, Any], schema: Any) -> str:
    """Which field does not fit, as fastavro tells it."""
    try:
        validate(plain, schema, raise_errors=True)
    except ValidationError as error:
        return "; ".join(str(each) for each in error.errors)
    return ""


@cache
def _schema_for(model: type[BaseModel], type_: str, version: int) -> tuple[Any, str]:
    """A parsed schema and its fingerprint."""
    try:
        definition = avro_schema(model, name=f"{type_}.v{version}")
        canonical = to_parsing_canonical_form(definition)
        return fastavro.parse_schema(definition), fingerprint(canonical, "CRC-64-AVRO")
    except (TypeError, SchemaParseException) as error:
        raise InvalidMessage("data", f"cannot be written as Avro: {error}") from error


def _keep(print_: str, type_: str, version: int, schema: Mapping[str, Any]) -> None:
    if print_ in _by_fingerprint:
        return
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [print_, type_, version, json.dumps(_definition(schema))])
    transaction.on_commit(lambda: _by_fingerprint.setdefault(print_, schema))


def _definition(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parsed schema without what fastavro has added for itself."""
    return {name: value for name, value in schema.items() if not name.startswith("__")}


def _schema_with(print_: str) -> Any:
    if print_ not in _by_fingerprint:
        stored = AvroSchema.objects.filter(fingerprint=print_).values_list("definition", flat=True).first()
        if stored is None:
            raise ValueError(f"was written with the Avro schema {print_}, which is not known here")
        _by_fingerprint[print_] = fastavro.parse_schema(stored)
    return _by_fingerprint[print_]
