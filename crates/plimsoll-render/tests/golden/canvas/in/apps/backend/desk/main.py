"""Runs flows."""

import os

import psycopg
from fastapi import FastAPI, WebSocket

from desk.tasks import shout

app = FastAPI(title="desk")
DATABASE_URL = os.environ["DATABASE_URL"]


@app.get("/api/health")
def health():
    return {"status": "ok"}


@app.get("/api/flows")
def flows():
    with psycopg.connect(DATABASE_URL) as connection:
        return connection.execute("select 1").fetchall()


@app.post("/api/shout/{text}")
def shouted(text: str):
    return shout.delay(text).get(timeout=10)


@app.websocket("/ws")
async def socket(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()
