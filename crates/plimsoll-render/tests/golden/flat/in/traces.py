"""Keeps what agents did."""

import os

import uvicorn
from fastapi import FastAPI

from shared import count

app = FastAPI(title="traces")


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/")
def root():
    return {"traces": count("traces")}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.getenv("TRACES_PORT", "8104")))
