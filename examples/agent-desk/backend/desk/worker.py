"""The consumer of the queue: `python -m celery -A desk.worker:app worker`."""

import logging
import time
from functools import cache
from uuid import UUID

import psycopg
import redis
from celery import Celery
from celery.signals import setup_logging, worker_init

from desk import logs
from desk.agent import Step, Word, think
from desk.progress import ProgressWriter
from desk.questions import Questions
from desk.settings import settings

log = logging.getLogger(__name__)

app = Celery("desk", broker=str(settings().redis_url))
app.conf.update(
    worker_concurrency=2,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # What a worker had taken when it was killed goes to another one after this many seconds.
    broker_transport_options={
        "visibility_timeout": 120,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
    },
    broker_connection_retry_on_startup=True,
    task_publish_retry_policy={"max_retries": 2, "interval_start": 0.2, "interval_max": 0.5},
)


# A database or Redis that restarts is no fault of the question.
_TRANSIENT = (psycopg.OperationalError, redis.ConnectionError, redis.TimeoutError)


@app.task(name="desk.answer", autoretry_for=_TRANSIENT, max_retries=8, retry_backoff=True)
def answer(id: str) -> None:
    """Thinks about one question, and streams and stores what comes of it.

    Runs again when a worker was killed half-way or lost its database: the answer starts over.
    """
    question = _questions().begin(UUID(id))
    if question is None:
        log.info("nothing to answer", extra={"question": id})
        return
    progress = ProgressWriter(_redis(), question.id)
    progress.start_over()
    steps: list[Step] = []
    words: list[str] = []
    began = time.monotonic()
    try:
        for thought in think(question.text):
            match thought:
                case Step():
                    steps.append(thought)
                    progress.step(thought)
                case Word():
                    words.append(thought.text)
                    progress.word(thought.text)
            time.sleep(1 / settings().words_per_second)
    except _TRANSIENT:
        raise
    except Exception:
        log.exception("could not answer", extra={"question": id})
        reason = "The agent stumbled over this question."
        _questions().fail(question.id, reason)
        progress.failed(reason)
        return
    # First stored, then announced: who hears "done" finds the answer in the list.
    text = "".join(words)
    _questions().finish(question.id, text, steps)
    progress.done(text)
    seconds = round(time.monotonic() - began, 2)
    log.info("answered", extra={"question": id, "steps": len(steps), "seconds": seconds})


@setup_logging.connect
def _configure_logs(**_: object) -> None:
    logs.configure(settings().log_level)


@worker_init.connect
def _make_tables(**_: object) -> None:
    # This comes before the logs are set up.
    logs.configure(settings().log_level)
    # In the parent, before it forks. Celery would log what a signal's receiver raises, and go on
    # without tables; only an exit ends the worker, for whoever started it to try again.
    try:
        Questions.connect(str(settings().database_url), connections=1).close()
    except psycopg.OperationalError as error:
        log.critical("the database cannot be reached: %s", error)
        raise SystemExit(1) from None


@cache
def _questions() -> Questions:
    # Opened by the first task of each child, since connections do not survive a fork.
    return Questions.connect(str(settings().database_url), connections=1)


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(str(settings().redis_url), decode_responses=True)
