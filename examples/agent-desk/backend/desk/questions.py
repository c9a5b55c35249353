"""The questions and their answers, in PostgreSQL.

Both the service and the worker come here; nothing else writes SQL.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

from desk.agent import Step

_TABLES = """
    CREATE TABLE IF NOT EXISTS questions (
        id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        text        text NOT NULL,
        status      text NOT NULL DEFAULT 'waiting'
                    CHECK (status IN ('waiting', 'thinking', 'answered', 'failed')),
        steps       jsonb NOT NULL DEFAULT '[]',
        answer      text,
        asked_at    timestamptz NOT NULL DEFAULT now(),
        answered_at timestamptz
    );
    CREATE INDEX IF NOT EXISTS questions_by_time ON questions (asked_at DESC);
"""
# Any number will do, as long as nobody else of this database takes it for another purpose.
_TABLES_LOCK = 4_715_908_233


class Question(BaseModel):
    """A row: what was asked, how far the answer is, and what the agent did for it."""

    id: UUID
    text: str
    status: Literal["waiting", "thinking", "answered", "failed"]
    steps: list[Step]
    answer: str | None
    asked_at: datetime
    answered_at: datetime | None


class Questions:
    """The table, behind a pool of connections."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    @classmethod
    def connect(cls, url: str, *, connections: int, patience: float = 30) -> "Questions":
        """Connects, and makes the table unless it is there.

        Waits up to `patience` seconds for the database to answer.
        """
        pool = ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            timeout=5,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={"connect_timeout": 5},
        )
        pool.open(wait=True, timeout=patience)
        with pool.connection() as connection:
            # Several processes start at once, and IF NOT EXISTS alone does not stop two of them
            # from making one table: the second would fail.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_TABLES_LOCK])
            connection.execute(_TABLES)
        return cls(pool)

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()

    def ping(self) -> None:
        """Fails unless the database answers."""
        with self._pool.connection(timeout=2) as connection:
            connection.execute("SELECT 1")

    def add(self, text: str) -> Question:
        """Stores a new question, waiting for its answer."""
        question = self._row("INSERT INTO questions (text) VALUES (%s) RETURNING *", text)
        assert question is not None, "INSERT … RETURNING gives the row it made"
        return question

    def find(self, id: UUID) -> Question | None:
        """The question of that id, or `None`."""
        return self._row("SELECT * FROM questions WHERE id = %s", id)

    def latest(self, limit: int) -> list[Question]:
        """The questions asked last, the newest first."""
        statement = "SELECT * FROM questions ORDER BY asked_at DESC LIMIT %s"
        with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Question)) as cursor,
        ):
            return cursor.execute(statement, [limit]).fetchall()

    def begin(self, id: UUID) -> Question | None:
        """Marks a question as being thought about; `None` when there is nothing left to do."""
        return self._row(
            "UPDATE questions SET status = 'thinking' "
            "WHERE id = %s AND status IN ('waiting', 'thinking') RETURNING *",
            id,
        )

    def finish(self, id: UUID, answer: str, steps: list[Step]) -> None:
        """Stores the answer and the steps that led to it."""
        self._row(
            "UPDATE questions SET status = 'answered', answer = %s, steps = %s, "
            "answered_at = now() WHERE id = %s RETURNING *",
            answer,
            Jsonb([step.model_dump() for step in steps]),
            id,
        )

    def fail(self, id: UUID, reason: str) -> None:
        """Stores why there is no answer."""
        self._row(
            "UPDATE questions SET status = 'failed', answer = %s, answered_at = now() "
            "WHERE id = %s RETURNING *",
            reason,
            id,
        )

    def remove(self, id: UUID) -> bool:
        """Deletes a question; false when there is none of that id."""
        return self._row("DELETE FROM questions WHERE id = %s RETURNING *", id) is not None

    def _row(self, statement: str, *values: object) -> Question | None:
        with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Question)) as cursor,
        ):
            return cursor.execute(statement, values).fetchone()
