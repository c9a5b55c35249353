"""The web service: `python -m uvicorn desk.main:app`."""

import logging
import secrets
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from types import FrameType
from typing import Annotated
from uuid import UUID

import psycopg
import redis.asyncio
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from kombu.exceptions import OperationalError
from pydantic import BaseModel, Field

from desk import logs, metrics, progress, worker
from desk.questions import Question, Questions
from desk.settings import settings

log = logging.getLogger(__name__)
logs.configure(settings().log_level)


class Resources:
    """What the requests of one process share."""

    def __init__(self, questions: Questions, client: redis.asyncio.Redis) -> None:
        self.questions = questions
        self.redis = client
        self.stopping = False

    def stop_streams_on(self, number: signal.Signals) -> None:
        """Lets open streams end when the signal comes, before the server waits for them to end."""
        server = signal.getsignal(number)

        def stop(received: int, frame: FrameType | None) -> None:
            self.stopping = True
            if callable(server):
                server(received, frame)

        signal.signal(number, stop)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    client = redis.asyncio.Redis.from_url(
        str(settings().redis_url), decode_responses=True, socket_connect_timeout=2
    )
    with closing(Questions.connect(str(settings().database_url), connections=8)) as questions:
        app.state.resources = Resources(questions, client)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                app.state.resources.stop_streams_on(number)
        yield
    await client.aclose()


def resources(request: Request) -> Resources:
    return request.app.state.resources


Shared = Annotated[Resources, Depends(resources)]

app = FastAPI(title="Agent desk", version="1.0.0", lifespan=lifespan)
app.add_middleware(
    CORSMiddleware,
    allow_origins=settings().cors_origins,
    allow_methods=["GET", "POST", "DELETE"],
    allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
)
app.add_middleware(metrics.Observed)


@app.exception_handler(psycopg.OperationalError)
def database_is_away(_: Request, error: psycopg.OperationalError) -> JSONResponse:
    log.error("the database cannot be reached: %s", error)
    return JSONResponse({"detail": "The database cannot be reached; try again later."}, 503)


class NewQuestion(BaseModel):
    """What a caller sends to ask."""

    text: str = Field(min_length=1, max_length=500, pattern=r"\S")


@app.post("/api/questions", status_code=202)
def ask(new: NewQuestion, shared: Shared) -> Question:
    """Takes a question and puts it in the queue."""
    question = shared.questions.add(new.text.strip())
    try:
        worker.answer.delay(str(question.id))
    except OperationalError:
        log.exception("the queue cannot be reached", extra={"question": str(question.id)})
        shared.questions.remove(question.id)
        raise HTTPException(503, "The queue cannot be reached; ask again later.") from None
    metrics.questions_asked.inc()
    return question


@app.get("/api/questions")
def latest(shared: Shared, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[Question]:
    """The questions asked last, the newest first."""
    return shared.questions.latest(limit)


@app.get("/api/questions/{id}")
def find(id: UUID, shared: Shared) -> Question:
    """One question, with its answer as far as it is stored."""
    question = shared.questions.find(id)
    if question is None:
        raise HTTPException(404, "There is no such question.")
    return question


@app.delete("/api/questions/{id}", status_code=204)
def remove(id: UUID, shared: Shared, authorization: Annotated[str, Header()] = "") -> None:
    """Deletes a question, for who knows the token."""
    token = settings().api_token
    shown = authorization.removeprefix("Bearer ")
    if token is None or not secrets.compare_digest(
        shown.encode(), token.get_secret_value().encode()
    ):
        raise HTTPException(403, "Deleting needs the desk's token.")
    if not shared.questions.remove(id):
        raise HTTPException(404, "There is no such question.")


@app.get("/api/questions/{id}/stream")
async def stream(
    id: UUID,
    shared: Shared,
    last_event_id: Annotated[str, Header(pattern=r"^\d{1,20}(-\d{1,20})?$")] = "0",
) -> StreamingResponse:
    """The answer as server-sent events: `step`, `word`, and at the end `done` or `failed`.

    A reader that was cut off goes on where it was, as browsers do by themselves.
    """
    question = await run_in_threadpool(find, id, shared)
    return StreamingResponse(
        _events(question, shared, last_event_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(question: Question, shared: Resources, after: str) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for event in progress.read(shared.redis, question.id, after, lambda: shared.stopping):
        if event is not None:
            yield event.encode()
            continue
        # Silence. The answer may be older than the stream's memory: then the row has it whole.
        stored = await run_in_threadpool(shared.questions.find, question.id)
        if stored is None:
            return
        if stored.status in ("answered", "failed"):
            yield progress.from_row(stored).encode()
            return
        yield ": thinking\n\n"


@app.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@app.get("/health/ready")
async def ready(shared: Shared, response: Response) -> dict[str, str]:
    """The process and everything it needs answer."""
    state = {"postgres": "ok", "redis": "ok"}
    try:
        await run_in_threadpool(shared.questions.ping)
    except Exception as error:
        state["postgres"] = type(error).__name__
    try:
        await shared.redis.ping()
    except Exception as error:
        state["redis"] = type(error).__name__
    if set(state.values()) != {"ok"}:
        response.status_code = 503
        log.warning("not ready", extra=state)
    return state


@app.get("/metrics", include_in_schema=False)
def exposition() -> Response:
    """For Prometheus."""
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)
