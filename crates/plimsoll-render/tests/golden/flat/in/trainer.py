"""Trains agents."""

import os

import uvicorn
from fastapi import FastAPI

from shared import answer

app = FastAPI(title="trainer")


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/")
def root():
    return {"answer": answer()}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.getenv("TRAINER_PORT", "8101")))
