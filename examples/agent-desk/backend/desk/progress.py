"""The progress of an answer while it is written, in a Redis stream for each question.

A stream keeps what it was given, so a reader who comes late, or comes back, misses nothing: every
entry's id is the position to go on from.
"""

import json
from collections.abc import AsyncIterator, Callable
from typing import Literal, NamedTuple
from uuid import UUID

import redis
import redis.asyncio

from desk.agent import Step
from desk.questions import Question

_KEPT_SECONDS = 3600
_LOOK_UP_MS = 500

Kind = Literal["step", "word", "done", "failed"]


class Event(NamedTuple):
    """One thing that happened, and its position in the stream, empty when it has none."""

    position: str
    kind: Kind
    data: dict

    def encode(self) -> str:
        """As a server-sent event."""
        position = f"id: {self.position}\n" if self.position else ""
        return f"{position}event: {self.kind}\ndata: {json.dumps(self.data)}\n\n"


def from_row(question: Question) -> Event:
    """The end of an answer whose stream is forgotten; it has no position."""
    if question.status == "failed":
        return Event("", "failed", {"reason": question.answer})
    steps = [step.model_dump() for step in question.steps]
    return Event("", "done", {"answer": question.answer, "steps": steps})


def _key(id: UUID) -> str:
    return f"progress:{id}"


class ProgressWriter:
    """The worker's end: appends to the stream of one question."""

    def __init__(self, client: redis.Redis, id: UUID) -> None:
        self._client = client
        self._key = _key(id)

    def start_over(self) -> None:
        """Forgets what an earlier, interrupted attempt has written."""
        self._client.delete(self._key)

    def step(self, step: Step) -> None:
        """The agent used a tool."""
        self._append("step", step.model_dump())

    def word(self, text: str) -> None:
        """The agent wrote a word."""
        self._append("word", {"text": text})

    def done(self, answer: str) -> None:
        """The answer is complete, and stored."""
        self._append("done", {"answer": answer})

    def failed(self, reason: str) -> None:
        """There will be no answer."""
        self._append("failed", {"reason": reason})

    def _append(self, kind: Kind, data: dict) -> None:
        with self._client.pipeline() as pipeline:
            pipeline.xadd(self._key, {"kind": kind, "data": json.dumps(data)})
            pipeline.expire(self._key, _KEPT_SECONDS)
            pipeline.execute()


async def read(
    client: redis.asyncio.Redis, id: UUID, after: str, stopping: Callable[[], bool]
) -> AsyncIterator[Event | None]:
    """Yields what follows position `after`, as it happens, up to the end of the answer.

    Yields `None` whenever nothing has happened for a while, and ends early when `stopping` says so.
    """
    position = after
    while not stopping():
        found = await client.xread({_key(id): position}, count=50, block=_LOOK_UP_MS)
        if not found:
            yield None
            continue
        [(_, entries)] = found
        for position, fields in entries:
            event = Event(position, fields["kind"], json.loads(fields["data"]))
            yield event
            if event.kind in ("done", "failed"):
                return
