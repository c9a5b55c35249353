"""Ideas and how they do."""

import os

import psycopg
import redis
from fastapi import FastAPI, Response

app = FastAPI(title="ideas")
DATABASE_URL = os.environ["DATABASE_URL"]
REDIS_URL = os.environ["REDIS_URL"]
OPENAI_API_KEY = os.getenv("OPENAI_API_KEY")


@app.get("/health/live")
def live():
    return {"status": "ok"}


@app.get("/health/ready")
def ready(response: Response):
    try:
        psycopg.connect(DATABASE_URL, connect_timeout=2).close()
        redis.Redis.from_url(REDIS_URL).ping()
    except (psycopg.Error, redis.RedisError):
        response.status_code = 503
        return {"status": "not ready"}
    return {"status": "ok"}


@app.get("/api/ideas")
def ideas():
    return {"visits": redis.Redis.from_url(REDIS_URL).incr("visits"), "agent": bool(OPENAI_API_KEY)}
