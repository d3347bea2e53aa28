"""A second table of the same shape, filled beside the live one and put in its place."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Field, Model

from .errors import CannotRebuild
from .projections import Row

EXAMPLES = 5
ROWS_AT_ONCE = 500

# What the live table has beside columns, checks and its primary key, and what it is called.
_KEYS = """
    SELECT oid, conname, contype, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'f', 'x') ORDER BY contype = 'p' DESC, conname
"""
_INDEXES = """
    SELECT indexrelid, class.relname, pg_get_indexdef(indexrelid) FROM pg_index
    JOIN pg_class AS class ON class.oid = indexrelid
    WHERE indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
# What would go on looking at the old table after a swap: foreign keys of other tables, and views.
_DEPENDENTS = """
    SELECT conrelid::regclass::text FROM pg_constraint WHERE confrelid = %(table)s::regclass AND contype = 'f'
    UNION
    SELECT ev_class::regclass::text FROM pg_rewrite JOIN pg_depend ON objid = pg_rewrite.oid
    WHERE refobjid = %(table)s::regclass AND ev_class <> refobjid
"""
_COMPARE = """
    SELECT count(*) FILTER (WHERE live.{pk} IS NULL), count(*) FILTER (WHERE shadow.{pk} IS NULL),
        count(*) FILTER (WHERE live.{pk} = shadow.{pk})
    FROM {live} AS live FULL JOIN {shadow} AS shadow ON live.{pk} = shadow.{pk}
    WHERE ROW(live.*) IS DISTINCT FROM ROW(shadow.*)
"""
_EXAMPLES = """
    SELECT to_jsonb(live), to_jsonb(shadow)
    FROM {live} AS live FULL JOIN {shadow} AS shadow ON live.{pk} = shadow.{pk}
    WHERE ROW(live.*) IS DISTINCT FROM ROW(shadow.*) LIMIT {examples}
"""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """How the live table differs from its events: rows it lacks, rows too many, rows with other values."""

    missing: int = 0
    surplus: int = 0
    different: int = 0
    examples: Sequence[str] = field(default_factory=tuple)

    @property
    def total(self) -> int:
        """Rows that are not as the events say."""
        return self.missing + self.surplus + self.different


class Shadow:
    """The shadow of a model's table. Its keys and indexes bear the oid of the live one's, until they take the name."""

    def __init__(self, model: type[Model]) -> None:
        options = model._meta  # noqa: SLF001 - Django's documented API of models
        self.fields: list[Field[Any, Any]] = list(options.concrete_fields)
        self.pk = _quoted(str(options.pk.column))
        self.live = options.db_table
        self.table, self.old = f"{self.live}__shadow", f"{self.live}__old"
        self._places = f"({', '.join(['%s'] * len(self.fields))})"
        self._upsert = self._upsert_statement()

    def create(self) -> None:
        """An empty one, with the primary key alone; what an earlier rebuild left is dropped. Raises `CannotRebuild`."""
        if dependents := [name for (name,) in _fetch(_DEPENDENTS, {"table": _quoted(self.live)})]:
            raise CannotRebuild(f"{self.live} cannot be swapped: {', '.join(dependents)} refers to it.")
        self.drop()
        parts = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMMENTS"
        _execute(f"CREATE TABLE {_quoted(self.table)} (LIKE {_quoted(self.live)} {parts})")
        self._add_keys(primary=True)

    def drop(self) -> None:
        """Forget the shadow, and a table that was swapped out."""
        for table in (self.table, self.old):
            _execute(f"DROP TABLE IF EXISTS {_quoted(table)}")

    def complete(self) -> None:
        """Add the other keys and the indexes: after the filling, when that is cheapest; `validate` is to follow."""
        for oid, _, definition in _fetch(_INDEXES, [_quoted(self.live)]):
            _, _, rest = definition.partition(" USING ")
            unique = "UNIQUE " if definition.startswith("CREATE UNIQUE") else ""
            _execute(f"CREATE {unique}INDEX {_shadow_name(oid)} ON {_quoted(self.table)} USING {rest}")
        self._add_keys(primary=False)

    def validate(self) -> None:
        """Check the foreign keys of every row. Apart from `complete`, whose locks would stop writers meanwhile."""
        for oid, _, kind, _ in _fetch(_KEYS, [_quoted(self.live)]):
            if kind == "f":
                _execute(f"ALTER TABLE {_quoted(self.table)} VALIDATE CONSTRAINT {_shadow_name(oid)}")

    def write(self, rows: Iterable[Row]) -> int:
        """Insert rows, or replace those that are there; returns how many of them there were."""
        values = ([self._stored(field, row) for field in self.fields] for row in rows)
        written = 0
        with connection.cursor() as cursor:
            while chunk := list(islice(values, ROWS_AT_ONCE)):
                places = ", ".join([self._places] * len(chunk))
                cursor.execute(self._upsert.format(places=places), [value for row in chunk for value in row])
                written += len(chunk)
        return written

    def compare(self) -> Differences:
        """Live against shadow, as this transaction's snapshot shows both."""
        names = {"live": _quoted(self.live), "shadow": _quoted(self.table), "pk": self.pk, "examples": EXAMPLES}
        [(missing, surplus, different)] = _fetch(_COMPARE.format(**names))
        if not missing + surplus + different:
            return Differences()
        pairs = _fetch(_EXAMPLES.format(**names))
        examples = tuple(_difference(_row(live), _row(shadow), self.pk.strip('"')) for live, shadow in pairs)
        return Differences(missing=missing, surplus=surplus, different=different, examples=examples)

    def lock_live(self) -> None:
        """Let nobody read or write the live table until the transaction ends."""
        _execute(f"LOCK TABLE {_quoted(self.live)} IN ACCESS EXCLUSIVE MODE")

    def swap(self) -> None:
        """Take the live table's place, and the names of its keys and indexes. The live table must be locked."""
        _execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks outstanding cannot be altered
        keys = [(oid, name) for oid, name, _, _ in _fetch(_KEYS, [_quoted(self.live)])]
        indexes = [(oid, name) for oid, name, _ in _fetch(_INDEXES, [_quoted(self.live)])]
        _execute(f"ALTER TABLE {_quoted(self.live)} RENAME TO {_quoted(self.old)}")
        _execute(f"ALTER TABLE {_quoted(self.table)} RENAME TO {_quoted(self.live)}")
        for oid, name in keys:
            _execute(f"ALTER TABLE {_quoted(self.old)} RENAME CONSTRAINT {_quoted(name)} TO old_{oid}")
            _execute(f"ALTER TABLE {_quoted(self.live)} RENAME CONSTRAINT {_shadow_name(oid)} TO {_quoted(name)}")
        for oid, name in indexes:
            _execute(f"ALTER INDEX {_quoted(name)} RENAME TO old_{oid}")
            _execute(f"ALTER INDEX {_shadow_name(oid)} RENAME TO {_quoted(name)}")

    def _add_keys(self, *, primary: bool) -> None:
        for oid, _, kind, definition in _fetch(_KEYS, [_quoted(self.live)]):
            if (kind == "p") == primary:
                later = " NOT VALID" if kind == "f" else ""
                _execute(f"ALTER TABLE {_quoted(self.table)} ADD CONSTRAINT {_shadow_name(oid)} {definition}{later}")

    def _upsert_statement(self) -> str:
        columns = [_quoted(str(field.column)) for field in self.fields]
        changes = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns if column != self.pk)
        into = f"{_quoted(self.table)} ({', '.join(columns)})"
        return f"INSERT INTO {into} VALUES {{places}} ON CONFLICT ({self.pk}) DO UPDATE SET {changes}"  # noqa: S608

    def _stored(self, field: "Field[Any, Any]", row: Row) -> Any:
        return field.get_db_prep_save(row[field.attname], connection)


def _shadow_name(oid: int) -> str:
    return f"shadow_{oid}"


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _fetch(statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _row(stored: str | None) -> dict[str, Any] | None:
    return json.loads(stored) if stored else None


def _difference(live: dict[str, Any] | None, shadow: dict[str, Any] | None, pk: str) -> str:
    """One row's difference in words."""
    if live is None or shadow is None:
        row = live or shadow or {}
        return f"{row[pk]}: {'is not in the live table' if live is None else 'has no events'}"
    changes = (f"{name} is {live[name]!r}, should be {shadow[name]!r}" for name in live if live[name] != shadow[name])
    return f"{live[pk]}: {'; '.join(changes)}"
