"""The baseline for the broker: an outbox loop as one would write it by hand, without routing, schemas or groups.

A batch is one transaction: select, COPY into the log, mark, read the log, handle, note the offset. Text goes through as
it is, and is parsed once, for the handler. Run as a program on the database that its first argument names.
"""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import psycopg

BATCH = 500
POLL_SECONDS = 0.005

TABLES = """
    CREATE TABLE bare_outbox (id bigserial PRIMARY KEY, body text NOT NULL, relayed_at timestamptz);
    CREATE INDEX bare_waiting ON bare_outbox (id) WHERE relayed_at IS NULL;
    CREATE TABLE bare_log ("offset" bigserial PRIMARY KEY, body text NOT NULL);
    CREATE TABLE bare_reader (next_offset bigint NOT NULL);
    INSERT INTO bare_reader VALUES (1);
"""
_SELECT = "SELECT id, body FROM bare_outbox WHERE relayed_at IS NULL ORDER BY id LIMIT %s"
_COPY = "COPY bare_log (body) FROM STDIN"
_MARK = "UPDATE bare_outbox SET relayed_at = now() WHERE id = ANY(%s)"
_READ = 'SELECT "offset", body FROM bare_log WHERE "offset" >= %s ORDER BY "offset" LIMIT %s'
_NOTE = "UPDATE bare_reader SET next_offset = %s"


class BareLoop:
    """Relays and handles in one loop on one connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._next_offset = 1
        self.handled = 0

    def run(self) -> None:
        """Work until the process is killed."""
        while True:
            if not self.batch():
                time.sleep(POLL_SECONDS)

    def batch(self) -> int:
        """Relay and handle what one batch holds; returns how many messages that was."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            rows = cursor.execute(_SELECT, [BATCH]).fetchall()
            if not rows:
                return 0
            with cursor.copy(_COPY) as copy:
                for _, body in rows:
                    copy.write_row((body,))
            cursor.execute(_MARK, [[id_ for id_, _ in rows]])
            self._read(cursor)
        return len(rows)

    def _read(self, cursor: psycopg.Cursor[Any]) -> None:
        entries = cursor.execute(_READ, [self._next_offset, BATCH]).fetchall()
        for _, body in entries:
            self._handle(json.loads(body))
        self._next_offset = entries[-1][0] + 1
        cursor.execute(_NOTE, [self._next_offset])

    def _handle(self, message: Mapping[str, Any]) -> None:
        self.handled += bool(message["data"])


if __name__ == "__main__":
    with psycopg.connect(sys.argv[1], autocommit=True) as connection_:
        BareLoop(connection_).run()
