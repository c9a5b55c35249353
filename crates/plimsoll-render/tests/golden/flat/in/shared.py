"""What all services have in common: where the stores are."""

import os

import psycopg
import redis

DATABASE_URL = os.environ["DATABASE_URL"]
REDIS_URL = os.getenv("REDIS_URL", "redis://redis:6379/0")


def answer() -> int:
    with psycopg.connect(DATABASE_URL) as connection:
        return connection.execute("select 42").fetchone()[0]


def count(name: str) -> int:
    return redis.Redis.from_url(REDIS_URL).incr(name)
